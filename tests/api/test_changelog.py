"""The log of changes: a line for each campaign that was written, and for nothing else."""

import logging
import re

import pytest

from tests.api.conftest import Shop
from tests.locking import locked

LOGGER = "tracking.changelog"
OLD, NEW = "https://a.example/?x=1", "https://b.example/"


class Log:
    """What is logged of changes; the server runs within the test's process."""

    def __init__(self, shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, LOGGER)
        self._caplog = caplog
        self._who = re.compile(rf"acme/{shop.slug}, token \d+: ")

    def take(self) -> list[str]:
        """The lines since the last time, without who did it: that is in each of them."""
        lines = [each.getMessage() for each in self._caplog.records if each.name == LOGGER]
        self._caplog.clear()
        assert all(self._who.match(line) for line in lines)
        assert not any(re.search(r"[0-9a-f]{64}", line) for line in lines)
        return [self._who.sub("", line) for line in lines]


@pytest.fixture
def log(shop: Shop, caplog: pytest.LogCaptureFixture) -> Log:
    """The log from now on."""
    return Log(shop, caplog)


async def test_each_write_of_a_campaign_is_a_line(shop: Shop, log: Log) -> None:
    """With the token's id, the campaign, and its old and new code and target."""
    code = f"c-{shop.slug}"
    made = await shop.campaign(code=code, external_target=OLD)
    item = f"campaigns/{made['id']}/"
    name = rf"campaign {made['id']} of event \d+, code '{code}', target"
    [line] = log.take()
    assert re.fullmatch(rf"made {name} '{re.escape(OLD)}'", line)
    await shop.client.patch(item, json={"external_target": NEW})
    [line] = log.take()
    changed = rf"changed {name} '{re.escape(OLD)}': now code '{code}', target '{re.escape(NEW)}'"
    assert re.fullmatch(changed, line)
    await shop.client.put(item, json={"code": f"{code}2", "description": "x"})
    [line] = log.take()
    assert re.fullmatch(rf"changed {name} '{re.escape(NEW)}': now code '{code}2', target ''", line)
    await shop.client.delete(item)
    [line] = log.take()
    assert re.fullmatch(f"deleted {name} ''".replace(code, f"{code}2"), line)


async def test_what_was_not_written_is_no_line(shop: Shop, log: Log) -> None:
    """Refused, repeated, rolled back, or without a change; and what is no campaign."""
    made = await shop.campaign(code=f"c-{shop.slug}")
    item = f"campaigns/{made['id']}/"
    key = {"X-Idempotency-Key": f"log-{shop.slug}"}
    await shop.client.post("campaigns/", json={"description": "x"}, headers=key)
    assert len(log.take()) == 2
    await shop.client.post("campaigns/", json={"description": "x"}, headers=key)
    await shop.client.post("campaigns/", json={"description": "x", "code": made["code"]})
    await shop.client.post("campaigns/", json={})
    await shop.client.patch(item, json={})
    await shop.client.delete("campaigns/999999999/")
    await shop.client.post("categories/", json={"name": "x"})
    await shop.client.get("campaigns/")
    async with locked(shop.served.file):
        assert (await shop.client.delete(item)).status_code == 503
    assert log.take() == []


async def test_a_target_can_t_write_a_line_of_its_own(shop: Shop, log: Log) -> None:
    """Whatever is not printable is escaped, and quotes too."""
    target = "https://a.example/'\u00ad\u2066\U000e0001x"
    await shop.campaign(external_target=target)
    [line] = log.take()
    assert line.isprintable()
    assert repr(target) in line

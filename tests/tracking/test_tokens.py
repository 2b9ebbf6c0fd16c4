"""API tokens: kept as digests, found by their text, ended at once."""

import hashlib
import re
import time

import pytest

from tracking import tokens
from tracking.database import Database
from tracking.organizers import Event, ensure_event
from tracking.settings import Settings


@pytest.fixture
async def autumn(database: Database, event: Event) -> Event:
    """A second event of the first one's organizer."""
    async with database.write() as connection:
        return await ensure_event(connection, event.organizer, "autumn")


async def test_a_token_is_found_by_its_text(database: Database, event: Event) -> None:
    """A new token has 64 hexadecimal digits, and is found with what it allows."""
    before = time.time()
    async with database.write() as connection:
        secret = await tokens.create(connection, event.organizer_id, name="Shop")
    assert re.fullmatch("[0-9a-f]{64}", secret)
    async with database.read() as connection:
        found = await tokens.find(connection, secret)
    assert found is not None
    assert (found.organizer_id, found.organizer, found.name) == (event.organizer_id, "acme", "Shop")
    assert (found.all_events, found.events) == (True, ())
    assert (found.read_only, found.revoked) == (False, False)
    assert before <= found.created_at <= time.time()


async def test_only_the_digest_is_stored(
    database: Database, event: Event, settings: Settings
) -> None:
    """No file of the database holds a token, neither while it is open nor afterwards."""
    async with database.write() as connection:
        secret = await tokens.create(connection, event.organizer_id)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    for _ in range(2):
        files = {path.name: path.read_bytes() for path in settings.data_dir.glob("waymark.db*")}
        assert any(digest.encode() in content for content in files.values())
        for name, content in files.items():
            assert secret.encode() not in content, name
            assert bytes.fromhex(secret) not in content, name
        await database.close()


@pytest.mark.parametrize(
    "text",
    ["", "0" * 64, "käse", "\udcff", "' OR 1=1 --", "a" * 100_000],
    ids=["empty", "unknown", "umlaut", "lone surrogate", "SQL", "long"],
)
async def test_what_is_no_token_is_not_found(database: Database, event: Event, text: str) -> None:
    """Any text at all can be looked up."""
    async with database.write() as connection:
        await tokens.create(connection, event.organizer_id)
    async with database.read() as connection:
        assert await tokens.find(connection, text) is None


async def test_the_digest_is_no_token(database: Database, event: Event) -> None:
    """Who has read the database can't use what it holds."""
    async with database.write() as connection:
        secret = await tokens.create(connection, event.organizer_id)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        assert await tokens.find(connection, digest) is None
        assert await tokens.find(connection, secret.upper()) is None


async def test_a_token_of_all_events_covers_later_ones(
    database: Database, event: Event, foreign_event: Event
) -> None:
    """Without events named, it covers all of its organizer's, those made later too."""
    async with database.write() as connection:
        secret = await tokens.create(connection, event.organizer_id)
        later = await ensure_event(connection, "acme", "later")
        found = await tokens.find(connection, secret)
    assert found is not None
    assert found.covers(event)
    assert found.covers(later)
    assert not found.covers(foreign_event)


async def test_a_token_of_some_events_covers_those(
    database: Database, event: Event, autumn: Event, foreign_event: Event
) -> None:
    """It covers the events named, and not another organizer's of the same slug."""
    async with database.write() as connection:
        secret = await tokens.create(connection, event.organizer_id, event_ids=[event.id])
        found = await tokens.find(connection, secret)
    assert found is not None
    assert (found.all_events, found.events) == (False, ("summer",))
    assert found.covers(event)
    assert not found.covers(autumn)
    assert not found.covers(foreign_event)


async def test_events_are_named_once_and_sorted(
    database: Database, event: Event, autumn: Event
) -> None:
    """An event named twice counts once."""
    async with database.write() as connection:
        secret = await tokens.create(
            connection, event.organizer_id, event_ids=[autumn.id, event.id, autumn.id]
        )
        found = await tokens.find(connection, secret)
    assert found is not None
    assert found.events == ("autumn", "summer")


async def test_a_revoked_token_is_not_found(database: Database, event: Event) -> None:
    """It ends at once, the others of the organizer stay, and it can be revoked again."""
    async with database.write() as connection:
        first = await tokens.create(connection, event.organizer_id)
        second = await tokens.create(connection, event.organizer_id)
        found = await tokens.find(connection, first)
        assert found is not None
        assert await tokens.revoke(connection, found.id) is True
        revoked_at = await connection.exec_driver_sql("SELECT max(revoked_at) FROM tokens")
        ended = revoked_at.scalar_one()
    async with database.write() as connection:
        assert await tokens.revoke(connection, found.id) is True
        revoked_at = await connection.exec_driver_sql("SELECT max(revoked_at) FROM tokens")
        assert revoked_at.scalar_one() == ended
        assert await tokens.find(connection, first) is None
        assert await tokens.find(connection, second) is not None
        assert await tokens.revoke(connection, found.id + 100) is False


@pytest.mark.parametrize(
    ("seconds", "found"), {"before": (-1, True), "then": (0, False), "after": (1, False)}.values()
)
async def test_a_token_ends_when_it_should(
    database: Database,
    event: Event,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    *,
    found: bool,
) -> None:
    """From its end on it is not found, and is listed all the same; another has no end."""
    end = time.time() + 3600
    async with database.write() as connection:
        ending = await tokens.create(connection, event.organizer_id, expires_at=end)
        lasting = await tokens.create(connection, event.organizer_id)
    monkeypatch.setattr(time, "time", lambda: end + seconds)
    async with database.read() as connection:
        assert (await tokens.find(connection, ending) is not None) is found
        assert await tokens.find(connection, lasting) is not None
        listed = await tokens.list_(connection, event.organizer_id)
    assert [token.expires_at for token in listed] == [end, None]


async def test_a_list_has_all_of_the_organizer(
    database: Database, event: Event, autumn: Event, foreign_event: Event
) -> None:
    """Oldest first, the revoked ones too, nobody else's."""
    async with database.write() as connection:
        for name in ("first", "second"):
            await tokens.create(
                connection,
                event.organizer_id,
                event_ids=[autumn.id, event.id],
                read_only=name == "second",
                name=name,
            )
        await tokens.create(connection, foreign_event.organizer_id, name="foreign")
        [first, second] = await tokens.list_(connection, event.organizer_id)
        await tokens.revoke(connection, first.id)
        listed = await tokens.list_(connection, event.organizer_id)
    assert [(token.name, token.read_only, token.revoked) for token in listed] == [
        ("first", False, True),
        ("second", True, False),
    ]
    assert second.events == ("autumn", "summer")

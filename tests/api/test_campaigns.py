"""Campaigns: every verb, and every field's rules."""

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.api.conftest import Shop
from tests.api.test_authentication import FORBIDDEN
from tracking import campaigns, clicks
from tracking.clicks import Audience, Batch, ClickCount, Hour

NULL = "This field may not be null."
BLANK = "This field may not be blank."
REQUIRED = "This field is required."
NOT_TEXT = "Not a valid string."
TOO_LONG = "Ensure this field has no more than 255 characters."
NULL_CHARACTERS = "Null characters are not allowed."
DUPLICATE = "campaign with this code already exists."
CODE_FORM = "Only the letters A-Z and a-z, digits, underscores and dashes are allowed."
NO_URL = "Enter a valid URL: it must start with http:// or https://."
NO_HOST = "Enter a valid URL: the host is missing or wrong."
ITSELF = "This target is a tracking link itself."
# What links begin with where no setting says it.
LINKS = "http://127.0.0.1:8000"
SPACES = "A URL must not hold spaces, control characters or backslashes."


async def test_a_campaign_is_made_with_what_is_sent(shop: Shop) -> None:
    """POST answers 201 with all fields, in the contract's order."""
    sent = {"code": "summer-26_A", "description": "Poster", "external_target": "https://a.example"}
    response = await shop.client.post("campaigns/", json=sent)
    assert response.status_code == 201
    made = response.json()
    assert made == {"id": made["id"], **sent, "order_count": 0, "click_count": 0}
    assert list(made) == [
        "id",
        "code",
        "description",
        "external_target",
        "order_count",
        "click_count",
    ]
    assert (await shop.client.get(f"campaigns/{made['id']}/")).json() == made


async def test_a_campaign_needs_a_description_only(shop: Shop) -> None:
    """A code is drawn, and the target is the shop."""
    made = (await shop.client.post("campaigns/", json={"description": "Poster"})).json()
    assert re.fullmatch(r"[A-Za-z0-9]{9}", made["code"])
    assert made["external_target"] == ""


async def test_read_only_and_unknown_fields_are_ignored(shop: Shop) -> None:
    """What a client may not write does not matter, whatever its value."""
    made = await shop.campaign(id=5, click_count="x", order_count=None, colour="red")
    assert (made["click_count"], made["order_count"]) == (0, 0)
    patch = {"click_count": 3, "id": 9}
    assert (await shop.client.patch(f"campaigns/{made['id']}/", json=patch)).json() == made


@dataclass(frozen=True)
class Body:
    """A body, and what is stored or said about it."""

    sent: dict[str, Any]
    stored: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)


BODIES = {
    "description trimmed": Body({"description": " a b\t\n"}, {"description": "a b"}),
    "description of 255": Body({"description": "ä" * 255}, {"description": "ä" * 255}),
    "description trimmed to 255": Body(
        {"description": " " + "ä" * 255 + " "}, {"description": "ä" * 255}
    ),
    "description is an integer": Body({"description": 7}, {"description": "7"}),
    "description is a float": Body({"description": 1.5}, {"description": "1.5"}),
    "description beyond the BMP": Body({"description": "🎟"}, {"description": "🎟"}),
    "description of 256": Body({"description": "ä" * 256}, errors={"description": [TOO_LONG]}),
    "description missing": Body({}, errors={"description": [REQUIRED]}),
    "description null": Body({"description": None}, errors={"description": [NULL]}),
    "description blank": Body({"description": ""}, errors={"description": [BLANK]}),
    "description of spaces": Body({"description": " \t"}, errors={"description": [BLANK]}),
    "description true": Body({"description": True}, errors={"description": [NOT_TEXT]}),
    "description is a list": Body({"description": ["a"]}, errors={"description": [NOT_TEXT]}),
    "description is an object": Body({"description": {}}, errors={"description": [NOT_TEXT]}),
    "description with NUL": Body(
        {"description": "a\0b"}, errors={"description": [NULL_CHARACTERS]}
    ),
    "description with half a character": Body(
        {"description": "a\ud800"},
        errors={"description": ["Surrogate characters are not allowed: U+D800."]},
    ),
    "description is a huge number": Body(
        {"description": 10**400}, errors={"description": [TOO_LONG]}
    ),
    "code of 1": Body({"description": "x", "code": "-"}, {"code": "-"}),
    "code of 64": Body({"description": "x", "code": "a" * 64}, {"code": "a" * 64}),
    "code is a number": Body({"description": "x", "code": 2026}, {"code": "2026"}),
    "code of 65": Body(
        {"description": "x", "code": "a" * 65},
        errors={"code": ["Ensure this field has no more than 64 characters."]},
    ),
    "code null": Body({"description": "x", "code": None}, errors={"code": [NULL]}),
    "code blank": Body({"description": "x", "code": ""}, errors={"code": [BLANK]}),
    "code with a space": Body({"description": "x", "code": "a "}, errors={"code": [CODE_FORM]}),
    "code with a line feed": Body(
        {"description": "x", "code": "a\n"}, errors={"code": [CODE_FORM]}
    ),
    "code with a slash": Body({"description": "x", "code": "a/b"}, errors={"code": [CODE_FORM]}),
    "code beyond ASCII": Body({"description": "x", "code": "ä"}, errors={"code": [CODE_FORM]}),
    "code of another script's digits": Body(
        {"description": "x", "code": "٣"}, errors={"code": [CODE_FORM]}
    ),
    "code false": Body({"description": "x", "code": False}, errors={"code": [NOT_TEXT]}),
    "target to the letter": Body(
        {"description": "x", "external_target": "HTTPS://Ä.example:8443/%7Eb?c=d&c=%20#e"},
        {"external_target": "HTTPS://Ä.example:8443/%7Eb?c=d&c=%20#e"},
    ),
    "target of 2048": Body(
        {"description": "x", "external_target": "http://a.example/".ljust(2048, "x")},
        {"external_target": "http://a.example/".ljust(2048, "x")},
    ),
    "target of 2049": Body(
        {"description": "x", "external_target": "http://a.example/".ljust(2049, "x")},
        errors={"external_target": ["Ensure this field has no more than 2048 characters."]},
    ),
    "target null": Body(
        {"description": "x", "external_target": None}, errors={"external_target": [NULL]}
    ),
    "target is an object": Body(
        {"description": "x", "external_target": {}}, errors={"external_target": [NOT_TEXT]}
    ),
    "target of another scheme": Body(
        {"description": "x", "external_target": "javascript:alert(1)"},
        errors={"external_target": [NO_URL]},
    ),
    "target without a scheme": Body(
        {"description": "x", "external_target": "//a.example/"},
        errors={"external_target": [NO_URL]},
    ),
    "target with an IDN host": Body(
        {"description": "x", "external_target": "http://tübingen.example/ä"},
        {"external_target": "http://tübingen.example/ä"},
    ),
    "target whose host has no ASCII form": Body(
        {"description": "x", "external_target": "http://ü\u0378.example/"},
        errors={"external_target": [NO_HOST]},
    ),
    "target that is a tracking link": Body(
        {"description": "x", "external_target": f"{LINKS}/acme/summer/c/poster/"},
        errors={"external_target": [ITSELF]},
    ),
    "target that is a tracking link, spelt otherwise": Body(
        {"description": "x", "external_target": "https://LOCALHOST:8000/acme/summer/c/poster)."},
        errors={"external_target": [ITSELF]},
    ),
    "target that is a tracking link, beside another error": Body(
        {"external_target": f"{LINKS}/acme/summer/c/poster&a=b"},
        errors={"external_target": [ITSELF], "description": [REQUIRED]},
    ),
    "target on this server that is no link": Body(
        {"description": "x", "external_target": f"{LINKS}/acme/summer/"},
        {"external_target": f"{LINKS}/acme/summer/"},
    ),
    "target without a host": Body(
        {"description": "x", "external_target": "https:///a"}, errors={"external_target": [NO_HOST]}
    ),
    "target with credentials": Body(
        {"description": "x", "external_target": "https://a:b@c.example/"},
        errors={"external_target": ["A URL must not hold credentials."]},
    ),
    "target with a space before": Body(
        {"description": "x", "external_target": " https://a.example/"},
        errors={"external_target": [SPACES]},
    ),
    "target with a line feed": Body(
        {"description": "x", "external_target": "https://a.example/\nb"},
        errors={"external_target": [SPACES]},
    ),
    "target with NUL": Body(
        {"description": "x", "external_target": "https://a.example/\0"},
        errors={"external_target": [NULL_CHARACTERS]},
    ),
    "all wrong": Body(
        {"code": "", "external_target": 5},
        errors={"code": [BLANK], "description": [REQUIRED], "external_target": [NO_URL]},
    ),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_fields_are_read_alike_by_every_verb(shop: Shop, method: str, body: Body) -> None:
    """A field is stored as the contract says, or the answer tells what is wrong with it."""
    path = "campaigns/"
    if method != "POST":
        path = f"campaigns/{(await shop.campaign())['id']}/"
    errors = body.errors
    if method == "PATCH":
        errors = {name: messages for name, messages in errors.items() if messages != [REQUIRED]}
    before = shop.served.rows()
    response = await shop.client.request(
        method,
        path,
        content=json.dumps(body.sent),  # httpx's own encoder refuses half a character
        headers={"Content-Type": "application/json"},
    )
    if errors:
        assert (response.status_code, response.json()) == (400, errors)
        assert shop.served.rows() == before
    else:
        assert response.status_code == (201 if method == "POST" else 200)
        written = response.json()
        assert body.stored.items() <= written.items()
        assert (await shop.client.get(f"campaigns/{written['id']}/")).json() == written
        if body.stored.get("code"):
            await shop.client.delete(f"campaigns/{written['id']}/")


async def test_put_resets_all_but_the_code(shop: Shop) -> None:
    """A printed link must go on working, so that the code stays; the target goes back to ""."""
    made = await shop.campaign(external_target="https://a.example/")
    replaced = await shop.client.put(f"campaigns/{made['id']}/", json={"description": "Flyer"})
    assert replaced.status_code == 200
    assert replaced.json() == {**made, "description": "Flyer", "external_target": ""}


async def test_put_changes_the_code_when_it_is_sent(shop: Shop) -> None:
    """A code is a field like others for a client that names it."""
    made = await shop.campaign()
    sent = {"description": "Flyer", "code": f"{made['code']}-2"}
    replaced = await shop.client.put(f"campaigns/{made['id']}/", json=sent)
    assert replaced.json() == {**made, **sent}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"description": "Flyer"},
        {"external_target": "https://b.example/"},
        {"code": "patched-1"},
    ],
    ids=lambda sent: ",".join(sent) or "nothing",
)
async def test_patch_changes_what_is_sent(shop: Shop, sent: dict[str, str]) -> None:
    """Fields that are not sent stay as they are; nothing at all is a valid PATCH."""
    made = await shop.campaign(external_target="https://a.example/")
    patched = await shop.client.patch(f"campaigns/{made['id']}/", json=sent)
    assert (patched.status_code, patched.json()) == (200, {**made, **sent})
    assert (await shop.client.get(f"campaigns/{made['id']}/")).json() == {**made, **sent}


async def test_a_deleted_campaign_is_gone(shop: Shop) -> None:
    """DELETE answers 204 with nothing; after it the id is as unknown as any."""
    made = await shop.campaign()
    deleted = await shop.client.delete(f"campaigns/{made['id']}/")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "Content-Length" not in deleted.headers
    again = await shop.client.delete(f"campaigns/{made['id']}/")
    assert (again.status_code, again.json()) == (403, FORBIDDEN)
    assert (await shop.client.get("campaigns/")).json()["count"] == 0


NO_NUMBERS = [
    "x",
    "1.5",
    "0x1",
    "1e3",
    "٣",
    "1_0",
    "-",
    "None",
    "%00",
    "%ff",
    "1%002",
    "a" * 5000,
]
UNKNOWN_NUMBERS = ["0", "-1", "999999", "9223372036854775808", "9" * 5000, "-" + "9" * 30]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_ids_that_are_no_numbers_are_404(shop: Shop, method: str) -> None:
    """Only ASCII digits make a number."""
    with shop.served.unchanged():
        for id in NO_NUMBERS:
            response = await shop.client.request(method, f"campaigns/{id}/")
            assert (response.status_code, response.json()) == (404, {"detail": "Not found."}), id


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_ids_that_the_event_does_not_have_are_403(shop: Shop, method: str) -> None:
    """Of no campaign, of any size, or of another event's: nobody learns which."""
    foreign = await shop.client.post(
        shop.url_of("acme", "winter") + "campaigns/", json={"description": "x"}
    )
    with shop.served.unchanged():
        for id in [*UNKNOWN_NUMBERS, str(foreign.json()["id"])]:
            response = await shop.client.request(
                method, f"campaigns/{id}/", json={"description": "x"}
            )
            assert (response.status_code, response.json()) == (403, FORBIDDEN), id


async def test_the_list_is_the_event_s_by_id(shop: Shop) -> None:
    """Other events' campaigns are not in it."""
    made = [await shop.campaign(), await shop.campaign()]
    await shop.client.post(shop.url_of("acme", "winter") + "campaigns/", json={"description": "x"})
    listed = (await shop.client.get("campaigns/")).json()
    assert listed == {"count": 2, "next": None, "previous": None, "results": made}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("owner", ["slug", "rival"])
async def test_a_code_is_unique_over_all_organizers(shop: Shop, method: str, owner: str) -> None:
    """A taken code is a 400 that says so, whoever has it."""
    code = f"taken-{shop.slug}"
    token = shop.organizer.full if owner == "slug" else shop.organizer.stranger
    await shop.client.post(
        shop.url_of(getattr(shop.organizer, owner), "winter") + "campaigns/",
        json={"description": "x", "code": code},
        headers={"Authorization": f"Token {token}"},
    )
    path = "campaigns/"
    if method != "POST":
        path = f"campaigns/{(await shop.campaign())['id']}/"
    with shop.served.unchanged():
        response = await shop.client.request(method, path, json={"description": "y", "code": code})
    assert (response.status_code, response.json()) == (400, {"code": [DUPLICATE]})


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_taken_code_is_reported_with_all_that_is_wrong(shop: Shop, method: str) -> None:
    """One answer tells everything, so that a client need not try again for the next error."""
    taken = (await shop.campaign())["code"]
    path = "campaigns/"
    if method != "POST":
        path = f"campaigns/{(await shop.campaign())['id']}/"
    with shop.served.unchanged():
        response = await shop.client.request(
            method, path, json={"code": taken, "description": "", "external_target": "ftp://a"}
        )
    assert (response.status_code, response.json()) == (
        400,
        {"code": [DUPLICATE], "description": [BLANK], "external_target": [NO_URL]},
    )


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_its_own_code_is_not_among_the_errors(shop: Shop, method: str) -> None:
    """Nor is the code that is not sent, or null, or of no form, taken."""
    made = await shop.campaign()
    for code, errors in (
        ({"code": made["code"]}, {}),
        ({}, {}),
        ({"code": None}, {"code": [NULL]}),
        ({"code": "a b"}, {"code": [CODE_FORM]}),
    ):
        with shop.served.unchanged():
            response = await shop.client.request(
                method, f"campaigns/{made['id']}/", json={"description": None, **code}
            )
        assert (response.status_code, response.json()) == (400, {"description": [NULL], **errors})


async def test_a_code_in_another_case_is_another(shop: Shop) -> None:
    """Codes are matched exactly."""
    await shop.campaign(code=f"case-{shop.slug}")
    await shop.campaign(code=f"CASE-{shop.slug}")


async def test_a_campaign_may_keep_its_code(shop: Shop) -> None:
    """Its own code is not taken."""
    made = await shop.campaign()
    response = await shop.client.patch(f"campaigns/{made['id']}/", json={"code": made["code"]})
    assert (response.status_code, response.json()) == (200, made)


async def test_one_of_many_gets_a_code(shop: Shop) -> None:
    """Of simultaneous POSTs with one code one is 201, the others 400."""
    sent = {"description": "x", "code": f"race-{shop.slug}"}
    responses = await asyncio.gather(*(shop.client.post("campaigns/", json=sent) for _ in range(8)))
    statuses = sorted(response.status_code for response in responses)
    assert statuses == [201] + [400] * 7
    assert (await shop.client.get("campaigns/")).json()["count"] == 1


async def test_simultaneous_writes_all_happen(shop: Shop) -> None:
    """Writers wait for each other, and lose nothing."""
    await asyncio.gather(*(shop.campaign() for _ in range(20)))
    assert (await shop.client.get("campaigns/")).json()["count"] == 20


async def test_every_write_is_in_the_change_feed(shop: Shop) -> None:
    """Redirectors learn of a new, an edited (under both codes) and a deleted campaign."""
    database = shop.served.database()
    async with database.read() as connection:
        start = await campaigns.last_change(connection)
    first, second = f"feed-{shop.slug}", f"fed-{shop.slug}"
    made = await shop.campaign(code=first)
    await shop.client.patch(f"campaigns/{made['id']}/", json={"code": second})
    await shop.client.delete(f"campaigns/{made['id']}/")
    async with database.read() as connection:
        changes = await campaigns.changes_after(connection, start, 100)
    await database.close()
    assert [change.code for change in changes] == [first, second, first, second]


async def test_counts_show_once_they_are_in_sql(shop: Shop) -> None:
    """`click_count` is people's clicks as of the last flush, and no write changes it."""
    made = await shop.campaign()
    id = made["id"]
    assert isinstance(id, int)
    counts = (
        ClickCount(id, Hour(1), Audience.HUMAN, 3),
        ClickCount(id, Hour(1), Audience.BOT, 50),
    )
    database = shop.served.database()
    async with database.write() as connection:
        await clicks.apply(connection, [Batch(f"batch-{shop.slug}", 1, 1, counts)])
    await database.close()
    assert (await shop.client.get(f"campaigns/{id}/")).json()["click_count"] == 3
    replaced = await shop.client.put(
        f"campaigns/{id}/", json={"description": "x", "click_count": 0}
    )
    assert replaced.json()["click_count"] == 3

"""Organizers and events: which slugs, made once, and shops that move."""

import time

import pytest

from dashboard.addresses import event_address, slug_of
from tests.tracking.older_schema import make_database
from tracking import campaigns, clicks, organizers
from tracking.database import Database
from tracking.errors import InvalidNameError
from tracking.organizers import Event
from tracking.settings import Settings
from tracking.urls import InvalidUrlError
from tracking.window import Window

GOOD_SLUGS = {
    "one letter": "a",
    "one digit": "7",
    "dots, dashes and underscores": "a.b-c_d",
    "capitals": "ACME",
    "longest": "a" * 50,
}

BAD_SLUGS = {
    "empty": "",
    "too long": "a" * 51,
    "dot": ".",
    "two dots": "..",
    "dash first": "-a",
    "underscore first": "_a",
    "slash": "a/b",
    "space": "a b",
    "line break at the end": "acme\n",
    "umlaut": "käse",
    "digits of another script": "١٢",
    "percent": "a%20b",
    "lone surrogate": "\udcff",
}


@pytest.mark.parametrize("slug", GOOD_SLUGS.values(), ids=GOOD_SLUGS)
async def test_a_good_slug_names_both(database: Database, slug: str) -> None:
    """The same form is good for organizers and events."""
    async with database.write() as connection:
        event = await organizers.ensure_event(connection, slug, slug)
    assert (event.organizer, event.slug, event.shop_url) == (slug, slug, "")


@pytest.mark.parametrize("slug", BAD_SLUGS.values(), ids=BAD_SLUGS)
async def test_a_bad_slug_names_neither(database: Database, slug: str) -> None:
    """What does not fit into a path to the letter is refused, and nothing is made."""
    async with database.write() as connection:
        with pytest.raises(InvalidNameError):
            await organizers.ensure_event(connection, slug, "summer")
        with pytest.raises(InvalidNameError):
            await organizers.ensure_event(connection, "acme", slug)
        assert not await organizers.any_organizer(connection)


async def test_an_event_is_made_once(database: Database, event: Event) -> None:
    """Asked again, the same event comes back."""
    async with database.write() as connection:
        assert await organizers.ensure_event(connection, "acme", "summer") == event
    async with database.read() as connection:
        assert await organizers.find_event(connection, "acme", "summer") == event


async def test_a_second_event_joins_its_organizer(database: Database, event: Event) -> None:
    """An organizer is made once, too."""
    async with database.write() as connection:
        winter = await organizers.ensure_event(connection, "acme", "winter")
        assert await organizers.find_organizer(connection, "acme") == event.organizer_id
    assert winter.organizer_id == event.organizer_id
    assert winter.id != event.id


async def test_events_of_two_organizers_may_share_a_slug(
    event: Event, foreign_event: Event
) -> None:
    """An event's slug is unique within its organizer only."""
    assert event.slug == foreign_event.slug
    assert event.id != foreign_event.id
    assert event.organizer_id != foreign_event.organizer_id


@pytest.mark.usefixtures("event")
async def test_what_is_unknown_is_not_found(database: Database) -> None:
    """Slugs are matched exactly, case and all."""
    async with database.read() as connection:
        assert await organizers.find_event(connection, "acme", "Summer") is None
        assert await organizers.find_event(connection, "ACME", "summer") is None
        assert await organizers.find_organizer(connection, "ACME") is None


async def test_any_organizer_tells_a_first_start(database: Database) -> None:
    """An empty database has none."""
    async with database.write() as connection:
        assert not await organizers.any_organizer(connection)
        await organizers.ensure_event(connection, "acme", "summer")
        assert await organizers.any_organizer(connection)


async def test_a_shop_stays_until_it_is_moved(database: Database) -> None:
    """None leaves the shop's URL as it is; "" goes back to the setting."""
    steps = [
        ("https://shop.example/", "https://shop.example/"),
        (None, "https://shop.example/"),
        ("https://new.example/", "https://new.example/"),
        ("", ""),
    ]
    async with database.write() as connection:
        for given, stored in steps:
            event = await organizers.ensure_event(connection, "acme", "summer", given)
            assert event.shop_url == stored


async def test_a_bad_shop_is_refused(database: Database) -> None:
    """Visitors are sent to it: it is checked like a campaign's target, before anything is made."""
    async with database.write() as connection:
        with pytest.raises(InvalidUrlError):
            await organizers.ensure_event(connection, "acme", "summer", "javascript:alert(1)")
        assert not await organizers.any_organizer(connection)


async def test_a_moved_shop_changes_the_links_that_lead_there(
    database: Database, event: Event, foreign_event: Event
) -> None:
    """The codes of the event's campaigns without a target go into the feed, and no others."""
    async with database.write() as connection:
        for event_id, code, target in (
            (event.id, "poster", ""),
            (event.id, "flyer", ""),
            (event.id, "elsewhere", "https://elsewhere.example/"),
            (foreign_event.id, "foreign", ""),
        ):
            await campaigns.create(
                connection, event_id, description=code, external_target=target, code=code
            )
        before = await campaigns.last_change(connection)
        await organizers.ensure_event(connection, "acme", "summer", "https://shop.example/")
        moved = await campaigns.changes_after(connection, before, 10)
        assert sorted(change.code for change in moved) == ["flyer", "poster"]
    [link] = await campaigns.find_links(database, ["poster"])
    assert link.shop_url == "https://shop.example/"


async def test_a_shop_that_stays_changes_no_link(database: Database, event: Event) -> None:
    """A command that is repeated tells the redirectors nothing."""
    async with database.write() as connection:
        await organizers.ensure_event(connection, "acme", "summer", "https://shop.example/")
        await campaigns.create(connection, event.id, description="poster")
        before = await campaigns.last_change(connection)
        await organizers.ensure_event(connection, "acme", "summer", "https://shop.example/")
        await organizers.ensure_event(connection, "acme", "summer")
        assert await campaigns.last_change(connection) == before


async def test_facts_are_those_of_its_zone(database: Database) -> None:
    """A date that names no zone is in the event's, in the one that is told with it before all."""
    steps = [
        (organizers.EventDetails(date_from="2027-06-01"), "UTC", 1_811_808_000),
        (organizers.EventDetails(timezone="Asia/Tokyo"), "Asia/Tokyo", 1_811_808_000),
        (organizers.EventDetails(date_from="2027-06-01"), "Asia/Tokyo", 1_811_775_600),
        (organizers.EventDetails(timezone="", date_from="2027-06-01"), "UTC", 1_811_808_000),
    ]
    async with database.write() as connection:
        for details, zone, start in steps:
            event = await organizers.ensure_event(connection, "acme", "summer", details=details)
            assert (event.timezone, event.date_from) == (zone, start)


async def test_the_start_is_when_it_was_made_until_it_is_known(database: Database) -> None:
    """And again, once it is taken back."""
    before = time.time()
    async with database.write() as connection:
        made = await organizers.ensure_event(connection, "acme", "summer")
        assert before <= made.created_at == made.date_from <= time.time()
        for date_from in ("2027-06-01", ""):
            details = organizers.EventDetails(date_from=date_from)
            event = await organizers.ensure_event(connection, "acme", "summer", details=details)
            assert event.created_at == made.created_at
    assert event == made


async def test_a_name_is_found_until_it_is_taken_back(database: Database) -> None:
    """What is searched follows what is shown; the slug is always found."""
    async with database.write() as connection:
        for name, found in (("Frühling", 1), (None, 1), ("Lenz", 0), ("", 0)):
            event = await organizers.ensure_event(connection, "acme", "summer", name=name)
            for search, number in (("FRÜH", found), ("UMM", 1)):
                counted = await organizers.count_events(
                    connection, event.organizer_id, search=search
                )
                assert counted == number, (name, search)


async def test_what_was_there_before_has_every_fact(settings: Settings) -> None:
    """Events of an older schema were made, as far as is known, when it was brought up to date."""
    old = await make_database(
        settings,
        "0005",
        (
            "INSERT INTO organizers VALUES (1, 'acme', NULL)",
            "INSERT INTO events VALUES (1, 1, 'summer', '', NULL)",
            """INSERT INTO events VALUES (2, 1, 'winter', '', '{"en": "Älpler"}')""",
        ),
    )
    before = time.time()
    await old.migrate()
    async with old.read() as connection:
        listed = await organizers.list_events(connection, 1, Window(0, 9))
        found = await organizers.list_events(connection, 1, Window(0, 9), search="älp")
    await old.close()
    assert [(each.slug, each.currency, each.timezone) for each in listed] == [
        ("summer", "EUR", "UTC"),
        ("winter", "EUR", "UTC"),
    ]
    for event in listed:
        assert before <= event.created_at == event.date_from <= time.time()
        assert event.date_to is None
    assert [event.slug for event in found] == ["winter"]


async def test_a_reserved_word_from_before_stays(settings: Settings) -> None:
    """An organizer of an older database keeps its slug, since its links are printed; its events
    can be made and changed, and it has dashboard addresses apart."""
    database = await make_database(
        settings, "0008", ["INSERT INTO organizers (slug) VALUES ('settings')"]
    )
    await database.migrate()
    async with database.write() as connection:
        event = await organizers.ensure_event(connection, "settings", "fest")
        with pytest.raises(InvalidNameError, match="can't be an organizer"):
            await organizers.ensure_event(connection, "shared", "fest")
    await database.close()
    assert event_address(event) == "/~settings/fest/"
    assert slug_of("~settings") == "settings"
    assert slug_of("settings") == slug_of("~acme") == ""
    assert slug_of("acme") == "acme"


async def test_an_older_databases_hours_are_summed(settings: Settings) -> None:
    """Events have the sums of what their campaigns were clicked before."""
    database = await make_database(
        settings,
        "0008",
        [
            "INSERT INTO organizers (slug) VALUES ('acme')",
            "INSERT INTO events (organizer_id, slug, shop_url) VALUES (1, 'fest', '')",
            "INSERT INTO campaigns VALUES (1, 1, 'a', 'A', '', 0, 5), (2, 1, 'b', 'B', '', 0, 7)",
            "INSERT INTO click_hours VALUES (1, 9, 'human', 5), (2, 9, 'human', 7)",
            "INSERT INTO click_hours VALUES (2, 9, 'bot', 1)",
        ],
    )
    await database.migrate()
    async with database.read() as connection:
        rows = await connection.exec_driver_sql("SELECT * FROM event_hours ORDER BY audience")
        assert list(map(tuple, rows)) == [(1, 9, "bot", 1), (1, 9, "human", 12)]
        assert await clicks.audit_hours(connection) == []
    await database.close()

"""The `waymark` command, as an operator calls it."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from redirector.commands.cli import main
from redirector.counters.keys import keys_of
from redirector.journal.directory import path_of
from redirector.journal.file import JournalFile, write_abandoned
from redirector.journal.format import header
from redirector.journal.records import Record
from tests.redis_server import RedisServer
from tracking import __version__
from tracking.cli import app
from tracking.settings import Settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str


Waymark = Callable[..., Outcome]


@pytest.fixture
def waymark(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Waymark]:
    """Runs the command with these arguments, on the test's own data directory."""
    assert settings.data_dir.is_dir()
    umask = os.umask(0o022)

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["waymark", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    yield run
    os.umask(umask)


@pytest.fixture
def summer(waymark: Waymark) -> None:
    """The event `summer` of the organizer `acme`."""
    assert waymark("event", "create", "acme", "summer").status == 0


@pytest.fixture
def sql(settings: Settings) -> Iterator[sqlite3.Connection]:
    """Another program's connection to the database."""
    path = settings.data_dir / "waymark.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def test_an_event_is_created_once(waymark: Waymark) -> None:
    """The command says what is there, and does no harm when it is repeated."""
    for _ in range(2):
        outcome = waymark("event", "create", "acme", "summer")
        assert outcome == Outcome(
            0, "event acme/summer, ticket shop: the one that SHOP_URL names\n", ""
        )


@pytest.mark.usefixtures("summer")
def test_a_shop_moves_and_stays(waymark: Waymark) -> None:
    """`--shop-url` sets the shop, leaving it out keeps it, and "" takes it back."""
    steps = [
        (["--shop-url", "https://shop.example/"], "https://shop.example/"),
        ([], "https://shop.example/"),
        (["--shop-url", ""], "the one that SHOP_URL names"),
    ]
    for arguments, shop in steps:
        outcome = waymark("event", "create", "acme", "summer", *arguments)
        assert outcome == Outcome(0, f"event acme/summer, ticket shop: {shop}\n", "")


def test_names_are_given_and_stay(waymark: Waymark, sql: sqlite3.Connection) -> None:
    """`--name` and `--organizer-name` set them, leaving them out keeps them, "" takes them back."""
    steps = [
        (["--name", "Summer", "--organizer-name", "Acme"], [('{"en": "Summer"}', "Acme")]),
        ([], [('{"en": "Summer"}', "Acme")]),
        (["--name", "", "--organizer-name", ""], [(None, None)]),
    ]
    waymark("event", "create", "acme", "winter")
    for arguments, names in steps:
        assert waymark("event", "create", "acme", "summer", *arguments).status == 0
        query = "SELECT events.name, organizers.name FROM events JOIN organizers WHERE events.slug"
        assert sql.execute(f"{query} = 'summer'").fetchall() == names
        assert sql.execute(f"{query} = 'winter'").fetchall()[0][0] is None


def test_facts_of_an_event_are_told_and_stay(waymark: Waymark, sql: sqlite3.Connection) -> None:
    """Dates without a zone are in the event's; what is left out stays, "" takes it back."""
    told = ["--timezone", "Europe/Berlin", "--currency", "chf"]
    told += ["--date-from", "2027-12-27T10:00", "--date-to", "2027-12-30"]
    taken_back = [word for name in told[::2] for word in (name, "")]
    facts = ("Europe/Berlin", "CHF", 1_829_898_000.0, 1_830_121_200.0)
    query = "SELECT timezone, currency, date_from, date_to, created_at FROM events"
    for arguments, expected in ((told, facts), ([], facts), (taken_back, ("UTC", "EUR"))):
        assert waymark("event", "create", "acme", "summer", *arguments).status == 0
        [row] = sql.execute(query).fetchall()
        assert row[: len(expected)] == expected
    assert row[2:4] == (row[4], None)


@pytest.mark.usefixtures("summer")
def test_a_token_is_all_that_is_printed(waymark: Waymark) -> None:
    """Standard output is the token alone, so that a script can catch it."""
    outcome = waymark("token", "create", "acme")
    assert (outcome.status, outcome.err) == (0, "")
    assert re.fullmatch("[0-9a-f]{64}\n", outcome.out)


@pytest.mark.usefixtures("summer")
def test_tokens_are_listed_without_their_secrets(waymark: Waymark, sql: sqlite3.Connection) -> None:
    """The table says what each token allows, and nothing that could be used as one."""
    waymark("event", "create", "acme", "winter")
    waymark("event", "create", "zenith", "summer")
    made = [
        waymark("token", "create", "acme"),
        waymark(
            *("token", "create", "acme", "--event", "winter", "--event", "summer"),
            *("--name", "Box Öl", "--expires", "2099-12-31"),
        ),
        waymark("token", "create", "acme", "--read-only", "--event", "summer"),
        waymark("token", "create", "zenith"),
    ]
    sql.execute("UPDATE tokens SET created_at = 1767225600 + id")
    sql.execute("INSERT INTO token_uses VALUES (2, 1769904000)")
    assert waymark("token", "revoke", "3") == Outcome(0, "token 3 is revoked\n", "")
    listed = waymark("token", "list", "acme")
    assert listed == Outcome(
        0,
        "id  name    events          access      created               last used             "
        "expires               revoked\n"
        "1   -       all             read-write  2026-01-01T00:00:01Z  -                     "
        "-                     -\n"
        "2   Box Öl  summer, winter  read-write  2026-01-01T00:00:02Z  2026-02-01T00:00:00Z  "
        "2100-01-01T00:00:00Z  -\n"
        "3   -       summer          read-only   2026-01-01T00:00:03Z  -                     "
        "-                     revoked\n",
        "",
    )
    digests = [digest for (digest,) in sql.execute("SELECT digest FROM tokens")]
    assert len(digests) == len(made)
    for secret in [*digests, *(outcome.out.strip() for outcome in made)]:
        assert secret not in listed.out


@pytest.mark.usefixtures("summer")
def test_an_organizer_without_tokens_has_an_empty_table(waymark: Waymark) -> None:
    """The table's head is there all the same."""
    assert waymark("token", "list", "acme").out == (
        "id  name  events  access  created  last used  expires  revoked\n"
    )


# Arguments, and the one line they lead to.
FAILURES = {
    "token of an unknown organizer": (
        ["token", "create", "zenith"],
        "there is no organizer zenith",
    ),
    "token of an unknown event": (
        ["token", "create", "acme", "--event", "summer", "--event", "winter"],
        "organizer acme has no event winter",
    ),
    "list of an unknown organizer": (["token", "list", "zenith"], "there is no organizer zenith"),
    "unknown token": (["token", "revoke", "7"], "there is no token 7"),
    "highest id": (["token", "revoke", str(2**63 - 1)], f"there is no token {2**63 - 1}"),
    "no slug": (["event", "create", "acme", "../x"], "'../x' is no slug"),
    "no UTF-8": (["event", "create", "acme", "\udcff"], "'\\udcff' is no slug"),
    "no URL": (
        ["event", "create", "acme", "winter", "--shop-url", "shop.example"],
        "Enter a valid URL: it must start with http:// or https://.",
    ),
    "no host in ASCII": (
        ["event", "create", "acme", "winter", "--shop-url", "https://\u0378.example/"],
        "Enter a valid URL: the host is missing or wrong.",
    ),
    "shop that is a tracking link": (
        ["event", "create", "acme", "summer", "--shop-url", "http://localhost:8000/a/b/c/d/"],
        "This target is a tracking link itself.",
    ),
    "a token that ended": (
        ["token", "create", "acme", "--expires", "2026-01-01"],
        "'2026-01-01' is past",
    ),
    "a token that ends sometime": (
        ["token", "create", "acme", "--expires", "soon"],
        "'soon' is no date, time or duration",
    ),
    "no time zone": (
        ["event", "create", "acme", "winter", "--timezone", "Europe/Nowhere"],
        "'Europe/Nowhere' is no time zone",
    ),
    "a file beside the time zones": (
        ["event", "create", "acme", "winter", "--timezone", "../../etc/passwd"],
        "'../../etc/passwd' is no time zone",
    ),
    "no currency": (
        ["event", "create", "acme", "winter", "--currency", "Euro"],
        "'Euro' is no currency: three letters",
    ),
    "no date": (
        ["event", "create", "acme", "winter", "--date-from", "27.12.2027"],
        "'27.12.2027' is no date or time",
    ),
    "an end before the start": (
        [
            "event",
            "create",
            "acme",
            "summer",
            "--date-from",
            "2027-12-27",
            "--date-to",
            "2027-12-26",
        ],
        "the event would end 2027-12-26T00:00:00Z, and start 2027-12-27T00:00:00Z",
    ),
}


@pytest.mark.parametrize(("arguments", "line"), FAILURES.values(), ids=FAILURES)
@pytest.mark.usefixtures("summer")
def test_a_failure_is_one_line(
    waymark: Waymark, sql: sqlite3.Connection, arguments: list[str], line: str
) -> None:
    """What can't be done is said in one line, with exit status 1, and nothing is written."""
    before = list(sql.iterdump())
    outcome = waymark(*arguments)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith(f"waymark: {line}")
    assert outcome.err.count("\n") == 1
    assert list(sql.iterdump()) == before


# Arguments that can't be meant, and the one that the message names.
MISUSES = {
    "id no number": (["token", "revoke", "first"], "ID"),
    "id too high": (["token", "revoke", str(2**63)], "ID"),
    "id 0": (["token", "revoke", "0"], "ID"),
    "name with a line break": (["token", "create", "acme", "--name", "a\nb"], "--name"),
    "name with a terminal's control": (["token", "create", "acme", "--name", "\x1b[2J"], "--name"),
    "name not UTF-8": (["token", "create", "acme", "--name", "\udcff"], "--name"),
    "event not UTF-8": (["token", "create", "acme", "--event", "\udcff"], "--event"),
    "organizer not UTF-8": (["token", "list", "\udcff"], "ORGANIZER"),
}


@pytest.mark.parametrize(("arguments", "named"), MISUSES.values(), ids=MISUSES)
@pytest.mark.usefixtures("summer")
def test_a_misuse_is_explained(
    waymark: Waymark, sql: sqlite3.Connection, arguments: list[str], named: str
) -> None:
    """An argument that can't be meant is named, with exit status 2, and nothing is written."""
    before = list(sql.iterdump())
    outcome = waymark(*arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert f"Invalid value for '{named}'" in outcome.err
    assert list(sql.iterdump()) == before


def test_what_a_command_makes_is_private(
    waymark: Waymark, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In DATA_DIR and elsewhere, whatever the shell's umask."""
    assert waymark("migrate").status == 0
    elsewhere = tmp_path / "elsewhere" / "links.db"
    elsewhere.parent.mkdir()
    elsewhere.parent.chmod(0o755)
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{elsewhere}")
    assert waymark("migrate").status == 0
    for file in (settings.data_dir / "waymark.db", elsewhere):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(elsewhere.parent.stat().st_mode) == 0o755


def test_a_database_that_is_a_link_is_refused(
    waymark: Waymark, settings: Settings, tmp_path: Path
) -> None:
    """Nothing is made where it leads to."""
    (settings.data_dir / "waymark.db").symlink_to(tmp_path / "victim")
    outcome = waymark("migrate")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith(
        f"waymark: {settings.data_dir}/waymark.db is a symbolic link, which is not followed"
    )
    assert not (tmp_path / "victim").exists()


def test_migrate_makes_the_schema(waymark: Waymark, sql: sqlite3.Connection) -> None:
    """After `waymark migrate` the tables are there; again, it changes nothing."""
    for _ in range(2):
        assert waymark("migrate") == Outcome(0, "the database's schema is up to date\n", "")
        assert sql.execute("SELECT count(*) FROM campaigns").fetchone() == (0,)


WRITER = "f" * 32
NOTHING_WAITS = "0 clicks in journals are not in SQL yet\n0 clicks in Redis are not in SQL yet\n"


@pytest.fixture
def redis_url(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The Redis that the command is told of."""
    monkeypatch.setenv("REDIS_URL", redis.url)
    return redis.url


@pytest.mark.usefixtures("summer", "redis_url")
def test_the_audit_tells_how_many_agree(waymark: Waymark, sql: sqlite3.Connection) -> None:
    """Counts that agree are status 0; each that differs is a line, and status 1."""
    assert waymark("audit") == Outcome(
        0,
        "0 clicks were moved into SQL by 0 entries of the ledger; the hourly rows hold as many\n"
        "the counts of all 0 campaigns agree\n" + NOTHING_WAITS,
        "",
    )
    for code in ("poster", "flyer", "banner"):
        sql.execute(
            "INSERT INTO campaigns (event_id, code, description, external_target, order_count, "
            "click_count) VALUES (1, ?, '', '', 0, 2)",
            [code],
        )
    sql.execute("INSERT INTO click_hours SELECT id, 7, 'human', 2 FROM campaigns")
    sql.execute("INSERT INTO event_hours VALUES (1, 7, 'human', 6)")
    sql.execute("INSERT INTO tallies VALUES (1, 'campaign', 3)")
    sql.execute("INSERT INTO writers VALUES ('one', 1, 0, 2, 0), ('two', 1, 0, 4, 0)")
    assert waymark("audit") == Outcome(
        0,
        "6 clicks were moved into SQL by 2 entries of the ledger; the hourly rows hold as many\n"
        "the counts of all 3 campaigns agree\n" + NOTHING_WAITS,
        "",
    )
    sql.execute("UPDATE campaigns SET click_count = 5 WHERE code = 'poster'")
    sql.execute("DELETE FROM click_hours WHERE campaign_id = 3")
    sql.execute("UPDATE campaigns SET order_count = 1 WHERE code = 'flyer'")
    sql.execute("UPDATE tallies SET amount = 4")
    sql.execute("INSERT INTO tallies VALUES (1, 'add-on category', 1)")
    sql.execute("INSERT INTO categories VALUES (1, 1, '{}', NULL, NULL, 0, 0)")
    assert waymark("audit") == Outcome(
        1,
        "poster: click_count is 5, its hourly rows add up to 2\n"
        "banner: click_count is 2, its hourly rows add up to 0\n"
        "acme/summer: 1 of its hours are not the sums of its campaigns' rows\n"
        "flyer: order_count is 1, it has 0 orders\n"
        "acme/summer: its tally of the kind add-on category is 1, it has 0\n"
        "acme/summer: its tally of the kind campaign is 4, it has 3\n"
        "acme/summer: its tally of the kind category is 0, it has 1\n"
        "6 clicks were moved into SQL by 2 entries of the ledger; the hourly rows hold 4\n"
        + NOTHING_WAITS,
        "",
    )


@pytest.mark.usefixtures("summer", "redis_url")
def test_a_ledger_that_disagrees_fails_the_audit(waymark: Waymark, sql: sqlite3.Connection) -> None:
    """Clicks that no batch brought are found even where every sum agrees."""
    sql.execute(
        "INSERT INTO campaigns (event_id, code, description, external_target, order_count, "
        "click_count) VALUES (1, 'poster', '', '', 0, 2)"
    )
    sql.execute("INSERT INTO tallies VALUES (1, 'campaign', 1)")
    sql.execute("INSERT INTO click_hours SELECT id, 7, 'human', 2 FROM campaigns")
    sql.execute("INSERT INTO event_hours VALUES (1, 7, 'human', 2)")
    outcome = waymark("audit")
    assert outcome.status == 1
    assert outcome.out.startswith(
        "0 clicks were moved into SQL by 0 entries of the ledger; the hourly rows hold 2\n"
    )


@pytest.mark.usefixtures("summer")
def test_the_audit_tells_what_is_on_its_way(
    waymark: Waymark,
    sql: sqlite3.Connection,
    settings: Settings,
    redis: RedisServer,
    redis_url: str,
) -> None:
    """Clicks in Redis and on disk, without those that SQL has already."""
    state, opened, sealed = keys_of(WRITER)
    with redis.client() as client:
        client.hset(state, mapping={"number": 5, "first": 5, "version": 1})
        client.hset(opened, mapping={"1:500000:human": 5})
        client.rpush(sealed, "1-3-1", "4-4-1")
        client.hset(f"{sealed}:1-3-1", mapping={"1:500000:human": 3})
        client.hset(f"{sealed}:4-4-1", mapping={"1:500000:bot": 2})
    sql.execute("INSERT INTO writers VALUES (?, 3, 0, 0, NULL)", [WRITER])
    leave_journal(settings, record(3, 3), record(4, 2), record(5, 5), record(6, 11))
    assert waymark("audit").out.splitlines()[-2:] == [
        "18 clicks in journals are not in SQL yet",
        "7 clicks in Redis are not in SQL yet",
    ]


def record(number: int, clicks: int) -> Record:
    """A record of a journal."""
    return Record(number, number, {"1:500000:human": clicks})


def leave_journal(settings: Settings, *records: Record, writer: str = WRITER) -> Path:
    """A journal that a process left when it ended; where."""
    path = path_of(settings.journal_dir, writer)
    write_abandoned(path, writer, records)
    return path


@pytest.mark.usefixtures("summer")
def test_the_audit_without_redis(waymark: Waymark, settings: Settings) -> None:
    """SQL is checked all the same, and what waits on disk is told."""
    leave_journal(settings, record(5, 11))
    outcome = waymark("audit")
    assert outcome.status == 0
    assert outcome.out.splitlines()[-2:] == [
        "11 clicks in journals are not in SQL yet",
        "Redis does not run: what waits there can't be told",
    ]


@pytest.mark.usefixtures("summer", "redis_url")
def test_the_audit_without_journals(waymark: Waymark, settings: Settings) -> None:
    """Redis is asked all the same."""
    settings.journal_dir.write_text("a file")
    said = waymark("audit").out.splitlines()[-2:]
    assert said[0].startswith("what waits on disk can't be told: ")
    assert said[1] == "0 clicks in Redis are not in SQL yet"


@pytest.mark.usefixtures("summer")
def test_journals_are_listed(waymark: Waymark, sql: sqlite3.Connection, settings: Settings) -> None:
    """Each with what it holds that SQL has not, and whether its process lives."""
    assert waymark("journal") == Outcome(0, "no clicks wait on disk\n", "")
    left = leave_journal(settings, record(1, 1), record(2, 8), record(3, 1))
    sql.execute("INSERT INTO writers VALUES (?, 1, 0, 0, NULL)", [WRITER])
    finished = leave_journal(settings, record(1, 1), writer="c" * 32)
    sql.execute("INSERT INTO writers VALUES (?, 1, 0, 0, NULL)", ["c" * 32])
    owned = JournalFile.create(path_of(settings.journal_dir, "b" * 32), "b" * 32)
    assert waymark("journal").out.splitlines() == [
        "writer                            records  clicks  owner",
        f"{'b' * 32}  0        0       a running process",
        f"{'f' * 32}  2        9       none: a redirector will take it over",
    ]
    owned.remove()
    left.unlink()
    finished.unlink()
    assert waymark("journal") == Outcome(0, "no clicks wait on disk\n", "")


@pytest.mark.usefixtures("summer", "redis_url")
def test_journals_are_sent(waymark: Waymark, sql: sqlite3.Connection, settings: Settings) -> None:
    """By hand, where no redirector runs that would; then they are gone, and the counts agree."""
    sql.execute(
        "INSERT INTO campaigns (id, event_id, code, description, external_target, order_count, "
        "click_count) VALUES (1, 1, 'news', '', '', 0, 0)"
    )
    left = leave_journal(settings, record(1, 4), record(2, 7))
    assert waymark("journal", "send") == Outcome(
        0, "11 clicks of ended processes are in SQL now\n", ""
    )
    assert sql.execute("SELECT click_count FROM campaigns").fetchall() == [(11,)]
    assert not left.exists()
    assert waymark("journal", "send").out == "0 clicks of ended processes are in SQL now\n"


@pytest.mark.usefixtures("summer")
def test_without_redis_nothing_is_sent(waymark: Waymark, settings: Settings) -> None:
    """It says so, and all is still there."""
    left = leave_journal(settings, record(1, 4))
    sent = waymark("journal", "send", "--seconds", "0.5")
    assert sent.status == 1
    assert "nothing was lost" in sent.err
    assert left.exists()


@pytest.fixture
def strangers(settings: Settings, tmp_path: Path) -> list[str]:
    """Files that are called journals, and are none; what is said of them."""
    directory = settings.journal_dir
    directory.mkdir()
    secret = tmp_path / "secret"
    secret.write_bytes(header("c" * 32, 1000))
    (directory / "a-foreign.journal").write_bytes(b"hello")
    later = header("b" * 32, 1000).replace(b"journal 2", b"journal 3")
    (directory / "b-later.journal").write_bytes(later)
    (directory / "c-link.journal").symlink_to(secret)
    (directory / "d-folder.journal").mkdir()
    os.mkfifo(directory / "e-pipe.journal")
    return [
        f"{directory}/a-foreign.journal is left alone: it is no journal",
        f"{directory}/b-later.journal is left alone: it has version 3, this program knows 2",
        f"{directory}/c-link.journal is left alone: Too many levels of symbolic links",
        f"{directory}/d-folder.journal is left alone: it is no file",
        f"{directory}/e-pipe.journal is left alone: it is no file",
    ]


@pytest.mark.usefixtures("summer", "redis_url")
def test_what_is_no_journal_is_told_as_that(
    waymark: Waymark, settings: Settings, strangers: list[str]
) -> None:
    """Neither the list nor the audit fails for it, and what waits beside it is told."""
    leave_journal(settings, record(1, 7))
    listed = waymark("journal")
    assert (listed.status, listed.out.splitlines()[2:]) == (0, strangers)
    audited = waymark("audit")
    assert (audited.status, audited.err) == (0, "")
    assert audited.out.splitlines()[-7:-1] == [
        "7 clicks in journals are not in SQL yet",
        *strangers,
    ]


# What only makes sense where there is a database.
READING = {
    "audit": ["audit"],
    "journal": ["journal"],
    "journal send": ["journal", "send"],
    "token list": ["token", "list", "acme"],
    "token create": ["token", "create", "acme"],
    "token revoke": ["token", "revoke", "1"],
}


@pytest.mark.parametrize("arguments", READING.values(), ids=READING)
def test_a_wrong_directory_is_refused(
    waymark: Waymark, settings: Settings, arguments: list[str]
) -> None:
    """Where there is no database none is made, and the settings that choose it are named."""
    outcome = waymark(*arguments)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == (
        f"waymark: there is no database {settings.data_dir}/waymark.db "
        "(settings DATA_DIR and DATABASE_URL)\n"
    )
    assert list(settings.data_dir.iterdir()) == []


@pytest.mark.parametrize("arguments", READING.values(), ids=READING)
def test_a_missing_directory_is_not_made(
    waymark: Waymark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Nor is the one that it would be in."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "elsewhere"))
    assert waymark(*arguments).status == 1
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("arguments", READING.values(), ids=READING)
def test_another_programs_database_is_refused(
    waymark: Waymark, sql: sqlite3.Connection, settings: Settings, arguments: list[str]
) -> None:
    """An empty file, and one with tables of somebody else's, stay what they are."""
    file = settings.data_dir / "waymark.db"
    for statement in (None, "CREATE TABLE recipes (name)"):
        if statement is None:
            file.touch()
        else:
            sql.execute(statement)
        before = file.read_bytes()
        outcome = waymark(*arguments)
        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.err == f"waymark: {file} is no database of Waymark's\n"
        assert file.read_bytes() == before


@pytest.mark.usefixtures("summer")
def test_a_locked_database_is_one_line(waymark: Waymark, sql: sqlite3.Connection) -> None:
    """While another program keeps the lock, a command that writes gives up; a reading one works."""
    sql.execute("BEGIN IMMEDIATE")
    assert waymark("event", "create", "acme", "winter") == Outcome(
        1, "", "waymark: database is locked\n"
    )
    assert waymark("token", "list", "acme").status == 0


def test_an_unusable_directory_is_one_line(
    waymark: Waymark, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where no directory can be made, the operator is told which, and which setting chose it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "file" / "var"))
    outcome = waymark("migrate")
    assert (outcome.status, outcome.out) == (1, "")
    assert re.fullmatch(r"waymark: can't write to .*/file/var: .* \(DATA_DIR\)\n", outcome.err)


def test_help_names_the_commands(waymark: Waymark) -> None:
    """`--help` lists what there is."""
    outcome = waymark("--help")
    assert outcome.status == 0
    for command in ("event", "token", "migrate", "audit", "journal"):
        assert re.search(f"^  {command} ", outcome.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("environment", "status", "out", "err"),
    [
        ({}, 0, ["the database's schema is up to date"], []),
        (
            {"API_PORT": "http", "FLUSH_INTERVAL": "0"},
            2,
            [],
            ["waymark: API_PORT: ", "waymark: FLUSH_INTERVAL: "],
        ),
    ],
    ids=["right settings", "wrong settings"],
)
def test_the_module_is_a_program(
    tmp_path: Path, environment: dict[str, str], status: int, out: list[str], err: list[str]
) -> None:
    """As a process of its own it ends with the status, and wrong settings are a line each."""
    ended = subprocess.run(
        [sys.executable, "-m", "redirector.commands.cli", "migrate"],
        env={"DATA_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == status
    assert ended.stdout.splitlines() == out
    lines = ended.stderr.splitlines()
    assert len(lines) == len(err)
    assert all(line.startswith(start) for line, start in zip(lines, err, strict=True))


@pytest.mark.usefixtures("summer")
def test_writes_of_tokens_are_logged(waymark: Waymark, caplog: pytest.LogCaptureFixture) -> None:
    """Which, whose and for what, and who did it; never the token, nor anything for a list."""

    def taken() -> list[str]:
        lines = [each.getMessage() for each in caplog.records if each.name == "tracking.changelog"]
        caplog.clear()
        return lines

    who = f"command line of user {os.getuid()}: "
    created = waymark("token", "create", "acme", "--name", "shop")
    assert taken() == [f"{who}made token 1 'shop' of acme: all events, read-write"]
    scope = ("--event", "summer", "--read-only", "--expires", "2099-12-31")
    waymark("token", "create", "acme", *scope)
    end = "2100-01-01T00:00:00Z"
    assert taken() == [f"{who}made token 2 '' of acme: events summer, read-only, until {end}"]
    waymark("token", "revoke", "1")
    assert taken() == [f"{who}revoked token 1 'shop' of acme: all events, read-write"]
    assert waymark("token", "revoke", "99").status == 1
    assert created.out.strip() not in waymark("token", "list", "acme").out
    assert taken() == []


def test_the_log_of_changes_is_on_standard_error(settings: Settings) -> None:
    """Of what a command does nothing else is, and standard output has the token alone."""
    for arguments in (["event", "create", "acme", "summer"], ["token", "create", "acme"]):
        command = [sys.executable, "-m", "redirector.commands.cli", *arguments]
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "DATA_DIR": str(settings.data_dir)},
        )
    assert re.fullmatch(r"[0-9a-f]{64}\n", ended.stdout)
    assert re.fullmatch(
        rf".* INFO tracking\.changelog: command line of user {os.getuid()}: "
        r"made token 1 '' of acme: all events, read-write\n",
        ended.stderr,
    )


def test_the_version_is_shown(waymark: Waymark) -> None:
    """It is all that `--version` prints."""
    assert waymark("--version") == Outcome(0, f"waymark {__version__}\n", "")


def commands(group: typer.Typer, *path: str) -> list[tuple[str, ...]]:
    """The words of a command, and of all below it."""
    found = [path]
    for command in group.registered_commands:
        assert command.callback is not None
        found.append((*path, command.name or command.callback.__name__))
    for below in group.registered_groups:
        assert below.typer_instance is not None
        assert below.name is not None
        found += commands(below.typer_instance, *path, below.name)
    return found


@pytest.mark.parametrize("path", commands(app), ids=" ".join)
def test_help_is_shown_and_nothing_done(
    waymark: Waymark, settings: Settings, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]
) -> None:
    """`--help` is understood everywhere, whatever the settings are; nothing is written."""
    monkeypatch.setenv("API_PORT", "wrong")
    outcome = waymark(*path, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("Usage: " + " ".join(["waymark", *path, "["]))
    assert list(settings.data_dir.iterdir()) == []


@pytest.mark.usefixtures("summer")
def test_users(waymark: Waymark) -> None:
    """An address alone is printed, another each time; roles change; who is removed is gone."""
    made = waymark("user", "create", "Mara@example.org", "--organizer", "acme", "--role", "viewer")
    address = r"http://127\.0\.0\.1:8002/sign-in/[A-Za-z0-9_-]{43}\n"
    assert made.status == 0
    assert re.fullmatch(address, made.out)
    again = waymark("user", "create", "mara@example.org", "--organizer", "acme")
    another = waymark("user", "link", "MARA@example.org")
    assert re.fullmatch(address, another.out)
    assert len({made.out, again.out, another.out}) == 3
    assert waymark("user", "list").out == (
        "user              signs in by  roles\nmara@example.org  link         acme: admin\n"
    )
    assert waymark("user", "remove", "mara@example.org").status == 0
    assert waymark("user", "list").out == "there are no users\n"


WRONG_USERS = {
    "no address": (["create", "mara", "--organizer", "acme"], "no e-mail address"),
    "no organizer": (["create", "m@x.example", "--organizer", "nobody"], "no organizer nobody"),
    "a link for nobody": (["link", "m@x.example"], "there is no user m@x.example"),
    "removing nobody": (["remove", "m@x.example"], "there is no user m@x.example"),
}


@pytest.mark.usefixtures("summer")
@pytest.mark.parametrize(("arguments", "says"), WRONG_USERS.values(), ids=WRONG_USERS)
def test_wrong_users(waymark: Waymark, arguments: list[str], says: str) -> None:
    """A line says what is wrong, and nobody is made."""
    outcome = waymark("user", *arguments)
    assert (outcome.status, outcome.out) == (1, "")
    assert says in outcome.err
    assert waymark("user", "list").out == "there are no users\n"


def test_words_of_the_dashboard_are_no_organizers(waymark: Waymark) -> None:
    """They are refused, and an event may have such a slug."""
    for word in ("settings", "account", "shared", "static", "sign-in", "sign-out", "healthz"):
        outcome = waymark("event", "create", word, "fest")
        assert outcome.status == 1
        assert f"'{word}' can't be an organizer" in outcome.err
    assert waymark("event", "create", "acme", "settings").status == 0

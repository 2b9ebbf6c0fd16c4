"""`python -m loadtest`, as `make loadtest` runs it; locust stays in processes of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from loadtest.api import Access, Api
from loadtest.errors import LoadtestError
from loadtest.loopback import HOST, require_loopback
from loadtest.process import ROOT
from loadtest.reconcile import compare
from loadtest.stack import Stack
from loadtest.swarm import Swarm
from loadtest.tally import Clicks, Tally

_SECONDS = 100


def loadtest(directory: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Starts `python -m loadtest`, which makes its own directory in this one."""
    return subprocess.Popen(
        [sys.executable, "-m", "loadtest", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_nothing_left(directory: Path) -> None:
    """Its processes name the directory in TMPDIR; Redis, which hides that, as its socket."""
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if bytes(directory) in command + (process / "environ").read_bytes():
                left.append(command)
    assert left == []
    assert list(directory.iterdir()) == []


def fact(table: str, name: str) -> str:
    """The value of one of the table's lower lines."""
    found = re.search(rf"^{name} +(\S+)$", table, re.MULTILINE)
    assert found is not None, table
    return found[1]


def test_every_click_is_counted_once(short_dir: Path) -> None:
    """A run ends by itself, with every 302 in click_count, and leaves nothing behind."""
    process = loadtest(short_dir, "--users", "20", "--time", "5s")
    table, errors = process.communicate(timeout=_SECONDS)
    print(table, errors)
    assert process.returncode == 0
    assert fact(table, "difference") == fact(table, "broken") == "0"
    assert fact(table, "302s to people") == fact(table, "click_count") != "0"
    assert fact(table, "302s to bots") != "0"
    assert "POST /campaigns/" in table
    assert_nothing_left(short_dir)


def test_a_signal_stops_everything(short_dir: Path) -> None:
    """SIGTERM in the middle of a run ends it early, in order."""
    process = loadtest(short_dir, "--users", "2", "--time", "1h")
    assert process.stderr is not None
    assert "2 users, 3600 s" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=_SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert_nothing_left(short_dir)


def test_a_doctored_tally_does_not_pass(short_dir: Path) -> None:
    """`reconcile` exits 0 for what happened, and 1 for one click more or less."""
    with Stack(short_dir).running() as running:
        running.waymark("event", "create", "org", "event")
        access = Access(running.api, "org", "event", running.waymark("token", "create", "org"))
        with Api(access) as api:
            code = api.create("The clicked one", "https://tickets.example/").code
            api.create("Another", "https://tickets.example/")
        for _ in range(3):
            link = f"{running.redirector}/org/event/c/{code}/"
            assert httpx.get(link, trust_env=False).status_code == 302

        def reconcile(answered: int, *arguments: str) -> tuple[int, str]:
            tally = short_dir / "tally.json"
            Tally(people=Clicks(answered=Counter({code: answered}))).write(tally)
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "loadtest.reconcile", "--tally", str(tally)),
                    *("--api", running.api, "--redirector", running.redirector),
                    *("--organizer", "org", "--event", "event", *arguments),
                ],
                cwd=ROOT,
                env={**os.environ, "LOADTEST_TOKEN": access.token},
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
            return done.returncode, done.stdout

        assert reconcile(3) == (0, "2 campaigns, 0 differ\n")
        for wrong in (2, 4):
            status, output = reconcile(wrong, "--patience", "0")
            assert status == 1
            assert f"{code}: {wrong} answered, 0 broken, 3 counted\n" in output
            assert "2 campaigns, 1 differ\n" in output


@pytest.mark.parametrize(
    ("answered", "broken", "counted", "difference"),
    [
        (5, 0, 5, 0),
        (5, 0, 4, -1),
        (5, 0, 6, 1),
        (5, 2, 5, 0),
        (5, 2, 7, 0),
        (5, 2, 4, -1),
        (5, 2, 8, 1),
        (0, 0, 1, 1),
    ],
)
def test_a_broken_request_may_count_or_not(
    answered: int, broken: int, counted: int, difference: int
) -> None:
    """An answered click counts once; one whose answer never came, at most once."""
    tally = Tally(people=Clicks(Counter(code=answered), Counter(code=broken)))
    assert sum(each.clicks for each in compare(tally, {"code": counted})) == difference


def test_a_click_on_a_missing_campaign_is_a_difference() -> None:
    """What was answered for a campaign that the API does not show was lost."""
    tally = Tally(people=Clicks(answered=Counter(gone=2)))
    assert [each.clicks for each in compare(tally, {})] == [-2]


@pytest.mark.parametrize(
    "url",
    [
        "http://tickets.example",
        "http://192.0.2.1:8000",
        "http://127.0.0.1.example:8000",
        "http://127.0.0.1@tickets.example",
        "127.0.0.1:8000",
        "None",
    ],
)
def test_no_other_machine_is_tested(url: str) -> None:
    """The load test talks to this machine alone."""
    with pytest.raises(LoadtestError, match="not on this machine"):
        require_loopback(url)


class _Hangup(BaseHTTPRequestHandler):
    """Knows one campaign, and closes the connection of whoever clicks its link."""

    protocol_version = "HTTP/1.1"
    clicks: Counter[str]

    def do_GET(self) -> None:
        self.close_connection = True
        if not self.path.startswith("/api/"):
            self.clicks[self.path] += 1
            return
        campaign = b'{"id": 1, "code": "abc", "external_target": "", "click_count": 0}'
        body = b'{"next": null, "results": [%b]}' % campaign
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: object) -> None:
        """The test's own output says enough."""


@contextmanager
def hanging_up() -> Iterator[tuple[str, Counter[str]]]:
    """A server of `_Hangup`: its URL, and the clicks it got, by path."""
    clicks: Counter[str] = Counter()
    handler = type("Handler", (_Hangup,), {"clicks": clicks})
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://{HOST}:{server.server_port}", clicks
        server.shutdown()
        thread.join()


def test_a_broken_click_is_not_sent_again(tmp_path: Path) -> None:
    """Each click is one request: what gets no answer is tallied, once, and a failure."""
    with hanging_up() as (url, clicks):
        tally = Swarm(users=3, seconds=2).attack(url, Access(url, "org", "event", "t"), tmp_path)
    assert clicks.keys() == {"/org/event/c/abc/"}
    assert tally.people.broken.total() + tally.bots.broken.total() == clicks.total()
    assert sum(route.failures for route in tally.routes) >= clicks.total()
    assert not tally.people.answered

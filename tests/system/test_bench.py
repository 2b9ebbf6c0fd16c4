"""`python -m loadtest.bench`, as `make bench` runs it, and the pieces that it is made of."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from loadtest import cores, cpu, wrk
from loadtest.cores import Cores
from loadtest.counts import read_counts
from loadtest.cpu import Stat
from loadtest.errors import LoadtestError, MissingError
from loadtest.figures import Spread, figures, table
from loadtest.filling import fill_links, link
from loadtest.loopback import HOST
from loadtest.nginx import Nginx
from loadtest.popularity import Ranks
from loadtest.process import ROOT, clean_environment, service
from loadtest.rows import Measurement, Reckoning, Row
from loadtest.waymark import Server
from loadtest.wrk import Load, Wrk
from tests.system.test_loadtest import assert_nothing_left
from tracking import campaigns
from tracking.database import Database
from tracking.organizers import find_event
from tracking.settings import Settings

_SECONDS = 200
_MISSING = "bench: wrk, which sends the load, is not installed (on Debian: apt install wrk)\n"
WAYMARK_ROWS = (
    "express lane, 1,000 links, every head different",
    "express lane, 1,000 links",
    "express lane, one hot link",
    "express lane, query strings",
    "express lane, 3,000 links, Zipf",
    "Starlette lane, 1,000 links",
)


def bench(directory: Path, *arguments: str, path: str | None = None) -> tuple[int, str, str]:
    """Runs it, in a temporary directory in this one: its status, output and errors."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.bench", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory), "PATH": path or os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.benchmark
@pytest.mark.timeout(_SECONDS + 20)
def test_a_short_run(short_dir: Path, tmp_path: Path) -> None:
    """Each row is in the table and in the JSON, every click is counted, nothing is left behind."""
    file = tmp_path / "bench.json"
    status, output, errors = bench(
        short_dir,
        *("--seconds", "1", "--rounds", "1", "--campaigns", "3000"),
        *("--connections", "8", "16"),
        *("--json", str(file)),
    )
    assert_nothing_left(short_dir)
    if shutil.which("wrk") is None:
        assert (status, output, errors) == (2, "", _MISSING)
        return
    assert status == 0
    document = json.loads(file.read_text())
    assert document["rounds"] == document["seconds"] == 1
    assert {"date", "cpu", "cores", "kernel", "python", "uvicorn", "redis"} <= set(
        document["machine"]
    )
    rows = {row["name"]: row for row in document["rows"]}
    assert list(rows)[: len(WAYMARK_ROWS)] == list(WAYMARK_ROWS)
    assert "uvicorn, constant 302" in rows
    for name, row in rows.items():
        assert output.count(f"\n{name}  ") == 2
        assert list(row["by_connections"]) == ["8", "16"]
        assert [run["connections"] for run in row["runs"]] == [8, 16]
        for found in row["by_connections"].values():
            assert found["requests_per_cpu_second"]["median"] > 0
    for name in WAYMARK_ROWS:
        reckoning = rows[name]["reckoning"]
        answered, counted = reckoning["answered"], reckoning["counted"]
        assert 0 < answered <= counted <= answered + reckoning["possible"] == answered + 32
        assert f"{name}: answered {answered:,}, counted {counted:,} (" in output
    peers = len(rows) - len(WAYMARK_ROWS) - 1
    assert peers + 2 * len(document["left_out"]) in {2, 4}
    assert peers == 4 or "left out: nginx" in output


@pytest.mark.benchmark
def test_another_checkout_takes_part(short_dir: Path) -> None:
    """Its own code runs, on a database that its own code made; its clicks are counted too."""
    if shutil.which("wrk") is None:
        return
    other = short_dir / "other"
    for package in ("redirector", "tracking", "serving", "api", "loadtest"):
        if (ROOT / package).is_dir():
            shutil.copytree(ROOT / package, other / package)
    (other / ".venv").symlink_to(sys.prefix)
    process = other / "redirector" / "__main__.py"
    process.write_text(f"open('{short_dir}/ran', 'w').close()\n{process.read_text()}")
    script = (
        "from loadtest import bench, contest\n"
        "for others in ('_add_many', '_add_bare', '_add_nginx'):\n"
        "    setattr(contest.Contest, others, lambda *_: None)\n"
        "raise SystemExit(bench.main(\n"
        "    ['--seconds', '1', '--rounds', '1', '--connections', '8', '--beside', 'OTHER']\n"
        "))\n"
    ).replace("OTHER", str(other))
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(short_dir)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    assert (short_dir / "ran").exists()
    for name in (
        "beside, 1,000 links, every head different",
        "beside, 1,000 links",
        "beside, one hot link",
    ):
        assert re.search(
            rf"^{name}: answered [1-9][\d,]*, counted [1-9]", done.stdout, re.MULTILINE
        )


@pytest.mark.benchmark
def test_a_directory_that_is_no_checkout(tmp_path: Path) -> None:
    """It is named, and nothing is started."""
    status, output, errors = bench(tmp_path, "--beside", str(tmp_path / "nowhere"))
    if shutil.which("wrk") is not None:
        assert (status, output) == (1, "")
        assert errors == f"bench: {tmp_path}/nowhere is no checkout after `make install`\n"


@pytest.mark.benchmark
@pytest.mark.parametrize("wrong", [-1000, 1000])
def test_a_wrong_count_does_not_pass(wrong: int, short_dir: Path) -> None:
    """A run whose counts are doctored exits with 1, and says which way they are wrong."""
    script = (
        "from loadtest import bench, contest\n"
        "read_counts = contest.read_counts\n"
        "contest.read_counts = lambda directory: {\n"
        f"    slug: clicks + {wrong} for slug, clicks in read_counts(directory).items()\n"
        "}\n"
        "for others in ('_add_many', '_add_bare', '_add_nginx'):\n"
        "    setattr(contest.Contest, others, lambda *_: None)\n"
        "raise SystemExit(bench.main(['--seconds', '1', '--rounds', '1', '--connections', '8']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(short_dir)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if shutil.which("wrk") is None:
        assert (done.returncode, done.stderr) == (2, _MISSING)
        return
    assert done.returncode == 1
    what = "were lost" if wrong < 0 else "were counted too many"
    pattern = rf"^bench: express lane, 1,000 links: [\d,]+ clicks {what}$"
    assert re.search(pattern, done.stderr, re.MULTILINE), done.stderr


@pytest.mark.benchmark
def test_a_signal_stops_everything(short_dir: Path) -> None:
    """SIGTERM in the middle of a run ends it early, in order."""
    with subprocess.Popen(
        [sys.executable, "-m", "loadtest.bench", "--seconds", "3600", "--campaigns", "1000"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(short_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        if shutil.which("wrk") is None:
            assert first == _MISSING
            return
        while process.stderr.readline() != "round 1 of 5\n":
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert_nothing_left(short_dir)


def test_without_wrk(short_dir: Path) -> None:
    """It says in one line what to install."""
    assert bench(short_dir, path="/nonexistent") == (2, "", _MISSING)
    assert_nothing_left(short_dir)


def test_without_nginx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise, to be printed below the table."""
    monkeypatch.setattr("loadtest.nginx._PATH", "/nonexistent")
    with pytest.raises(MissingError, match=r"^nginx is not installed \(on Debian: apt install"):
        Nginx.find(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--seconds", "0"], "'0' is no whole number from 1 on"),
        (["--rounds", "-1"], "'-1' is no whole number from 1 on"),
        (["--rounds", "two"], "'two' is no whole number from 1 on"),
    ],
)
def test_wrong_arguments(short_dir: Path, arguments: list[str], problem: str) -> None:
    """They are named."""
    status, _, errors = bench(short_dir, *arguments)
    assert status == 2
    assert problem in errors


_REPORT = """\
Running 1s test @ http://127.0.0.1:1
  1 threads and 8 connections
waymark {"responses":9,"others":2,"broken":1,"microseconds":500000,"p50":70,"p99":900}
Transfer/sec: 1MB
"""


@pytest.mark.parametrize(
    ("output", "load"),
    [
        (
            _REPORT,
            Load(responses=9, others=2, broken=1, microseconds=500_000, p50=70, p99=900),
        ),
        ("unable to connect to 127.0.0.1:1 Connection refused\n", "wrk failed: unable to connect"),
        ("wrk.lua:7: bad argument\nUsage: wrk <options> <url>\n", "wrk failed: Usage"),
        ("", "wrk failed: it said nothing"),
    ],
    ids=["report", "refused", "script", "nothing"],
)
def test_what_wrk_prints(output: str, load: Load | str) -> None:
    """Our script's line is read; without one, the last line is the reason."""
    if isinstance(load, Load):
        assert wrk.parse(output) == load
        assert load.answered == 7
        assert load.per_second == 14
    else:
        with pytest.raises(LoadtestError, match=load):
            wrk.parse(output)


class _Alternating(BaseHTTPRequestHandler):
    """Answers by the path, and keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, Message]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers))
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def alternating() -> Iterator[tuple[str, list[tuple[str, Message]]]]:
    """A server of `_Alternating`: its URL, and what it was asked."""
    asked: list[tuple[str, Message]] = []
    handler = type("Handler", (_Alternating,), {"asked": asked})
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://{HOST}:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("check", "others"), [(True, {"/200", "/301", "/404"}), (False, {"/404"})], ids=["yes", "no"]
)
def test_the_load(tmp_path: Path, check: bool, others: set[str]) -> None:
    """Paths are asked for in turn with a browser's headers; what is no 302 is counted."""
    if shutil.which("wrk") is None:
        with pytest.raises(MissingError):
            Wrk.find(tmp_path, 1)
        return
    paths = ["/302", "/200", "/302///", "/404", "/301"]
    with alternating() as (url, asked):
        load = Wrk.find(tmp_path, 1).run(url, paths, 1, check=check)
    first = paths.index(asked[0][0])
    in_turn = [paths[(first + number) % len(paths)] for number in range(len(asked))]
    assert [path for path, _ in asked] == in_turn
    seen = in_turn[: load.responses]
    assert len(seen) == load.responses >= len(asked) - 1
    assert load.others == sum(path in others for path in seen)
    assert load.broken == 0
    assert 0 < load.p50 <= load.p99
    headers = list(asked[0][1])
    assert headers[:2] == ["Host", "Connection"]
    assert {"User-Agent", "Accept", "Accept-Encoding", "Accept-Language"} < set(headers)
    assert len(headers) == 14


def test_heads_as_they_come_from_a_proxy(tmp_path: Path) -> None:
    """Each has an address, a trace and a cookie of its own, and else what a browser sends."""
    if shutil.which("wrk") is None:
        return
    with alternating() as (url, asked):
        wrk = Wrk.find(tmp_path, 2)
        wrk.run(url, ["/302", "/302///"], 1)
        plain = asked[0][1]
        del asked[:]
        load = wrk.run(url, ["/302", "/302///"], 1, new_fields=True)
    assert load.responses > 1
    assert load.others == load.broken == 0
    for name in ("X-Forwarded-For", "CF-Ray", "Cookie"):
        values = [head[name] for _, head in asked]
        assert len(set(values)) == len(values)
    ours = {"X-Forwarded-For", "X-Forwarded-Proto", "CF-Ray", "CF-Visitor", "Cookie"}
    for _, head in asked:
        assert set(head) == set(plain) | ours


def test_the_load_stays_on_this_machine(tmp_path: Path) -> None:
    """No other is asked, whatever the URL says."""
    with pytest.raises(LoadtestError, match="not on this machine"):
        Wrk("wrk", tmp_path, 1).run("http://192.0.2.1", ["/"], 1)


_NUMBERS = "S {parent} 5 5 0 -1 4194560 1 2 3 4 {times} 20 0 4 0 9 9 9"


@pytest.mark.parametrize("name", ["python", "a b", "a) S 9 (b", "()", ""])
def test_a_process_in_proc(name: str) -> None:
    """Its parent and its times are found behind whatever name it gave itself."""
    text = f"7 ({name}) " + _NUMBERS.format(parent=3, times="100 20 3 4") + "\n"
    assert Stat.parse(text) == Stat(parent=3, ticks=127)


_BURN = "import time\nwhile time.process_time() < 0.3: pass\n"


_THREAD = f"""
import threading
thread = threading.Thread(target=exec, args=({_BURN!r}, {{}}))
thread.start()
thread.join()
"""
_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_BURN!r}])"


@pytest.mark.parametrize(
    "script", [_BURN, _THREAD, _CHILD], ids=["itself", "thread", "child that ended"]
)
def test_the_time_of_a_process(tmp_path: Path, script: str) -> None:
    """What its threads and its children took is in, of those that ended too."""
    script += "\nprint('done', flush=True)\nimport time; time.sleep(60)"
    log = tmp_path / "burn.log"
    with service([sys.executable, "-c", script], clean_environment(tmp_path), log=log) as process:
        while log.read_text() != "done\n":
            assert process.poll() is None, log.read_text()
        taken = cpu.seconds([process.pid])
        assert process.pid in cpu.descendants([process.pid])
        assert os.getpid() not in cpu.descendants([process.pid])
    assert taken >= 0.3 - 2 / cpu.TICKS_PER_SECOND
    assert cpu.seconds([process.pid]) == 0


def test_processes_stay_on_their_cores(tmp_path: Path) -> None:
    """One has the server's, its child inherits that, and we keep ours."""
    before = cores.available()
    divided = Cores.divided(before)
    script = (
        "import os, subprocess, sys\n"
        "print(*os.sched_getaffinity(0), flush=True)\n"
        "subprocess.run([sys.executable, '-c', 'import os; print(*os.sched_getaffinity(0))'])"
    )
    log = tmp_path / "cores.log"
    with service(
        [sys.executable, "-c", script], clean_environment(tmp_path), log=log, cores=divided.server
    ) as process:
        process.wait(20)
    [core] = divided.server
    assert log.read_text() == f"{core}\n{core}\n"
    assert cores.available() == before


@pytest.mark.parametrize(
    ("available", "text"),
    [
        ({0, 1}, "servers on core 0, load on core 1"),
        ({3, 5, 9}, "servers on core 3, load on core 9"),
        ({2}, "servers and load on the same core"),
    ],
)
def test_cores_are_divided(available: set[int], text: str) -> None:
    """The first and the last, and where there is one only, that is said."""
    assert str(Cores.divided(available)) == text


@pytest.mark.parametrize(
    ("figures", "spread"),
    [
        ([2.0], Spread(2, 2, 2)),
        ([3.0, 1.0, 2.0], Spread(2, 1, 3)),
        ([4.0, 1.0], Spread(2.5, 1, 4)),
    ],
)
def test_medians_and_spreads(figures: list[float], spread: Spread) -> None:
    """The middle, or the middle of the middle two."""
    assert Spread.of(figures) == spread


def measurement(answered: int, server: float, redis: float = 0, flusher: float = 0) -> Measurement:
    """A run of two seconds."""
    return Measurement(64, Load(answered, 0, 0, 2_000_000, 1500, 20_000), server, redis, flusher)


def test_the_table() -> None:
    """Medians of all processes' CPU time, and dashes where nobody is."""
    server = Server("http://127.0.0.1:1", 1)
    counting = Row("counting", server, list, redis=[2], flusher=[3])
    counting.measurements = [
        measurement(40_000, 1.5, 0.4, 0.1),
        measurement(10_000, 1.5, 0.4, 0.1),
        measurement(60_000, 1.5, 0.4, 0.1),
    ]
    plain = Row("plain", server, list)
    plain.measurements = [measurement(100, 0)]
    assert table([counting, plain], 64) == (
        "64 connections  requests/CPU-s        min-max  requests/s       min-max  p50 ms  p99 ms"
        "  server µs  Redis µs  flusher µs\n"
        "counting                20,000   5,000-30,000      20,000  5,000-30,000    1.50   20.00"
        "       37.5      10.0         2.5\n"
        "plain                   10,000  10,000-10,000          50         50-50    1.50   20.00"
        "        0.0         -           -"
    )


def test_figures_of_nothing() -> None:
    """A run that nobody answered divides by nothing."""
    found = figures([measurement(0, 0)])
    assert {spread.median for spread in found.values()} == {0, 1.5, 20}


@pytest.mark.parametrize(
    ("reckoning", "complaints"),
    [
        (Reckoning("r", answered=5, possible=2, counted=5), []),
        (Reckoning("r", answered=5, possible=2, counted=7), []),
        (Reckoning("r", answered=5, possible=2, counted=4), ["r: 1 clicks were lost"]),
        (
            Reckoning("r", answered=5, possible=2, counted=8),
            ["r: 1 clicks were counted too many"],
        ),
        (
            Reckoning("r", answered=5, possible=2, counted=5, others=3),
            ["r: 3 answers were no redirects"],
        ),
        (
            Reckoning("r", answered=5, possible=2, counted=5, broken=1),
            ["r: 1 connections failed or timed out"],
        ),
    ],
    ids=["equal", "under way", "lost", "twice", "not found", "broken"],
)
def test_the_reckoning(reckoning: Reckoning, complaints: list[str]) -> None:
    """What was under way may be counted or not; anything else is wrong."""
    assert reckoning.complaints() == complaints


async def test_links_are_filled_in(settings: Settings) -> None:
    """As many as asked for, with the codes that are in their paths, and a tally that says so."""
    await fill_links(settings.data_dir, {"few": 3, "one": 1})
    database = Database.of(settings)
    async with database.read() as connection:
        for slug, size in (("few", 3), ("one", 1)):
            event = await find_event(connection, "bench", slug)
            assert event is not None
            assert await campaigns.count(connection, event.id) == size
    links = await campaigns.find_links(database, ["few-0", "few-2", "few-3"])
    await database.close()
    assert sorted(each.code for each in links) == ["few-0", "few-2"]
    assert link("few", 2) == "/bench/few/c/few-2/"


def test_counts_are_read_by_event(settings: Settings) -> None:
    """All zero at first."""
    asyncio.run(fill_links(settings.data_dir, {"a": 2, "b": 1}))
    assert read_counts(settings.data_dir) == {"a": 0, "b": 0}


def test_drawn_by_rank() -> None:
    """Each number has one rank, and the first is drawn about twice as often as the second."""
    ranks = Ranks(50)
    assert sorted(ranks.numbers) == list(range(50))
    drawn = ranks.draw(20_000)
    assert set(drawn) <= set(range(50))
    first, second = (drawn.count(number) for number in ranks.numbers[:2])
    assert 1.7 < first / second < 2.3

"""The whole circle, with the processes that `waymark run` starts: click, count, read, stop."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from loadtest.errors import LoadtestError
from loadtest.process import ROOT
from loadtest.stack import Stack
from tests.processes import clean_environment
from tests.waiting import until

CLICKS = 1000
CONNECTIONS = 50
EVENT = "/api/v1/organizers/bigevents/events/sampleconf"


def greeting(stack: Stack) -> list[str]:
    """What `waymark run` printed for people to paste, without the log."""
    lines = stack.log.read_text().splitlines()
    return [line for line in lines if line.startswith(("curl ", "sleep "))]


def processes(stack: Stack) -> list[int]:
    """The ids of all processes that were started."""
    return [int(pid) for pid in re.findall(r"started \(pid=(\d+)\)", stack.log.read_text())]


def in_a_shell(*lines: str, **variables: str) -> str:
    """Runs lines as a person does who pastes them into a shell that knows nothing of the stack."""
    done = subprocess.run(
        ["/bin/sh", "-e"],
        input="\n".join(lines),
        env={**clean_environment(), **variables},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def is_running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.timeout(240)
async def test_the_curl_lines_work(short_dir: Path) -> None:
    """The three lines that each start prints create a campaign, click it, read its count, in a
    shell that has the token: from the second start on the line before them has made one."""
    stack = Stack(short_dir)
    for code in ("poster", "poster-2", "poster-3"):
        with stack.running():
            await until(lambda: len(greeting(stack)) == 3)
            lines = stack.log.read_text().splitlines()
            makes_token = [line for line in lines if line.startswith("TOKEN=")]
            assert len(makes_token) == (code != "poster")
            try_out(code, greeting(stack), in_a_shell(*makes_token, "echo $TOKEN").strip())


def try_out(code: str, lines: list[str], token: str) -> None:
    """Pastes the three lines at once: the last one shows the click."""
    said = in_a_shell(*lines, TOKEN=token)
    assert f'"code":"{code}"' in said
    assert "HTTP/1.1 302 " in said
    assert re.search(rf'{{"count":1,.*"code":"{code}",[^}}]*"click_count":1}}', said)


AUDIENCES = {
    "human": "",
    "bot": '-H "User-Agent: Googlebot/2.1"',
    "prefetch": '-H "Sec-Purpose: prefetch"',
    "embedded": '-H "Sec-Fetch-Dest: image"',
}


async def test_the_sample_link_leads_to_a_page(short_dir: Path) -> None:
    """Whoever follows it, with no shop configured, reads that he was counted; and so it is.

    Others than people are counted apart, all the way into SQL, where the audit finds all in order.
    """
    with Stack(short_dir).running() as stack:
        await until(lambda: len(greeting(stack)) == 3)
        [link] = re.findall(r"The sample event's link: (\S+)", stack.log.read_text())
        assert "you were counted" in in_a_shell(f"curl --location {link}")
        for options in list(AUDIENCES.values())[1:]:
            in_a_shell(f"curl {options} {link}")

        def flushed() -> bool:
            with closing(sqlite3.connect(short_dir / "data" / "waymark.db")) as database:
                rows = database.execute("SELECT audience, sum(clicks) FROM click_hours GROUP BY 1")
                return dict(rows) == dict.fromkeys(AUDIENCES, 1)

        await until(flushed)
        assert "the counts of all 1 campaigns agree" in stack.waymark("audit")


async def test_the_circle(short_dir: Path) -> None:
    """A thousand clicks of fifty visitors are a thousand counts, before and after a restart."""
    stack = Stack(short_dir)
    with stack.running():
        await until(lambda: len(greeting(stack)) == 3)
        first_processes = processes(stack)
        token = stack.waymark("token", "create", "bigevents")
        headers = {"Authorization": f"Token {token}"}
        async with (
            httpx.AsyncClient(base_url=stack.api, headers=headers, verify=False) as api,
            httpx.AsyncClient(base_url=stack.redirector, verify=False) as visitor,
        ):
            code = await click_and_edit(stack, api, visitor)
    # The last click was a moment before: the last flush has taken it.
    with closing(sqlite3.connect(short_dir / "data" / "waymark.db")) as database:
        [[count]] = database.execute("SELECT max(click_count) FROM campaigns")
    assert count == CLICKS + 1
    stopped = re.findall(r"(\w+) stopped", stack.log.read_text())
    assert sorted(stopped[:3]) == ["api", "dashboard", "redirector"]
    assert stopped[3:] == ["flusher", "redis"]
    assert not [pid for pid in first_processes if is_running(pid)]

    with stack.running():
        await until(lambda: len(greeting(stack)) == 3)
        create, _, read = greeting(stack)
        assert "$TOKEN" in create
        assert read.endswith(f"{EVENT}/campaigns/?code=poster'")
        async with httpx.AsyncClient(base_url=stack.api, headers=headers, verify=False) as api:
            listed = (await api.get(f"{EVENT}/campaigns/")).json()
        assert [(one["code"], one["click_count"]) for one in listed["results"]] == [
            ("newsletter", 0),
            (code, CLICKS + 1),
        ]
        assert len(stack.waymark("token", "list", "bigevents").splitlines()) == 3
        assert "the counts of all 2 campaigns agree" in stack.waymark("audit").splitlines()


async def click_and_edit(stack: Stack, api: httpx.AsyncClient, visitor: httpx.AsyncClient) -> str:
    """Clicks, edits, deletes, and clicks once more; the code of the campaign that is left."""
    body = {"description": "Poster", "external_target": "https://one.example/"}
    campaign = (await api.post(f"{EVENT}/campaigns/", json=body)).json()
    item = f"{EVENT}/campaigns/{campaign['id']}/"
    link = f"/bigevents/sampleconf/c/{campaign['code']}/"

    async def visit() -> None:
        async with httpx.AsyncClient(
            base_url=stack.redirector, timeout=30, verify=False
        ) as one_of_many:
            for _ in range(CLICKS // CONNECTIONS):
                answer = await one_of_many.get(link)
                assert answer.status_code == 302
                assert answer.headers["location"] == "https://one.example/"

    await asyncio.gather(*(visit() for _ in range(CONNECTIONS)))
    began = time.monotonic()

    async def counted() -> bool:
        count = (await api.get(item)).json()["click_count"]
        assert count <= CLICKS
        return bool(count == CLICKS)

    await until(counted)
    print(f"{CLICKS} clicks were in click_count {time.monotonic() - began:.2f} s after the last")

    await api.patch(item, json={"external_target": "https://two.example/"})
    began = time.monotonic()

    async def moved() -> bool:
        return (await visitor.head(link)).headers["location"] == "https://two.example/"

    await until(moved)
    print(f"the new target was in effect {time.monotonic() - began:.2f} s after the edit")

    other = (await api.post(f"{EVENT}/campaigns/", json={"description": "Gone"})).json()
    gone = f"/bigevents/sampleconf/c/{other['code']}/"
    assert (await visitor.get(gone)).status_code == 302
    assert (await api.delete(f"{EVENT}/campaigns/{other['id']}/")).status_code == 204
    began = time.monotonic()

    async def deleted() -> bool:
        return (await visitor.get(gone)).status_code == 404

    await until(deleted)
    print(f"the deleted link was gone {time.monotonic() - began:.2f} s after the deletion")
    assert (await visitor.get(link)).status_code == 302
    return str(campaign["code"])


async def test_one_process_ending_ends_all(short_dir: Path) -> None:
    """When a process ends the others are stopped in order, and the status tells."""
    with pytest.raises(LoadtestError, match="ended with status 1"):
        await end_the_api(Stack(short_dir))


async def end_the_api(stack: Stack) -> None:
    """Starts everything and ends one process; waits until none is left."""
    with stack.running():
        await until(lambda: len(greeting(stack)) == 3)
        [api] = re.findall(r"api started \(pid=(\d+)\)", stack.log.read_text())
        # It stops well, but nobody had told the others.
        os.kill(int(api), signal.SIGTERM)
        await until(lambda: not any(is_running(pid) for pid in processes(stack)))

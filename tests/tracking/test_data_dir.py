"""What lies in DATA_DIR: for its own user alone, and nowhere else."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.processes import failure, finished, started
from tests.waiting import until
from tracking.data_dir import secure
from tracking.errors import WaymarkError
from tracking.settings import Settings

NOBODY = 65534


@pytest.fixture(params=["whoever runs the tests", "a service's user"])
def own(request: pytest.FixtureRequest, short_dir: Path) -> Iterator[Settings]:
    """A data directory of the user that works: of a test that runs as root, once another."""
    settings = Settings(data_dir=short_dir, redis_url=None)
    if request.param == "a service's user" and os.geteuid() == 0:
        os.chown(short_dir, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        yield settings
        os.seteuid(0)
    else:
        yield settings


def mode(path: Path) -> int:
    """Its permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def loose(directory: Path) -> dict[Path, int]:
    """All that is ours, as it was made with the umask 022; what its modes should be."""
    files = [
        "waymark.db",
        "waymark.db-wal",
        "redis/appendonlydir/appendonly.aof.1.incr.aof",
        "redis/lock",
        f"spool/{'a' * 32}.spool",
    ]
    wanted = {directory: 0o700}
    for name in files:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret")
        path.chmod(0o644)
        wanted[path] = 0o600
        for parent in path.relative_to(directory).parents:
            (directory / parent).chmod(0o755)
            wanted[directory / parent] = 0o700
    return wanted


def test_looser_modes_are_tightened(own: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Files and directories of ours, and the log says which; a second start finds nothing to do."""
    wanted = loose(own.data_dir)
    secure(own)
    assert {path: mode(path) for path in wanted} == wanted
    for path in wanted:
        assert f"{path} (was 0" in caplog.text
    caplog.clear()
    secure(own)
    assert caplog.text == ""


def test_a_directory_that_is_shared_stays_open(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where something else lies too, DATA_DIR is the operator's; what is ours in it is closed."""
    wanted = loose(settings.data_dir)
    foreign = tmp_path / "index.html"
    foreign.write_text("for everybody")
    foreign.chmod(0o644)
    secure(settings)
    assert (mode(tmp_path), mode(foreign)) == (0o755, 0o644)
    assert {path: mode(path) for path in wanted if path != tmp_path} == {
        path: wanted[path] for path in wanted if path != tmp_path
    }
    assert "index.html" not in caplog.text


def test_the_directory_may_be_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator chose where it leads; that is closed."""
    real = tmp_path / "real"
    real.mkdir()
    wanted = loose(real)
    (tmp_path / "var").symlink_to(real)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    secure(Settings.load())
    assert {path: mode(path) for path in wanted} == wanted


def test_a_database_elsewhere_is_the_operators(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there before keeps its mode, and its directory's; it may be a link."""
    assert settings.data_dir == tmp_path
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "real.db").touch()
    (elsewhere / "real.db").chmod(0o640)
    (elsewhere / "links.db").symlink_to("real.db")
    elsewhere.chmod(0o750)
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{elsewhere}/links.db")
    secure(Settings.load())
    assert (mode(elsewhere), mode(elsewhere / "real.db")) == (0o750, 0o640)


LINKS = [
    "waymark.db",
    "waymark.db-wal",
    "waymark.db-shm",
    "redis",
    "redis/appendonlydir",
    "redis/lock",
    "spool",
]


@pytest.mark.parametrize("name", LINKS)
def test_no_link_leads_out(settings: Settings, tmp_path: Path, name: str) -> None:
    """It stops the start, and nothing behind it changes."""
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.chmod(0o755)
    link = settings.data_dir / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    with pytest.raises(WaymarkError, match=f"{link} is a symbolic link"):
        secure(settings)
    assert mode(outside) == 0o755


def test_files_of_others_are_told(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever they belong to can read and change them. Only root can make such a file."""
    file = settings.data_dir / "waymark.db"
    file.touch(mode=0o600)
    if os.geteuid() == 0:
        os.chown(file, 4242, -1)
    secure(settings)
    told = f"owned by another user than this process's: {file} (user 4242)"
    assert (told in caplog.text) == (os.geteuid() == 0)


def test_a_socket_is_left_alone(short_dir: Path) -> None:
    """The server gives it its mode itself."""
    directory = short_dir / "redis"
    directory.mkdir()
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(directory / "redis.sock"))
        secure(Settings(data_dir=short_dir, redis_url=None))


SERVICES = ["redirector.embedded", "redirector", "redirector.flusher", "api"]


@pytest.mark.parametrize("module", SERVICES)
def test_every_service_refuses_a_link(short_dir: Path, module: str) -> None:
    """One line, status 1."""
    (short_dir / "spool").symlink_to("/tmp")
    status, log = failure(module, DATA_DIR=str(short_dir))
    assert status == 1
    assert f"{short_dir}/spool is a symbolic link" in log
    assert log.count("\n") == 1


async def test_what_a_service_makes_is_private(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory, the database and what the embedded server writes, whatever the umask was."""
    data = short_dir / "var"
    umask = os.umask(0)
    try:
        with (
            started("redirector.embedded", DATA_DIR=str(data)) as server,
            started("redirector.flusher", DATA_DIR=str(data)) as flusher,
        ):
            needed = [data / "waymark.db-wal", data / "redis" / "redis.sock"]
            await until(lambda: all(path.exists() for path in needed))
            modes = {}
            for path in (data, *data.rglob("*")):
                with suppress(FileNotFoundError):  # Redis writes a file anew under another name
                    modes[path] = mode(path)
            for process in (flusher, server):
                process.terminate()
                finished(process)
    finally:
        os.umask(umask)
    assert modes
    for path, found in modes.items():
        assert found & 0o077 == 0, path

"""What every process does alike: how it ends, and how it listens."""

import re
import socket
import subprocess
import sys

import pytest

from tracking.errors import WaymarkError
from tracking.process import listen, reported_errors
from tracking.settings import SettingsError

ENDINGS: dict[str, tuple[WaymarkError, int, list[str]]] = {
    "wrong settings": (
        SettingsError("API_PORT: too high\nHOST: unknown"),
        2,
        ["waymark: API_PORT: too high", "waymark: HOST: unknown"],
    ),
    "anything else": (WaymarkError("the disk is full"), 1, ["waymark: the disk is full"]),
}


HOSTS = {
    "no name server knows it": "nowhere.invalid",
    "no interface has it": "192.0.2.1",
    "no name": "a..b",
    "no text": "\udcff",
}


@pytest.mark.parametrize(("error", "status", "lines"), ENDINGS.values(), ids=ENDINGS)
def test_an_error_ends_the_process(
    capsys: pytest.CaptureFixture[str], error: WaymarkError, status: int, lines: list[str]
) -> None:
    """The operator sees lines of text, and the caller an exit status."""
    with pytest.raises(SystemExit) as ended, reported_errors("waymark"):
        raise error
    assert ended.value.code == status
    assert capsys.readouterr().err.splitlines() == lines


def test_the_collector_is_spared_what_is_loaded() -> None:
    """A full round of it goes through what comes later, and not through the libraries."""
    program = (
        "import gc\n"
        "from tracking import process\n"
        "loaded = len(gc.get_objects())\n"
        "process.run('test', lambda _: print(loaded, len(gc.get_objects())))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)
    loaded, left = map(int, done.stdout.split())
    assert left < loaded / 10


def test_a_bug_is_not_hidden() -> None:
    """What Waymark does not raise on purpose goes on, traceback and all."""
    with pytest.raises(ZeroDivisionError), reported_errors("waymark"):
        raise ZeroDivisionError


def test_a_socket_listens() -> None:
    """A client can connect, and a worker that is started can inherit it."""
    with listen("127.0.0.1", 0, "API_PORT") as listener:
        assert listener.get_inheritable()
        socket.create_connection(listener.getsockname()).close()


def test_a_port_in_use_is_named() -> None:
    """The error says which address, and which settings chose it."""
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(WaymarkError, match=rf"127\.0\.0\.1 port {port}: .*HOST and API_PORT"):
            listen("127.0.0.1", port, "API_PORT")


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_a_host_that_is_not_this_machine_is_named(host: str) -> None:
    """The error says which settings chose the address."""
    with pytest.raises(WaymarkError, match=re.escape("(settings HOST and API_PORT)")):
        listen(host, 8001, "API_PORT")

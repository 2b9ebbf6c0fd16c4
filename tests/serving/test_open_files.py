"""Strangers' connections never take the files that a process needs, and keep nobody out."""

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.processes import clean_environment, free_port
from tests.waiting import until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
FILES = 256


@contextmanager
def limited(
    module: str, log: Path, soft: int, hard: int, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m module` that may have so many files open, and may raise that to `hard`."""
    command = f"ulimit -Sn {soft}; ulimit -Hn {hard}; exec {sys.executable} -m {module}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            env=clean_environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


async def answer(port: int, request: bytes = HEALTH) -> bytes:
    """What a visitor gets; nothing when nobody answers."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        received = await reader.read()
    except ConnectionError:
        return b""
    writer.close()
    return received


@pytest.mark.parametrize(("module", "workers"), [("api", 1), ("redirector", 1), ("redirector", 2)])
async def test_silent_connections_keep_nobody_out(
    tmp_path: Path, module: str, workers: int
) -> None:
    """With more of them than there may be files, each visitor is answered, and one line says so."""
    port = free_port()
    log = tmp_path / "log"
    environment = {
        "DATA_DIR": str(tmp_path),
        f"{module.upper()}_PORT": str(port),
        "REDIRECTOR_WORKERS": str(workers),
    }
    with limited(module, log, FILES // 2, FILES, **environment), ExitStack() as stack:

        async def is_up() -> bool:
            return (await answer(port)).startswith(b"HTTP/1.1 ")

        await until(is_up, within=60)
        for _ in range(workers * FILES + 100):
            silent = socket.create_connection(("127.0.0.1", port), timeout=30)
            stack.enter_context(silent)
        for _ in range(50):
            assert (await answer(port)).startswith(b"HTTP/1.1 ")
    lines = re.findall(r"connections: (.+)", log.read_text())
    assert 1 <= len(lines) <= workers
    assert all("closed for others, since 156 are open" in line for line in lines)


REFUSED = {
    b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n": b"414",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 33_000 + b"\r\n\r\n": b"431",
    b"GET / HTTP/1.1\r\n\r\n": b"400",
    b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n": b"400",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n": b"400",
}


@pytest.mark.parametrize("module", ["api", "redirector"])
async def test_both_services_have_the_limits(tmp_path: Path, module: str) -> None:
    """As an operator starts them; what is refused is a line a minute, however often it comes."""
    port = free_port()
    log = tmp_path / "log"
    environment = {"DATA_DIR": str(tmp_path), f"{module.upper()}_PORT": str(port)}
    with limited(module, log, FILES, FILES, **environment):

        async def is_up() -> bool:
            return (await answer(port)).startswith(b"HTTP/1.1 ")

        await until(is_up, within=60)
        for request, status in [*REFUSED.items()] * 3:
            received = await answer(port, request)
            assert received.startswith(b"HTTP/1.1 " + status), received
            assert b"\r\ndate: " in received
    assert log.read_text().count("connections: ") == 1


def limit_of(soft: int, hard: int, wanted: int | None) -> tuple[int, str]:
    """What `allowed_connections` says, in a process with these limits, and its log."""
    script = f"""
import logging, resource
logging.basicConfig()
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from serving.open_files import allowed_connections
print(allowed_connections({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    limit, files = map(int, done.stdout.split())
    assert files == hard
    return limit, done.stderr


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "limit"),
    [
        (64, 1000, None, 900),
        (64, 150, None, 75),
        (64, 1000, 10, 10),
        (64, 1000, 900, 900),
        (64, 1000, 901, 900),
    ],
)
def test_the_limit(soft: int, hard: int, wanted: int | None, limit: int) -> None:
    """As many as files may be open, less a reserve; the limit of these is raised first."""
    found, log = limit_of(soft, hard, wanted)
    assert found == limit
    assert ("MAX_CONNECTIONS is 901" in log) == (wanted == 901)

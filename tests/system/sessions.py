"""Who belongs to a process that leads a session of its own: read in /proc, orphans too."""

import os
import signal
from contextlib import suppress
from pathlib import Path

# A child that multiprocessing started has this in its command line; its resource tracker has not.
_SPAWNED = b"spawn_main"


def members(session: int) -> list[int]:
    """The processes of a session that live, its leader among them."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        # A process that ends meanwhile is no member.
        with suppress(OSError):
            # proc(5): the name stands in parentheses and may hold spaces; state, ppid, group and
            # session come after it.
            state, _, _, of_session = (
                (directory / "stat").read_text().rpartition(")")[2].split()[:4]
            )
            if int(of_session) == session and state not in "ZX":
                found.append(int(directory.name))
    return found


def children(parent: int) -> list[int]:
    """The processes that live, and that this one has started."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, its_parent = (directory / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(its_parent) == parent and state not in "ZX":
                found.append(int(directory.name))
    return found


def lives(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def command_line(pid: int) -> list[str]:
    """A process's program and arguments; none of one that has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return []


def workers(session: int) -> list[int]:
    """The worker processes of a uvicorn supervisor that leads the session."""
    found = []
    for pid in members(session):
        with suppress(OSError):
            if _SPAWNED in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return sorted(found)


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Sends a signal to a process that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def accepted(server_port: int, pids: list[int]) -> dict[int, int]:
    """Which of the processes serves which loopback connection to a port that they share.

    Returns:
        Process id by the client's port.
    """
    clients = _clients(server_port)
    found: dict[int, int] = {}
    for pid in pids:
        with suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    client = clients.get(str(descriptor.readlink()))
                    if client is not None:
                        found[client] = pid
    return found


def _clients(server_port: int) -> dict[str, int]:
    """The clients' ports by the name that /proc gives to the server's end of the connection."""
    clients: dict[str, int] = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(address.rpartition(":")[2], 16) for address in fields[1:3])
        if local == server_port and remote:
            clients[f"socket:[{fields[9]}]"] = remote
    return clients

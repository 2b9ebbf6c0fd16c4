"""`python -m tracking.reaper`: stops what a supervisor started when the supervisor was killed.

It gets a descriptor of each process by a socket, and waits for the socket's end: then it stops, in
order, whoever is left. A supervisor that ends in order has left nobody.
"""

import argparse
import asyncio
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress

from tracking.output import Output

# How long the processes of one stage may take to stop, in seconds, before they are killed.
STAGE_SECONDS = 10.0

Stages = dict[int, list[int]]


class Reaper:
    """The reaper as its supervisor sees it.

    Attributes:
        process: it ends after `release`, or because somebody killed it.
    """

    def __init__(self, process: asyncio.subprocess.Process, connection: socket.socket) -> None:
        self.process = process
        self._connection = connection

    @classmethod
    async def start(cls) -> "Reaper":
        """Starts the process, in a session of its own: a signal for all of ours is not for it."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tracking.reaper", str(its.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )
        return cls(process, ours)

    def watch(self, pid: int, stage: int) -> None:
        """Tells of a child of ours.

        Args:
            stage: from 0 on; those of a lower one are stopped first.
        """
        # It may have ended already, and so may the guard, which is noticed elsewhere.
        with suppress(OSError):
            descriptor = os.pidfd_open(pid)
            try:
                socket.send_fds(self._connection, [bytes([stage])], [descriptor])
            finally:
                os.close(descriptor)

    def release(self) -> None:
        """Lets it go."""
        self._connection.close()


def main() -> None:
    """Waits for the supervisor's end, then stops everyone."""
    parser = argparse.ArgumentParser(
        prog="python -m tracking.reaper", description="Part of `waymark run`, which starts it."
    )
    parser.add_argument("descriptor", type=int, help="the socket to the supervisor")
    # Whoever ends all processes at once must find this one the last.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=parser.parse_args().descriptor) as connection:
        stages = _watched(connection)
    if any(_lives(process) for processes in stages.values() for process in processes):
        output = Output(sys.stderr)
        output.write("waymark: `waymark run` was killed; what it started is stopped now\n")
        for _, processes in sorted(stages.items()):
            _stop(processes)
        output.drain()


def _watched(connection: socket.socket) -> Stages:
    """Everyone the supervisor told of until its end, by stage, as descriptors (pidfd_open(2))."""
    stages: Stages = {}
    while True:
        stage, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
        if not stage:
            return stages
        # Who ended is followed by another, as often as it takes: descriptors are few.
        for processes in stages.values():
            _forget_ended(processes)
        stages.setdefault(stage[0], []).extend(descriptors)


def _forget_ended(processes: list[int]) -> None:
    for process in [process for process in processes if not _lives(process)]:
        processes.remove(process)
        os.close(process)


def _stop(processes: list[int]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)
        deadline = time.monotonic() + STAGE_SECONDS
        for process in processes:
            _lives(process, deadline - time.monotonic())


def _lives(process: int, seconds: float = 0) -> bool:
    """Whether a process still lives when so much time is over."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return not poll.poll(max(seconds, 0) * 1000)


if __name__ == "__main__":
    main()

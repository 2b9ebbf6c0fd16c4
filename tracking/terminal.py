"""The terminal's foreground, taken away from the `make` that Waymark runs under."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def _is_in_foreground(group: int) -> bool:
    with suppress(OSError):  # there is no terminal, or it is gone
        return os.tcgetpgrp(0) == group
    return False


@contextmanager
def own_terminal() -> Iterator[None]:
    """Takes the terminal's foreground for this process alone, away from the `make` it runs under.

    Ctrl-C then stops Waymark, whose status `make` passes on; otherwise it would stop `make` too,
    which reports an interrupt however well everything stopped.
    """
    former = os.getpgrp()
    if former == os.getpid() or not _is_in_foreground(former):
        yield
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    # The shell's job is `make`: stopping us alone would leave the terminal with nobody.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    try:
        yield
    finally:
        # The terminal may be gone by now.
        with suppress(OSError):
            os.tcsetpgrp(0, former)

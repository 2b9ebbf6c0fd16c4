"""Tasks that a process can't do without."""

import asyncio
import signal

import pytest

from tracking.background import cancel, start_vital


async def test_a_failure_stops_the_process(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is logged, and the process is told to stop."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)

    async def work() -> None:
        raise ZeroDivisionError

    task = start_vital(work())
    await told.wait()
    assert isinstance(task.exception(), ZeroDivisionError)
    assert "a vital task failed" in caplog.text
    asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


async def test_an_end_on_purpose_stops_nothing() -> None:
    """Cancelling is no failure."""
    await cancel(start_vital(asyncio.sleep(3600)))

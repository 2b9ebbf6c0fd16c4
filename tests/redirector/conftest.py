"""What the redirector's tests share."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop that the redirector's process runs on."""
    return {"uvloop": uvloop.new_event_loop}

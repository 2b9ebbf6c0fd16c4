"""What the tests of the server share."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop that both services run on."""
    return {"uvloop": uvloop.new_event_loop}

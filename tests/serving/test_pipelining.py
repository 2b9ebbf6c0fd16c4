"""Pipelined requests take turns."""

import asyncio
from contextlib import AsyncExitStack

from serving.pipelining import AT_ONCE, PipelinedRequests
from tests.serving.bounded import GET, App, served
from tests.serving.client import connected
from tests.waiting import until

CONNECTIONS = 20
REQUESTS = 10


async def test_few_are_begun_in_each_round_of_the_loop() -> None:
    """However many connections have sent many, each is answered, and others come between."""
    app = App()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(served(app))
        clients = [await stack.enter_async_context(connected(server)) for _ in range(CONNECTIONS)]
        app.may_answer.clear()
        for client in clients:
            client.transport.write(GET * REQUESTS)
        await until(lambda: app.asked == CONNECTIONS)
        app.may_answer.set()
        largest = 0
        while app.answered < CONNECTIONS * REQUESTS:
            before = app.asked
            await asyncio.sleep(0)
            largest = max(largest, app.asked - before)
    assert 0 < largest <= AT_ONCE


async def test_one_that_fails_leaves_no_other_out() -> None:
    """The loop tells of it, and the next has its turn."""
    loop = asyncio.get_running_loop()
    told: list[str] = []
    loop.set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    requests = PipelinedRequests(loop)
    begun: list[int] = []

    def fail() -> None:
        raise ValueError("this one")

    requests.wait(fail)
    for number in range(2 * AT_ONCE):
        requests.wait(lambda number=number: begun.append(number))  # type: ignore[misc]
    await until(lambda: len(begun) == 2 * AT_ONCE)
    assert begun == list(range(2 * AT_ONCE))
    assert told == ["this one"]

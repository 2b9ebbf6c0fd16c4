"""From a click to Redis exactly once, whatever fails on the way: any order of faults."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from redis.asyncio import Redis

from redirector.adoption import Adopter
from redirector.counters import PENDING, SEALED
from redirector.flusher import Flusher
from redirector.recorder import Recorder
from redirector.survey import survey
from tests.disk import room_for
from tests.proxy import Fault, Proxy
from tests.redirector.counting import connect
from tests.redirector.disk import refuse_reading
from tests.redis_server import RedisServer
from tests.waiting import until
from tracking import campaigns, clicks
from tracking.clicks import Audience
from tracking.database import Database
from tracking.organizers import ensure_event

WRITERS = 2
COMMIT_TIMEOUT = 0.03
FORGET_WHEN_EMPTY = """
if redis.call("EXISTS", KEYS[1], KEYS[2]) == 0 then redis.call("FLUSHALL") end
"""


class Recording(RuleBasedStateMachine):
    """Two recorders, an unreliable network, a server that freezes, a disk that fills; crashes."""

    writers = st.integers(0, WRITERS - 1)

    server: RedisServer
    migrated: Path

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = Path(tempfile.mkdtemp(prefix="waymark-"))
        with self.server.client() as client:
            client.flushall()
        self.answered = self.broken = 0
        shutil.copy(self.migrated, self.directory / "waymark.db")
        self.spool_dir = self.directory / "spool"
        self.database = Database(f"sqlite+aiosqlite:///{self.directory / 'waymark.db'}", 5)
        self.campaign = self.runner.run(self.made())
        self.redis = Redis(unix_socket_path=str(self.server.socket))
        self.flusher = Flusher(self.redis, self.database)
        self.proxy = Proxy(self.server.socket)
        self.network = self.proxy.running()
        self.runner.run(self.network.__aenter__())
        self.recorders = [self.runner.run(self.started()) for _ in range(WRITERS)]
        self.adopter = Adopter(connect(self.server.url), self.database, self.spool_dir)

    async def made(self) -> int:
        """The id of the campaign that is clicked."""
        async with self.database.write() as connection:
            event = await ensure_event(connection, "acme", "summer")
            return (await campaigns.create(connection, event.id, description="News")).id

    async def started(self) -> Recorder:
        """Another process begins."""
        recorder = Recorder(connect(self.proxy.url), self.database, self.spool_dir, COMMIT_TIMEOUT)
        await recorder.start()
        return recorder

    @rule(writer=writers, visitors=st.integers(1, 5))
    def click(self, writer: int, visitors: int) -> None:
        """Visitors come at once, and each is answered."""

        async def visit() -> None:
            recorder = self.recorders[writer]
            await asyncio.gather(
                *(recorder.count(self.campaign, Audience.HUMAN) for _ in range(visitors))
            )

        self.runner.run(visit())
        self.answered += visitors

    @rule(fault=st.sampled_from([Fault.LOSE_REPLY, Fault.NONE]))
    def network_fails(self, fault: Fault) -> None:
        """From now on replies are lost, or no longer."""
        self.proxy.fault = fault

    @rule(writer=writers, visitors=st.integers(1, 3))
    def freeze(self, writer: int, visitors: int) -> None:
        """Redis freezes for a while, in which visitors come."""
        with self.server.frozen():
            self.click(writer, visitors)

    @rule(
        writer=writers,
        visitors=st.integers(0, 3),
        after=st.sampled_from([0, 0.0005, 0.002, 0.05]),
    )
    def crash(self, writer: int, visitors: int, after: float) -> None:
        """A process ends with visitors waiting; what it has on disk stays. Another begins."""

        async def end() -> None:
            recorder = self.recorders[writer]
            answered = 0

            def answer() -> None:
                nonlocal answered
                answered += 1

            for _ in range(visitors):
                recorder.record(self.campaign, Audience.HUMAN, answer)
            await asyncio.sleep(after)
            for task in recorder._tasks:
                task.cancel()
            await asyncio.gather(*recorder._tasks, return_exceptions=True)
            await recorder._redis_client.close()
            await recorder._spool.close(10)
            self.answered += answered
            self.broken += visitors - answered
            self.recorders[writer] = await self.started()

        self.runner.run(end())

    @rule(writer=writers, visitors=st.integers(1, 3))
    def fill_the_disk(self, writer: int, visitors: int) -> None:
        """Nothing can be written, for a while in which no process ends."""
        with room_for(0):
            self.click(writer, visitors)
        self.proxy.fault = Fault.NONE
        self.runner.run(until(lambda: self.recorders[writer].unconfirmed_clicks == 0))

    @rule(writer=writers, visitors=st.integers(1, 3))
    def refuse_reading(self, writer: int, visitors: int) -> None:
        """What waits on disk can't be read any more by the process that wrote it."""
        with self.server.frozen():
            self.click(writer, visitors)
            spooling = self.recorders[writer]._spool
            if not spooling.empty:
                refuse_reading(spooling)

    @rule()
    def adopt(self) -> None:
        """Whoever lives looks for spools of the dead."""
        self.runner.run(self.adopter.adopt())

    @rule(forgets=st.booleans())
    def flush(self, forgets: bool) -> None:
        """Everything that Redis has is moved into SQL; then Redis may lose its memory."""

        async def move() -> None:
            while await self.flusher.flush():
                pass

        self.runner.run(move())
        if forgets:
            # Not while it has anything: that would be lost, and may come at any moment.
            with self.server.client() as client:
                client.eval(FORGET_WHEN_EMPTY, 2, PENDING, SEALED)

    @rule()
    def wait(self) -> None:
        """Time passes."""
        self.runner.run(asyncio.sleep(0.05))

    def teardown(self) -> None:
        """Whatever happened: once all is well again, answered clicks are counted once."""
        try:
            self.runner.run(self.check())
        finally:
            self.runner.close()
            shutil.rmtree(self.directory)

    async def check(self) -> None:
        """Lets everything come to rest and compares."""
        self.proxy.fault = Fault.NONE
        for recorder in self.recorders:
            await until(lambda recorder=recorder: not recorder.presence.away)  # type: ignore[misc]
            await recorder.close(10)
        await self.adopter.adopt()
        await self.adopter.close()
        assert survey(self.spool_dir).waiting == []
        assert not self.spool_dir.exists() or list(self.spool_dir.iterdir()) == []
        while await self.flusher.flush():
            pass
        async with self.database.read() as connection:
            sums = await clicks.ledger(connection)
        assert self.answered <= sums.hourly_sum <= self.answered + self.broken
        assert sums.clicks == sums.hourly_sum
        await self.network.__aexit__(None, None, None)
        await self.redis.aclose()
        await self.database.close()


def test_any_order_of_faults_counts_every_answered_click_once(
    own_redis: RedisServer, migrated: Path
) -> None:
    """Lost replies, freezes, full disks, crashes and a forgetful Redis change no total."""
    database = migrated

    class RecordingHere(Recording):
        server = own_redis
        migrated = database

    run_state_machine_as_test(
        RecordingHere,
        settings=hypothesis_settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )

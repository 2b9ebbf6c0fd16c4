"""Does to a deployment what a plan says."""

import asyncio
import resource
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from typing import TypeVar

from redis.exceptions import RedisError

from tests.proxy import Fault, Proxy
from tests.system import health, sessions
from tests.system.chaos.chronicle import Chronicle
from tests.system.chaos.plan import Kind, Strike
from tests.system.deployment import Deployment
from tests.system.hanging_disk import HangingDisk
from tests.system.redis_service import RedisService
from tests.system.service import Service
from tests.system.visitors import Visitors
from tests.waiting import until

Candidate = TypeVar("Candidate")

_RECOVERY_SECONDS = 60.0
_LOCK_SECONDS = 10.0
# What a process may still write to a file where the disk is full: nothing, or the first bytes of a
# record, or a few records.
_ROOMS = (0, 0, 60, 1000)
# A replica that has not become one by then is left alone.
_REPLICA_SECONDS = 5.0
# Shorter than flushers wait for the database, and longer than it takes until one does.
_SHORT_LOCK_SECONDS = 0.45
# A process that answers again may still be without SQL for two polls of the change feed.
_SQL_BACK_SECONDS = 1.5


class Havoc:
    """Strikes, one after the other or several at once; two of the same part never at once.

    Args:
        disk: that the journals are on, where it can be made to hang.

    Attributes:
        problems: what did not recover.
    """

    def __init__(
        self,
        deployment: Deployment,
        visitors: Visitors,
        chronicle: Chronicle,
        disk: HangingDisk | None = None,
    ) -> None:
        self.problems: list[str] = []
        self._deployment = deployment
        self._visitors = visitors
        self._chronicle = chronicle
        self._disk = disk
        self._over = False
        self._sql_away_until = 0.0
        # Whoever holds it may kill redirector processes, or rely on nobody's doing so.
        self._redirector = asyncio.Lock()
        self._frozen = asyncio.Lock()
        self._locked = asyncio.Lock()
        self._memory = asyncio.Lock()
        self._stopped = asyncio.Lock()
        self._networks = {
            deployment.network: asyncio.Lock(),
            deployment.flusher_network: asyncio.Lock(),
        }
        self._actions: dict[Kind, Callable[[Strike], Awaitable[None]]] = {
            Kind.WORKER: self._kill_worker,
            Kind.SUPERVISOR: self._kill_supervisor,
            Kind.FLUSHER: lambda strike: self._kill_one(strike, self._deployment.flushers),
            Kind.API: lambda strike: self._kill_one(strike, self._deployment.apis),
            Kind.REDIS: self._kill_redis,
            Kind.FLUSH: self._flush_redis,
            Kind.COPY: self._put_back_copy,
            Kind.FAILOVER: self._fail_over,
            Kind.FREEZE: self._freeze,
            Kind.LOCK: self._lock,
            Kind.STOPPED_FLUSHER: self._stop_flusher,
            Kind.DISK: self._fill_disk,
            Kind.HANG: self._hang_disk,
            Kind.CUT: lambda strike: self._disturb(strike, Fault.CUT),
            Kind.STALL: lambda strike: self._disturb(strike, Fault.STALL),
            Kind.DELAY: lambda strike: self._disturb(strike, Fault.DELAY_REPLY),
            Kind.LOSE_REPLY: lambda strike: self._disturb(strike, Fault.LOSE_REPLY),
            Kind.CUT_REPLY: lambda strike: self._disturb(strike, Fault.CUT_REPLY),
        }

    @property
    def sql_away(self) -> bool:
        """Whether SQL may be, or a moment ago was, locked: links can't be looked up then."""
        locked = self._locked.locked() or self._stopped.locked()
        return locked or time.monotonic() < self._sql_away_until

    async def run(self, strikes: Sequence[Strike], seconds: float) -> None:
        """Does them all at their times; whatever lasts has ended when it returns."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for strike in strikes:
                await asyncio.sleep(began + strike.at - time.monotonic())
                group.create_task(self._strike(strike))
            await asyncio.sleep(began + seconds - time.monotonic())
            # What still waits for its turn has missed it.
            self._over = True

    async def _strike(self, strike: Strike) -> None:
        try:
            await self._actions[strike.kind](strike)
        except AssertionError as error:
            self.problems.append(f"after '{strike.kind.value}': {error}")
            self._chronicle.note(self.problems[-1])

    async def _kill_worker(self, strike: Strike) -> None:
        async with self._turn(self._redirector) as over:
            workers = self._deployment.redirector.workers
            if not over and workers:
                pid = _choose(workers, strike)
                self._chronicle.strike(strike.kind, str(pid))
                sessions.kill(pid)

    async def _kill_supervisor(self, strike: Strike) -> None:
        service = self._deployment.redirector
        with self._chronicle.absence():
            async with self._turn(self._redirector) as over:
                if over:
                    return
                pid, orphans = service.pid, service.orphans
                self._chronicle.strike(strike.kind, str(pid))
                service.kill()
                await until(lambda: service.pid != pid)
                orphans = service.orphans - orphans
                self._chronicle.note(f"{orphans} processes outlived the supervisor")
            # Not for the next one to wait for: whoever starts can be killed as well.
            await until(
                lambda: health.answers(self._deployment.port),
                within=_RECOVERY_SECONDS,
                every=0.1,
            )
            self._chronicle.note("the redirector answers again")

    async def _kill_one(self, strike: Strike, services: Sequence[Service]) -> None:
        service = _choose(services, strike)
        self._chronicle.strike(strike.kind, service.name)
        service.kill()

    async def _kill_redis(self, strike: Strike) -> None:
        redis = self._deployment.redis
        with self._chronicle.trouble():
            self._chronicle.strike(strike.kind, str(redis.pid))
            redis.kill()
            # Its socket is there again when it answers; a second is what the writers back off.
            await asyncio.sleep(1)

    async def _flush_redis(self, strike: Strike) -> None:
        with self._chronicle.trouble(), suppress(RedisError):
            self._chronicle.strike(strike.kind)
            await asyncio.to_thread(_command, self._deployment.redis, "FLUSHALL")

    async def _put_back_copy(self, strike: Strike) -> None:
        """What Redis had in memory some seconds ago, sealed batches and all, is there again."""
        async with self._turn(self._memory) as over:
            if over:
                return
            redis = self._deployment.redis
            try:
                copy = await asyncio.to_thread(redis.copy)
            except (RedisError, OSError):
                self._chronicle.note("there is no Redis to copy")
                return
            await asyncio.sleep(strike.seconds)
            with self._chronicle.trouble():
                redis.snapshot.write_bytes(copy)
                self._chronicle.strike(strike.kind, f"of {strike.seconds:.1f} s ago")
                redis.kill()
                await asyncio.sleep(1)
                # Half of the time the next end of this server puts it back once more.
                if strike.choice < 0.5:
                    redis.snapshot.unlink(missing_ok=True)

    async def _fail_over(self, strike: Strike) -> None:
        """Clients are led to a replica that was frozen, and has missed what was done meanwhile."""
        deployment = self._deployment
        async with self._turn(self._memory) as over:
            replica, replication = deployment.standby, deployment.replication
            if over or replica is None:
                return
            replication.fault = Fault.NONE
            try:
                await asyncio.to_thread(_replicate, deployment.redis, replica, replication)
                await until(partial(_is_replica, replica), within=_REPLICA_SECONDS, every=0.05)
            except (RedisError, OSError, AssertionError):
                self._chronicle.note("the replica had no time to become one")
            else:
                replication.fault = Fault.STALL
                replica.send(signal.SIGSTOP)
                await asyncio.sleep(strike.seconds)
                replication.fault = Fault.CUT
                replica.send(signal.SIGCONT)
            with self._chronicle.trouble():
                await until(partial(_is_primary, replica), within=_RECOVERY_SECONDS, every=0.05)
                # Half of the time the flushers' connections stay with the former one for a while.
                split = strike.choice < 0.5
                detail = f"{strike.seconds:.1f} s{', flushers stay' if split else ''}"
                self._chronicle.strike(strike.kind, detail)
                deployment.promote_standby()
                deployment.network.break_connections()
                if not split:
                    deployment.flusher_network.break_connections()
                else:
                    await asyncio.sleep(strike.seconds)
                    deployment.flusher_network.break_connections()

    async def _stop_flusher(self, strike: Strike) -> None:
        """With sealed batches in its hands, or anywhere."""
        flusher = _choose(self._deployment.flushers, strike)
        async with self._turn(self._stopped) as over:
            if over:
                return
            path = self._deployment.settings.data_dir / "waymark.db"
            with self._chronicle.trouble():
                lock = asyncio.create_task(
                    asyncio.to_thread(_hold_lock, str(path), _SHORT_LOCK_SECONDS)
                )
                await asyncio.sleep(_SHORT_LOCK_SECONDS * 0.9 if strike.choice < 0.7 else 0)
                pid = flusher.pid
                self._chronicle.strike(strike.kind, f"{flusher.name}, for {strike.seconds:.1f} s")
                try:
                    flusher.send(signal.SIGSTOP)
                    await lock
                    await asyncio.sleep(strike.seconds)
                finally:
                    # It may have been killed, and another runs by now.
                    if flusher.pid == pid:
                        flusher.send(signal.SIGCONT)
                self._sql_away_until = time.monotonic() + _SQL_BACK_SECONDS

    async def _freeze(self, strike: Strike) -> None:
        async with self._turn(self._frozen) as over:
            if over:
                return
            redis = self._deployment.redis
            pid = redis.pid
            with self._chronicle.trouble():
                self._chronicle.strike(strike.kind, f"for {strike.seconds:.1f} s")
                try:
                    redis.send(signal.SIGSTOP)
                    await asyncio.sleep(strike.seconds)
                finally:
                    # It may have been killed, and another runs by now.
                    if redis.pid == pid:
                        redis.send(signal.SIGCONT)

    async def _lock(self, strike: Strike) -> None:
        async with self._turn(self._locked) as over:
            if over:
                return
            path = self._deployment.settings.data_dir / "waymark.db"
            # Longer than the processes wait for it.
            seconds = self._deployment.settings.database_timeout + strike.seconds
            with self._chronicle.trouble():
                self._chronicle.strike(strike.kind, f"for {seconds:.1f} s")
                await asyncio.to_thread(_hold_lock, str(path), seconds)
                self._sql_away_until = time.monotonic() + _SQL_BACK_SECONDS

    async def _disturb(self, strike: Strike, fault: Fault) -> None:
        deployment = self._deployment
        of_redirector = strike.choice < 0.75
        network = deployment.network if of_redirector else deployment.flusher_network
        async with self._turn(self._networks[network]) as over:
            if over:
                return
            network.delay = 0.05 + strike.choice / 4
            network.passed_bytes = 1 + int(strike.choice * 4)
            whose = "redirector" if of_redirector else "flushers"
            with self._chronicle.trouble():
                self._chronicle.strike(strike.kind, f"{whose}, for {strike.seconds:.1f} s")
                await self._hold(network, fault, strike.seconds)

    async def _fill_disk(self, strike: Strike) -> None:
        """The disk is full while Redis is away: clicks are in memory alone, and nobody is killed
        until all are on disk: Redis may be killed next, and forgets."""
        deployment = self._deployment
        async with self._turn(self._redirector), self._turn(self._networks[deployment.network]):
            await until(
                lambda: health.answers(deployment.port), within=_RECOVERY_SECONDS, every=0.1
            )
            if self._over:
                return
            room = _ROOMS[int(strike.choice * len(_ROOMS))]
            with self._chronicle.trouble():
                self._chronicle.strike(strike.kind, f"{room} bytes left, {strike.seconds:.1f} s")
                cut = asyncio.create_task(
                    self._hold(deployment.network, Fault.CUT, 1 + strike.seconds)
                )
                limits = [(room, resource.RLIM_INFINITY), (resource.RLIM_INFINITY,) * 2]
                for limit, seconds in zip(limits, (strike.seconds, 0), strict=True):
                    # The supervisor too, for a worker that it is about to start.
                    for pid in sessions.members(deployment.redirector.pid):
                        with suppress(ProcessLookupError):
                            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
                    await asyncio.sleep(seconds)
                await self._until_all_are_safe()
                self._chronicle.note("the disk has room again, and every click is on it")
                await cut

    async def _hang_disk(self, strike: Strike) -> None:
        """Writes to the journals wait; whatever happens to Redis meanwhile, nobody is killed until
        all clicks are on disk."""
        deployment = self._deployment
        if self._disk is None:
            return
        async with self._turn(self._redirector):
            await until(
                lambda: health.answers(deployment.port), within=_RECOVERY_SECONDS, every=0.1
            )
            if self._over:
                return
            with self._chronicle.trouble():
                with self._disk.hanging():
                    self._chronicle.strike(strike.kind, f"for {strike.seconds:.1f} s")
                    await asyncio.sleep(strike.seconds)
                await self._until_all_are_safe()
                self._chronicle.note("the disk goes on, and every click is on it")

    async def _until_all_are_safe(self) -> None:
        safe: set[int] = set()
        # Among clicks that come and go, those that wait could not be told.
        with self._visitors.held():
            await until(lambda: self._all_safe(safe), within=_RECOVERY_SECONDS, every=0.2)

    async def _all_safe(self, safe: set[int]) -> bool:
        """Whether each worker has been seen with all its clicks on disk since that has room."""
        found = await self._deployment.unjournalled_clicks()
        safe.update(pid for pid, clicks in found.items() if not clicks)
        return safe.issuperset(self._deployment.worker_pids())

    async def _hold(self, network: Proxy, fault: Fault, seconds: float) -> None:
        network.fault = fault
        try:
            await asyncio.sleep(seconds)
        finally:
            network.fault = Fault.NONE

    @asynccontextmanager
    async def _turn(self, part: asyncio.Lock) -> AsyncIterator[bool]:
        """Waits for the part to be free; yields whether the run is over by then."""
        async with part:
            yield self._over


def _choose(candidates: Sequence[Candidate], strike: Strike) -> Candidate:
    return candidates[int(strike.choice * len(candidates))]


def _command(redis: RedisService, *words: str | int) -> None:
    with redis.client() as client:
        client.execute_command(*words)


def _replicate(redis: RedisService, replica: RedisService, network: Proxy) -> None:
    # It would wait for more replicas.
    _command(redis, "CONFIG", "SET", "repl-diskless-sync-delay", 0)
    _command(replica, "REPLICAOF", "127.0.0.1", network.port)


def _is_replica(redis: RedisService) -> bool:
    """Whether it has all that the other had when it was asked to be its replica."""
    with redis.client() as client:
        state = client.info("replication")
    return bool(state.get("master_link_status") == "up")


def _is_primary(redis: RedisService) -> bool:
    """Whether it takes writes; it is told to, as often as it takes."""
    try:
        _command(redis, "REPLICAOF", "NO", "ONE")
    except (RedisError, OSError):
        return False
    return True


def _hold_lock(path: str, seconds: float) -> None:
    """Locks the database as another program does that writes for long."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=_LOCK_SECONDS)) as database:
        database.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        database.rollback()

"""A writer's counters in Redis: ranges are added in order, once, whatever Redis forgets."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import RedisError, ResponseError

from redirector.counters.client import CounterClient
from redirector.counters.keys import (
    COUNTERS_PER_BATCH,
    BatchName,
    campaigns_of,
    counter_name,
    keys_of,
    parse,
)
from tests.proxy import Fault, Proxy
from tests.redirector.counting import in_redis
from tests.redis_server import RedisServer
from tracking.clicks import Audience, Hour
from tracking.settings import Settings

WRITER = "a" * 32
ONE = {"7:500000:human": 1}
STATE, OPEN, SEALED = keys_of(WRITER)


@pytest.fixture
async def client(own_redis: RedisServer) -> AsyncIterator[CounterClient]:
    """A client as the redirector makes it."""
    client = CounterClient.of(Settings(redis_url=own_redis.url))
    yield client
    await client.close()


def of_seven(server: RedisServer) -> int:
    """The clicks of people on campaign 7; there are no others."""
    totals = in_redis(server)
    assert totals.keys() <= {(7, Audience.HUMAN)}
    return sum(totals.values())


async def test_a_range_is_added_once_and_in_order(
    client: CounterClient, own_redis: RedisServer
) -> None:
    """The number comes back; a range that was added, overlaps or leaves a gap changes nothing."""
    assert await client.number_of(WRITER, 0) == 0
    assert await client.ship(WRITER, 0, 1, 3, {"7:500000:human": 5}) == 3
    for first, last in ((1, 3), (1, 5), (3, 4), (5, 6)):
        assert await client.ship(WRITER, 0, first, last, ONE) == 3
    assert of_seven(own_redis) == 5
    assert await client.ship(WRITER, 0, 4, 4, ONE) == 4
    assert await client.ship("b" * 32, 0, 1, 1, ONE) == 1
    assert of_seven(own_redis) == 7
    assert await client.number_of(WRITER, 0) == 4


async def test_an_older_copy_is_void(client: CounterClient, own_redis: RedisServer) -> None:
    """What lies below SQL's number goes, sealed or not, and the writer goes on from there."""
    await client.ship(WRITER, 0, 1, 3, ONE)
    with own_redis.client() as redis:
        redis.rename(OPEN, f"{SEALED}:1-3-1")
        redis.rpush(SEALED, "1-3-1")
    assert await client.ship(WRITER, 9, 8, 9, ONE) == 9
    assert of_seven(own_redis) == 0
    assert await client.ship(WRITER, 9, 10, 10, ONE) == 10
    assert of_seven(own_redis) == 1


async def test_counters_without_their_range_are_void(
    client: CounterClient, own_redis: RedisServer
) -> None:
    """A server that is full may drop any key: what is left of the others is not trusted."""
    await client.ship(WRITER, 0, 1, 3, {"7:500000:human": 5, "8:500000:human": 1})
    with own_redis.client() as redis:
        redis.delete(STATE)
    assert await client.ship(WRITER, 0, 1, 3, {"7:500000:human": 5}) == 3
    assert of_seven(own_redis) == 5


async def test_scripts_are_loaded_again(client: CounterClient, own_redis: RedisServer) -> None:
    """A server that forgets everything forgets them too."""
    await client.ship(WRITER, 0, 1, 1, ONE)
    with own_redis.client() as redis:
        redis.script_flush()
        redis.flushall()
    assert await client.ship(WRITER, 0, 1, 1, ONE) == 1
    assert of_seven(own_redis) == 1


async def test_batches_have_a_size_and_a_version(
    client: CounterClient, own_redis: RedisServer
) -> None:
    """What would make one too large begins another, and so does another version."""
    half = COUNTERS_PER_BATCH // 2 + 1
    for number in (1, 2):
        counts = {f"{number}{id:05}:500000:human": number for id in range(half)}
        assert await client.ship(WRITER, 0, number, number, counts) == number
    with own_redis.client() as redis:
        assert redis.lrange(SEALED, 0, -1) == [b"1-1-1"]
        assert redis.hlen(f"{SEALED}:1-1-1") == redis.hlen(OPEN) == half
        redis.hset(STATE, "version", 0)
        assert await client.ship(WRITER, 0, 3, 3, ONE) == 3
        assert redis.lrange(SEALED, 0, -1) == [b"1-1-1", b"2-2-0"]
        assert all(redis.ttl(key) > 0 for key in redis.keys("waymark:*"))
    assert sum(in_redis(own_redis).values()) == half + 2 * half + 1


async def test_a_reply_that_is_lost(own_redis: RedisServer) -> None:
    """The error says so; sent again the range is known."""
    proxy = Proxy(own_redis.socket)
    async with proxy.running():
        through = CounterClient.of(Settings(redis_url=proxy.url))
        await through.ship(WRITER, 0, 1, 1, ONE)
        proxy.fault = Fault.LOSE_REPLY
        with pytest.raises((RedisError, OSError)):
            await through.ship(WRITER, 0, 2, 2, ONE)
        proxy.fault = Fault.NONE
        await through.close()
        assert await through.ship(WRITER, 0, 2, 2, ONE) == 2
        await through.close()
    assert of_seven(own_redis) == 2


async def test_a_wrong_type_of_key_adds_nothing(
    client: CounterClient, own_redis: RedisServer
) -> None:
    """Whatever somebody else put there."""
    for key in (STATE, OPEN):
        with own_redis.client() as redis:
            redis.flushall()
            await client.ship(WRITER, 0, 1, 1, ONE)
            redis.delete(key)
            redis.set(key, "no hash")
        with pytest.raises(ResponseError):
            await client.ship(WRITER, 0, 2, 2, ONE)
        with own_redis.client() as redis:
            if key == OPEN:
                assert redis.hget(STATE, "number") == b"1"


async def test_a_frozen_server_is_given_up(client: CounterClient, own_redis: RedisServer) -> None:
    """After a second, with or without a connection."""
    await client.number_of(WRITER, 0)
    with own_redis.frozen():
        for _ in range(2):
            with pytest.raises((RedisError, OSError, asyncio.TimeoutError)):
                await client.number_of(WRITER, 0)
            await client.close()
    assert await client.number_of(WRITER, 0) == 0


def test_names_are_read_as_they_are_written() -> None:
    """Every audience; what means nothing is told apart."""
    for audience in Audience:
        parsed = parse({counter_name(7, Hour(500_000), audience).encode(): b"3"})
        assert [tuple(count) for count in parsed.counts] == [(7, 500_000, audience, 3)]
    odd: dict[bytes | str, bytes | str] = {
        b"x": b"1",
        b"1:2": b"1",
        b"1:2:alien": b"1",
        b"1:2:human:x": b"1",
        b"1:2:bot": b"x",
    }
    assert len(parse({**odd, b"3:2:bot": b"0", b"\xff": b"1"}).strange) == 7
    assert campaigns_of(["7:1:human", "x", "8:1:bot", "7:2:bot"]) == {7, 8}
    assert BatchName.parse("3-17-1") == BatchName(3, 17, 1)

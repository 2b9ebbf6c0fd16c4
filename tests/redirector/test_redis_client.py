"""A client of Redis: what the server says of itself, and batches that are added once."""

import asyncio

import pytest
from redis.exceptions import RedisError, ResponseError

from redirector.batches import NumberedBatch
from redirector.counters import PENDING
from redirector.durability import Durability
from tests.proxy import Fault, Proxy
from tests.redirector.counting import connect, counted
from tests.redis_server import RedisServer
from tracking.clicks import Audience

ONE_CLICK = {"7:500000:human": 1}

CONFIGURATIONS = {
    "always": ({"appendonly": "yes", "appendfsync": "always"}, Durability.ALWAYS),
    "every second": ({"appendonly": "yes", "appendfsync": "everysec"}, Durability.EVERY_SECOND),
    "whenever": ({"appendonly": "yes", "appendfsync": "no"}, Durability.SYSTEM),
    "not at all": ({"appendonly": "no"}, Durability.NONE),
}


@pytest.mark.parametrize(
    ("configuration", "durability"), CONFIGURATIONS.values(), ids=CONFIGURATIONS
)
async def test_the_server_says_how_durable_a_click_is(
    own_redis: RedisServer, configuration: dict[str, str], durability: Durability
) -> None:
    """As it is configured when the client connects."""
    with own_redis.client() as client:
        for name, value in configuration.items():
            client.config_set(name, value)
    redis_client = connect(own_redis.url)
    await redis_client.ping()
    assert redis_client.durability is durability
    await redis_client.close()


async def test_a_server_that_does_not_tell(own_redis: RedisServer) -> None:
    """Where CONFIG is forbidden clicks are counted, and nothing is claimed."""
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "-config")
    redis_client = connect(own_redis.url)
    assert await redis_client.add("writer", 0, [NumberedBatch(1, {"7:500000:human": 2})]) == 1
    assert redis_client.durability is Durability.UNKNOWN
    assert counted(own_redis) == {(7, Audience.HUMAN): 2}
    await redis_client.close()


async def test_batches_are_added_in_one_trip(redis: RedisServer) -> None:
    """Those that were added before are passed over; the number of the last comes back."""
    redis_client = connect(redis.url)
    batches = [NumberedBatch(number, {"7:500000:human": number}) for number in (1, 2, 5)]
    assert await redis_client.add("writer", 0, batches[:2]) == 2
    assert await redis_client.add("writer", 2, batches) == 5
    assert await redis_client.add("other", 0, batches[:1]) == 1
    assert counted(redis) == {(7, Audience.HUMAN): 1 + 2 + 5 + 1}
    await redis_client.close()


async def test_a_batch_of_any_size(redis: RedisServer) -> None:
    """No field, as many as are written at once, one more, and far more than Lua's unpack takes."""
    redis_client = connect(redis.url)
    total = 0
    for number, size in enumerate((0, 1000, 1001, 20_000), 1):
        fields = {f"{campaign}:500000:human": campaign for campaign in range(1, size + 1)}
        assert (
            await redis_client.add("writer", number - 1, [NumberedBatch(number, fields)]) == number
        )
        total += sum(fields.values())
        assert sum(counted(redis).values()) == total
    await redis_client.close()


async def test_a_server_that_knows_less_adds_nothing(redis: RedisServer) -> None:
    """What it had confirmed is more than it knows: the writer is told, and decides."""
    redis_client = connect(redis.url)
    assert await redis_client.add("writer", 3, [NumberedBatch(4, {"7:500000:human": 1})]) == 0
    assert counted(redis) == {}
    await redis_client.close()


async def test_what_redis_refuses_is_an_error_and_the_client_goes_on(redis: RedisServer) -> None:
    """A refusal is a reply like any other: the next one belongs to the next batch."""
    redis_client = connect(redis.url)
    with redis.client() as client:
        client.set(PENDING, "no hash")
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await redis_client.add("writer", 0, [NumberedBatch(1, ONE_CLICK)])
        client.delete(PENDING)
    assert await redis_client.add("writer", 0, [NumberedBatch(1, ONE_CLICK)]) == 1
    assert counted(redis) == {(7, Audience.HUMAN): 1}
    await redis_client.close()


async def test_a_counter_that_is_no_number_keeps_its_batch_out_alone(redis: RedisServer) -> None:
    """The batch before it is in, and is not added again when both are sent again."""
    redis_client = connect(redis.url)
    batches = [NumberedBatch(1, {"8:500000:human": 3}), NumberedBatch(2, ONE_CLICK)]
    with redis.client() as client:
        client.hset(PENDING, "7:500000:human", "many")
        client.hset(PENDING, "run", client.info("server")["run_id"])
        with pytest.raises(ResponseError, match="arithmetic"):
            await redis_client.add("writer", 0, batches)
        client.hdel(PENDING, "7:500000:human")
    assert await redis_client.add("writer", 0, batches) == 2
    assert counted(redis) == {(7, Audience.HUMAN): 1, (8, Audience.HUMAN): 3}
    await redis_client.close()


async def test_no_reply_in_time(redis: RedisServer) -> None:
    """A reply that is lost ends the patience; a client that was closed opens anew."""
    async with Proxy(redis.socket).running() as proxy:
        redis_client = connect(proxy.url)
        await redis_client.ping()
        proxy.fault = Fault.LOSE_REPLY
        with pytest.raises((RedisError, OSError)):
            await redis_client.add("writer", 0, [NumberedBatch(1, ONE_CLICK)], patience=0.05)
        await redis_client.close()
        proxy.fault = Fault.NONE
        assert await redis_client.add("writer", 0, [NumberedBatch(1, ONE_CLICK)]) == 1
        await redis_client.close()
    assert counted(redis) == {(7, Audience.HUMAN): 1}


async def test_a_frozen_server_is_given_up(own_redis: RedisServer) -> None:
    """Who says nothing for as long as one is patient is given up, without waiting for more."""
    redis_client = connect(own_redis.url)
    await redis_client.ping()
    own_redis.freeze()
    with pytest.raises(TimeoutError):
        await redis_client.add("writer", 0, [NumberedBatch(1, ONE_CLICK)], patience=0.05)
    own_redis.thaw()
    await redis_client.close()


async def test_a_server_that_ends_is_noticed_at_once(own_redis: RedisServer) -> None:
    """Whoever waits for a reply then does not wait for its time-out."""
    redis_client = connect(own_redis.url)
    await redis_client.ping()
    own_redis.freeze()
    adding = asyncio.ensure_future(
        redis_client.add("writer", 0, [NumberedBatch(1, ONE_CLICK)], patience=600)
    )
    await asyncio.sleep(0)
    own_redis.kill()
    with pytest.raises((RedisError, OSError)):
        await adding
    with pytest.raises((RedisError, OSError)):
        await redis_client.ping()
    await redis_client.close()

"""A channel to Redis: what the server says of itself, and batches that are added once."""

import pytest

from redirector.batches import NumberedBatch
from redirector.durability import Durability
from tests.redirector.counting import connect, counted
from tests.redis_server import RedisServer
from tracking.clicks import Audience

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
    """As it is configured when the channel is opened."""
    with own_redis.client() as client:
        for name, value in configuration.items():
            client.config_set(name, value)
    channel = connect(own_redis.url)
    await channel.ping()
    assert channel.durability is durability
    await channel.close()


async def test_a_server_that_does_not_tell(own_redis: RedisServer) -> None:
    """Where CONFIG is forbidden clicks are counted, and nothing is claimed."""
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "-config")
    channel = connect(own_redis.url)
    assert await channel.add("writer", 0, [NumberedBatch(1, {"7:500000:human": 2})]) == 1
    assert channel.durability is Durability.UNKNOWN
    assert counted(own_redis) == {(7, Audience.HUMAN): 2}
    await channel.close()


async def test_batches_are_added_in_one_trip(redis: RedisServer) -> None:
    """Those that were added before are passed over; the number of the last comes back."""
    channel = connect(redis.url)
    batches = [NumberedBatch(number, {"7:500000:human": number}) for number in (1, 2, 5)]
    assert await channel.add("writer", 0, batches[:2]) == 2
    assert await channel.add("writer", 2, batches) == 5
    assert await channel.add("other", 0, batches[:1]) == 1
    assert counted(redis) == {(7, Audience.HUMAN): 1 + 2 + 5 + 1}
    await channel.close()


async def test_a_server_that_knows_less_adds_nothing(redis: RedisServer) -> None:
    """What it had confirmed is more than it knows: the writer is told, and decides."""
    channel = connect(redis.url)
    assert await channel.add("writer", 3, [NumberedBatch(4, {"7:500000:human": 1})]) == 0
    assert counted(redis) == {}
    await channel.close()

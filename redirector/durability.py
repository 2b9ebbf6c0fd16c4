"""How durable a counted click is: what Redis says of its own configuration."""

from collections.abc import Mapping
from enum import StrEnum


class Durability(StrEnum):
    """What a confirmed click survives, in words for the log and the health page."""

    ALWAYS = "every answer is on disk"
    EVERY_SECOND = "up to 1 s can be lost if Redis's machine dies"
    SYSTEM = "as much can be lost as the system has not written yet if Redis's machine dies"
    NONE = "lost with Redis"
    UNKNOWN = "unknown: Redis does not tell"


def durability_of(aof_enabled: str | None, configuration: Mapping[str, str]) -> Durability:
    """Reads it from what the server said.

    Args:
        aof_enabled: of `INFO persistence`; None = it said nothing.
        configuration: what `CONFIG GET appendfsync` answered; empty where that is forbidden.
    """
    if aof_enabled == "0":
        return Durability.NONE
    if aof_enabled != "1":
        return Durability.UNKNOWN
    match configuration.get("appendfsync"):
        case "always":
            return Durability.ALWAYS
        case "everysec":
            return Durability.EVERY_SECOND
        case "no":
            return Durability.SYSTEM
        case _:
            return Durability.UNKNOWN

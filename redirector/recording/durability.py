"""What an answer waits for, and what an answered click survives."""

from enum import StrEnum


class Durability(StrEnum):
    """What an answer waits for (the setting `DURABILITY`).

    Attributes:
        DISK: the record is on this machine's disk.
        REDIS: Redis has it: for machines whose disk does not survive them.
        BOTH: both.
    """

    DISK = "disk"
    REDIS = "redis"
    BOTH = "both"


def in_words(*, on_disk: bool, in_redis: bool) -> str:
    """What a click survives that is answered when it is in these places."""
    if on_disk and in_redis:
        return "the end of every process, and the loss of this machine's disk or of Redis"
    if on_disk:
        return "the end of every process, a power cut, and the loss of Redis"
    if in_redis:
        return "the end of this process, as long as Redis remembers it"
    return "nothing: a click is lost with this process"

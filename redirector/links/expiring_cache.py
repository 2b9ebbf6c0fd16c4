"""What SQL said lately, and is taken for true a while."""

import time
from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class ExpiringCache(Generic[Key, Value]):
    """Values by key, each of which is there for some seconds.

    Args:
        seconds: how long, from when it was set last.
        size: how many are kept at most; beyond that the oldest goes.
    """

    def __init__(self, seconds: float, size: int) -> None:
        self._seconds = seconds
        self._size = size
        self._entries: OrderedDict[Key, tuple[float, Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        """Whether the key has a value that has not expired."""
        entry = self._entries.get(key)
        return entry is not None and time.monotonic() < entry[0]

    def __getitem__(self, key: Key) -> Value:
        """The value of a key that is there."""
        return self._entries[key][1]

    def __setitem__(self, key: Key, value: Value) -> None:
        self._entries[key] = (time.monotonic() + self._seconds, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def discard(self, key: Key) -> None:
        """Drops a key, if it is there."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Drops all."""
        self._entries.clear()

"""What SQL has not acknowledged of a writer: where it is, and what of it was sent."""

import time
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from redirector.counters.keys import CounterName
from redirector.journal.format import Place, Placed
from redirector.journal.records import MAX_COUNTERS, Record, merged

# Counters that were sent and that SQL has not: so many, and no more is sent. What was sent can't be
# merged any more.
_SENT_AT_MOST = 100_000
# Counters whose clicks are in memory though they are on disk: so many need not be read again.
_HELD_AT_MOST = 50_000
# Records that are neither on disk nor sent are merged when there are so many.
_MERGED_FROM = 64


class Entry:
    """A record that SQL has not.

    Attributes:
        counts: None when they are to be read from disk.
        place: where it is on disk; None: it is not, or not yet.
        since: when its first click came, in monotonic seconds.
    """

    __slots__ = ("clicks", "counters", "counts", "first", "last", "place", "since")

    def __init__(
        self,
        record: Record,
        since: float,
        *,
        place: Place | None = None,
        held: bool = True,
    ) -> None:
        self.first = record.first
        self.last = record.last
        self.counters = len(record.counts)
        self.clicks = record.clicks
        self.counts = record.counts if held else None
        self.place = place
        self.since = since

    @property
    def record(self) -> Record:
        """It, where its clicks are in memory."""
        assert self.counts is not None
        return Record(self.first, self.last, self.counts)


class Unacknowledged:
    """A writer's records from the first that SQL has not, in the order of their numbers.

    Attributes:
        acknowledged: the number up to which SQL has all.
        position: the number up to which Redis has all, or had; None: it is to be asked.
        stored: the number up to which all was on disk.
        ends: the last numbers of what was sent. SQL may have any of them.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.acknowledged = 0
        self.position: int | None = None
        self.stored = 0
        self.ends: set[int] = set()
        self._entries = list(entries)
        # The last number that the disk was ever given, whatever became of that.
        self._offered = 0
        # How many of them are in Redis, as far as is known; and the counters that those have.
        self._sent = 0
        self._sent_counters = 0
        self._held = sum(entry.counters for entry in self._entries if entry.counts is not None)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def all_sent(self) -> bool:
        """Whether Redis has everything, as far as is known."""
        return self._sent == len(self._entries)

    @property
    def sql_has_all_of_redis(self) -> bool:
        """Whether nothing of the writer waits in Redis, when that was asked."""
        return self.position is not None and self.position <= self.acknowledged

    @property
    def straddles(self) -> bool:
        """Whether the next record to send is, in part, in Redis already: merged otherwise there."""
        if self.position is None or self.all_sent:
            return False
        return self._entries[self._sent].first <= self.position

    @property
    def journalled_clicks(self) -> int:
        """How many clicks are on disk and not in SQL."""
        return sum(entry.clicks for entry in self._entries if entry.place is not None)

    @property
    def unjournalled_clicks(self) -> int:
        """How many clicks are not on disk, and not known to be in SQL."""
        return sum(entry.clicks for entry in self._entries if entry.place is None)

    @property
    def unconfirmed_clicks(self) -> int:
        """How many clicks are neither on disk nor in Redis."""
        return sum(entry.clicks for entry in self._entries[self._sent :] if entry.place is None)

    @property
    def oldest_seconds(self) -> float | None:
        """How long the oldest click waits for SQL; None when none does."""
        return time.monotonic() - self._entries[0].since if self._entries else None

    def add(self, entry: Entry) -> None:
        """Adds the writer's next record."""
        self._entries.append(entry)
        self._held += entry.counters
        if self._held > _HELD_AT_MOST:
            self._let_go()

    def to_store(self) -> list[Entry]:
        """What is to be written next: what is not on disk, merged where nobody has it yet.

        What the disk was given and did not confirm may be there all the same. It is offered again
        as it was, and alone, so that the rest can be merged for as long as the disk is away.
        """
        unstored = self._unstored()
        if len(unstored) > _MERGED_FROM:
            self._merge_waiting()
            unstored = self._unstored()
        offered = [entry for entry in unstored if entry.last <= self._offered]
        if offered or not unstored:
            return offered
        self._offered = unstored[-1].last
        return unstored

    def store(self, entries: Iterable[Entry], places: Iterable[Place]) -> None:
        """Notes where entries are on disk."""
        for entry, place in zip(entries, places, strict=True):
            entry.place = place
            self.stored = max(self.stored, entry.last)

    def replace_stored(self, made_anew: Sequence[Placed]) -> None:
        """Notes what the journal holds since it was made anew."""
        ages = {entry.last: entry.since for entry in self._entries}
        since = self._entries[0].since if self._entries else time.monotonic()
        new: list[Entry] = []
        for record, place in made_anew:
            if record.last > self.acknowledged:
                new.append(Entry(record, since, place=place, held=False))
            since = ages.get(record.last, since)
        self._entries = new + [entry for entry in self._entries if entry.place is None]
        self._held = sum(entry.counters for entry in self._entries if entry.counts is not None)
        self._count_sent()

    def acknowledge(self, number: int) -> None:
        """Drops what SQL has."""
        if number <= self.acknowledged:
            return
        self.acknowledged = number
        gone = bisect_right(self._entries, number, key=lambda entry: entry.last)
        self._held -= sum(e.counters for e in self._entries[:gone] if e.counts is not None)
        del self._entries[:gone]
        self.ends.difference_update([end for end in self.ends if end <= number])
        if self.position is not None and self.position < number:
            self.position = number
        self._count_sent()

    def drop(self, entries: Sequence[Entry]) -> None:
        """Drops what was damaged on the disk."""
        self._entries = [entry for entry in self._entries if entry not in entries]
        self._count_sent()

    def confirm(self, number: int) -> None:
        """Notes up to which number Redis has all: further than before, or no longer so far."""
        self.position = number
        self._count_sent()
        for entry in self._entries[: self._sent]:
            if entry.place is not None:
                self._drop_counts(entry)

    def next_to_send(self) -> list[Entry]:
        """What follows what Redis has, at most as much as one shipment may hold.

        It is said in `ends`; whoever takes it sends it.
        """
        if self.straddles:
            return []
        chosen: list[Entry] = []
        names: set[CounterName] = set()
        unknown = 0
        for entry in self._entries[self._sent :]:
            if self._sent_counters + len(names) + unknown > _SENT_AT_MOST:
                break
            if entry.counts is None:
                unknown += entry.counters
            else:
                names.update(entry.counts)
            if chosen and len(names) + unknown > MAX_COUNTERS:
                break
            chosen.append(entry)
        if chosen:
            self.ends.add(chosen[-1].last)
        return chosen

    def _count_sent(self) -> None:
        position = self.acknowledged if self.position is None else self.position
        self._sent = bisect_right(self._entries, position, key=lambda entry: entry.last)
        self._sent_counters = sum(entry.counters for entry in self._entries[: self._sent])

    def _unstored(self) -> list[Entry]:
        """Those behind the last that is on disk."""
        begin = len(self._entries)
        while begin and self._entries[begin - 1].place is None:
            begin -= 1
        return self._entries[begin:]

    def _merge_waiting(self) -> None:
        """Merges what is in memory alone: neither sent nor, perhaps, on disk."""
        told = max(self._offered, max(self.ends, default=0))
        begin = bisect_right(self._entries, told, key=lambda entry: entry.last)
        waiting = self._entries[begin:]
        if len(waiting) <= _MERGED_FROM:
            return
        new = [Entry(each, waiting[0].since) for each in merged(entry.record for entry in waiting)]
        self._held += sum(entry.counters for entry in new)
        self._held -= sum(entry.counters for entry in waiting)
        self._entries[begin:] = new

    def _let_go(self) -> None:
        for entry in self._entries:
            if entry.place is not None:
                self._drop_counts(entry)

    def _drop_counts(self, entry: Entry) -> None:
        if entry.counts is not None:
            self._held -= entry.counters
            entry.counts = None

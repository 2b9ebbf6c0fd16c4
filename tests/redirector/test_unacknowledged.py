"""What SQL has not of a writer: what is sent, stored and merged of it, and when."""

from redirector.journal.format import Place, Placed
from redirector.journal.records import MAX_COUNTERS, Record
from redirector.recording import unacknowledged
from redirector.recording.unacknowledged import Entry, Unacknowledged

MANY = unacknowledged._MERGED_FROM + 1
Range = tuple[int, int]


def entry(number: int, counters: int = 1) -> Entry:
    """A record with a click on each of so many campaigns."""
    counts = {f"{id}:500000:human": 1 for id in range(counters)}
    return Entry(Record(number, number, counts), since=0.0)


def ranges(entries: list[Entry]) -> list[Range]:
    """Their numbers."""
    return [(each.first, each.last) for each in entries]


def waiting(count: int) -> Unacknowledged:
    """So many records, in memory alone."""
    result = Unacknowledged()
    for number in range(1, count + 1):
        result.add(entry(number))
    return result


def place(entries: list[Entry]) -> list[Place]:
    """Somewhere on disk for each."""
    return [Place(100 * each.first, 100) for each in entries]


def test_records_in_memory_are_merged() -> None:
    """Where nobody has them: neither Redis nor, perhaps, the disk."""
    held = waiting(MANY)
    held.confirm(0)
    assert ranges(held.next_to_send()) == [(n, n) for n in range(1, MANY + 1)]
    for number in range(MANY + 1, 2 * MANY + 1):
        held.add(entry(number))
    assert ranges(held.to_store()) == [
        *((n, n) for n in range(1, MANY + 1)),
        (MANY + 1, 2 * MANY),
    ]


def test_what_the_disk_was_offered_is_offered_again_as_it_was() -> None:
    """And alone: it may be there though the disk did not say so. The rest is merged."""
    held = waiting(2)
    assert ranges(held.to_store()) == [(1, 1), (2, 2)]
    for number in range(3, MANY + 3):
        held.add(entry(number))
    for _ in range(3):
        offered = held.to_store()
        assert ranges(offered) == [(1, 1), (2, 2)]
    held.store(offered, place(offered))
    assert (held.stored, held.journalled_clicks) == (2, 2)
    assert ranges(held.to_store()) == [(3, MANY + 2)]
    assert held.unconfirmed_clicks == MANY


def test_a_shipment_has_a_size() -> None:
    """Records are added to it for as long as their counters are few; one alone always goes."""
    held = Unacknowledged()
    held.confirm(0)
    for number, counters in ((1, MAX_COUNTERS + 1), (2, MAX_COUNTERS), (3, MAX_COUNTERS), (4, 1)):
        held.add(entry(number, counters))
    for expected in ([(1, 1)], [(2, 2), (3, 3), (4, 4)], []):
        sent = held.next_to_send()
        assert ranges(sent) == expected
        if sent:
            held.confirm(sent[-1].last)
    assert held.ends == {1, 4}
    held.acknowledge(3)
    assert (held.ends, len(held)) == ({4}, 1)


def test_what_redis_forgot_is_sent_again() -> None:
    """From where it is now, or from what SQL has."""
    held = waiting(5)
    held.confirm(5)
    assert held.all_sent
    held.confirm(2)
    assert ranges(held.next_to_send()) == [(3, 3), (4, 4), (5, 5)]
    held.acknowledge(4)
    assert held.position == 4
    assert ranges(held.next_to_send()) == [(5, 5)]


def test_a_record_that_straddles_what_was_sent_waits() -> None:
    """It is merged otherwise elsewhere: nothing is sent twice."""
    held = Unacknowledged([Entry(Record(1, 5, {"1:500000:human": 5}), 0.0)])
    held.confirm(3)
    assert held.straddles
    assert held.next_to_send() == []
    held.confirm(0)
    assert ranges(held.next_to_send()) == [(1, 5)]


def test_a_journal_that_was_made_anew_takes_the_place_of_its_records() -> None:
    """What is in memory alone stays, and what SQL has meanwhile does not come back."""
    held = waiting(6)
    stored = held.to_store()[:5]
    held.store(stored, place(stored))
    held.acknowledge(2)
    anew = [Record(1, 2, {"1:500000:human": 2}), Record(3, 5, {"1:500000:human": 3})]
    held.replace_stored([Placed(each, Place(1, 1)) for each in anew])
    assert held.journalled_clicks == 3
    assert ranges(held.to_store()) == [(6, 6)]
    held.confirm(2)
    assert ranges(held.next_to_send()) == [(3, 5), (6, 6)]

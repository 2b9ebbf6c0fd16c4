"""A journal's file: what was written is there again, whatever happens to the rest."""

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redirector.journal import file as journal_file
from redirector.journal.directory import files, path_of, tidy
from redirector.journal.errors import JournalDiskError, UnreadableJournalError
from redirector.journal.file import FullError, JournalFile, look_at
from redirector.journal.format import HEADER_SIZE, decode, encode
from redirector.journal.records import MAX_COUNTERS, MERGED_COUNTERS, Record, added_up, merged
from tests.disk import room_for

WRITER = "0123456789abcdef" * 2


def record(number: int, clicks: int = 1, counters: int = 1) -> Record:
    """A record with clicks on some campaigns."""
    return Record(number, number, {f"{id}:500000:human": clicks for id in range(counters)})


def fill(file: JournalFile, like: Record, number: int) -> None:
    """Writes such records, numbered from here on, of which SQL has none."""
    while True:
        file.append([Record(number, number, like.counts)], 0)
        number += 1


def path_in(directory: Path) -> Path:
    """Where the journal is."""
    return path_of(directory, WRITER)


def held(directory: Path) -> list[Record]:
    """What is in it."""
    found = look_at(path_in(directory))
    assert found is not None
    assert found[0] == WRITER
    return found[1]


def test_what_was_written_is_there(tmp_path: Path) -> None:
    """For who reads it meanwhile, for its owner, and for who adopts it."""
    file = JournalFile.create(path_in(tmp_path), WRITER)
    first = file.append([record(1), record(2, clicks=7)], 0)
    second = file.append([record(3, counters=MAX_COUNTERS)], 0)
    expected = [record(1), record(2, clicks=7), record(3, counters=MAX_COUNTERS)]
    assert held(tmp_path) == expected
    assert file.read([*first, *second]) == expected
    assert look_at(path_in(tmp_path)) == (WRITER, expected, True)
    assert JournalFile.adopt(path_in(tmp_path)) is None
    file.close()
    assert look_at(path_in(tmp_path)) == (WRITER, expected, False)
    adopted = JournalFile.adopt(path_in(tmp_path))
    assert adopted is not None
    own, placed = adopted
    assert [each.record for each in placed] == expected
    assert own.read(each.place for each in placed) == expected
    own.remove()
    assert files(tmp_path) == []


def test_halves_are_written_by_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is begun anew when SQL has all of it; the file keeps its size, and its order."""
    monkeypatch.setattr(journal_file, "HALF_SIZE", 1000)
    file = JournalFile.create(path_in(tmp_path), WRITER)
    size = path_in(tmp_path).stat().st_size
    for number in range(1, 200):
        file.append([record(number)], acknowledged=number - 4)
        assert [each.last for each in held(tmp_path)][-4:] == list(
            range(max(number - 3, 1), number + 1)
        )
    assert path_in(tmp_path).stat().st_size == size
    file.close()


def test_a_full_one_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Merged between what was sent, without what SQL has; it grows, and shrinks again."""
    monkeypatch.setattr(journal_file, "HALF_SIZE", 1000)
    file = JournalFile.create(path_in(tmp_path), WRITER)
    with pytest.raises(FullError):
        fill(file, record(1), 1)
    number = held(tmp_path)[-1].last
    new = record(number + 1)
    known, places = file.make_anew([new], acknowledged=3, ends={5, 9})
    assert [(each.record.first, each.record.last) for each in known] == [
        (4, 5), (6, 9), (10, number)
    ]  # fmt: skip
    assert [each.record.clicks for each in known] == [2, 4, number - 9]
    assert held(tmp_path) == [*(each.record for each in known), new]
    assert file.read([*(each.place for each in known), *places]) == held(tmp_path)
    large = record(number + 2, counters=500)
    with pytest.raises(FullError):
        file.append([large], 0)
    file.make_anew([large], acknowledged=0, ends={number + 1})
    assert held(tmp_path)[-1] == large
    assert path_in(tmp_path).stat().st_size > HEADER_SIZE + 2 * 1000
    with pytest.raises(FullError):
        fill(file, record(1000), 1000)
    file.make_anew([record(10**9)], acknowledged=10**8, ends=[])
    assert path_in(tmp_path).stat().st_size == HEADER_SIZE + 2 * 1000
    assert held(tmp_path) == [record(10**9)]
    file.close()


def test_what_the_disk_took_and_did_not_confirm_comes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that failed may be there: what is written in its place has its numbers."""
    monkeypatch.setattr(journal_file, "HALF_SIZE", 1000)
    file = JournalFile.create(path_in(tmp_path), WRITER)
    [place] = file.append([record(1)], 0)
    with path_in(tmp_path).open("r+b") as other:
        other.seek(place.end)
        other.write(b"".join(encode(record(number), 1) for number in (2, 3, 4)))
    file.append([Record(2, 4, record(2, clicks=3).counts)], 0)
    assert held(tmp_path) == [record(1), Record(2, 4, record(2, clicks=3).counts)]
    for number in range(5, 60):
        file.append([record(number)], number - 2)
    assert [each.first for each in held(tmp_path)] == sorted(
        {each.first for each in held(tmp_path)}
    )
    file.close()


def test_a_torn_write_is_no_record(tmp_path: Path) -> None:
    """Wherever it was cut; what was written before it counts, and what is written in its place."""
    for cut in (1, 3, 12, 36, 40):
        directory = tmp_path / str(cut)
        file = JournalFile.create(path_in(directory), WRITER)
        [place] = file.append([record(1)], 0)
        torn = encode(record(2, clicks=5), 1)[:cut]
        with path_in(directory).open("r+b") as other:
            other.seek(place.end)
            other.write(torn)
        assert held(directory) == [record(1)]
        file.append([record(2)], 0)
        assert held(directory) == [record(1), record(2)]
        file.close()


def test_a_damaged_record_takes_none_along(tmp_path: Path) -> None:
    """Any byte of one of three, changed: the others are read."""
    file = JournalFile.create(path_in(tmp_path), WRITER)
    places = file.append([record(1), record(2), record(3)], 0)
    whole = path_in(tmp_path).read_bytes()
    for offset in range(places[1].offset, places[1].offset + places[1].length):
        damaged = bytearray(whole)
        damaged[offset] ^= 0x41
        path_in(tmp_path).write_bytes(damaged)
        assert [each.last for each in held(tmp_path)] == [1, 3]
        assert [each.last for each in file.read(places)] == [1, 3]
    file.close()


def test_a_full_disk_leaves_what_there_was(tmp_path: Path) -> None:
    """A write that fails adds nothing, and the next one goes on."""
    file = JournalFile.create(path_in(tmp_path), WRITER)
    file.append([record(1)], 0)
    with room_for(HEADER_SIZE + 60):
        with pytest.raises(JournalDiskError):
            file.append([record(2)], 0)
        with pytest.raises(JournalDiskError):
            file.make_anew([record(2)], 0, [])
    assert [each.last for each in held(tmp_path)] == [1]
    file.append([record(2)], 0)
    assert [each.last for each in held(tmp_path)] == [1, 2]
    file.close()
    with room_for(0), pytest.raises(JournalDiskError):
        JournalFile.create(path_of(tmp_path, "f" * 32), "f" * 32)
    assert files(tmp_path) == [path_in(tmp_path)]


def test_a_shorter_file_gives_what_it_has(tmp_path: Path) -> None:
    """A disk that lies about its length."""
    file = JournalFile.create(path_in(tmp_path), WRITER)
    places = file.append([record(1), record(2)], 0)
    os.truncate(path_in(tmp_path), places[1].offset + 5)
    assert held(tmp_path) == [record(1)]
    assert file.read(places) == [record(1)]
    file.close()


def test_one_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    """With all that was in it."""
    file = JournalFile.create(path_in(tmp_path), WRITER)
    file.append([record(1)], 0)
    path_in(tmp_path).unlink()
    with pytest.raises(FullError):
        file.append([record(2)], 0)
    file.make_anew([record(2)], 0, [])
    assert held(tmp_path) == [record(1), record(2)]
    file.close()


def test_what_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    """Something else, a later version, a link, a pipe, a directory."""
    for content in (b"", b"something", b"waymark journal 3 " + WRITER.encode() + b" 1000\n"):
        path_in(tmp_path).write_bytes(content)
        with pytest.raises(UnreadableJournalError):
            JournalFile.adopt(path_in(tmp_path))
        assert path_in(tmp_path).read_bytes() == content
    path_in(tmp_path).unlink()
    os.mkfifo(path_in(tmp_path))
    with pytest.raises(UnreadableJournalError):
        JournalFile.adopt(path_in(tmp_path))
    path_in(tmp_path).unlink()
    path_in(tmp_path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalDiskError):
        JournalFile.adopt(path_in(tmp_path))


def test_litter_is_removed(tmp_path: Path) -> None:
    """What somebody began to write, and ended."""
    (tmp_path / f"{WRITER}.new").write_bytes(b"half")
    tidy(tmp_path)
    assert list(tmp_path.iterdir()) == []


@given(
    st.lists(
        st.dictionaries(
            st.from_regex(r"[1-9][0-9]{0,5}:[0-9]{6}:(human|bot)", fullmatch=True),
            st.integers(1, 10**9),
            min_size=1,
            max_size=5,
        ),
        min_size=1,
        max_size=30,
    )
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_merging_keeps_clicks_and_numbers(contents: list[dict[str, int]]) -> None:
    """Each is what the records of its range add up to, which lie side by side."""
    records = [Record(n, n, counts) for n, counts in enumerate(contents, 5)]
    result = merged(records)
    assert sum(each.clicks for each in result) == sum(each.clicks for each in records)
    assert (result[0].first, result[-1].last) == (5, 4 + len(records))
    assert all(a.last + 1 == b.first for a, b in pairwise(result))
    for each in result:
        within = [part for part in records if each.first <= part.first <= each.last]
        assert each.counts == added_up(within)
    for each in records:
        assert decode(encode(each, 3)) == (3, each)


def test_merging_has_a_limit_and_no_gaps() -> None:
    """A record has so many counters at most, is never split, and stands for no missing number."""
    part = MERGED_COUNTERS // 4 + 1
    many = [
        Record(n, n, {f"{n}{id:05}:500000:human": 1 for id in range(part)})
        for n in (1, 2, 3, 4, 5, 9)
    ]
    assert [(each.first, each.last) for each in merged(many)] == [(1, 3), (4, 5), (9, 9)]
    assert merged([]) == []

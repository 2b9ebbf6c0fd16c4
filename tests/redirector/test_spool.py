"""Clicks on disk: what was appended is read back, whatever happened to the file's end."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from redirector.batches import MAX_FIELDS, NumberedBatch, added_up
from redirector.spool import Spool
from redirector.spool_files import spool_files, tidy, writers
from redirector.spool_format import SpoolDiskError, SpoolError, UnreadableSpoolError
from redirector.survey import survey
from tests.disk import room_for

WRITER = "0123456789abcdef" * 2
NAME = f"{WRITER}.spool"
BATCHES = [
    NumberedBatch(number, {f"{number}:500000:human": number, "9:500000:bot": 1})
    for number in (3, 4, 9)
]


def written(directory: Path, batches: list[NumberedBatch]) -> Path:
    """The file of a spool with these batches, whose owner has ended."""
    spool = Spool.create(directory, WRITER)
    for batch in batches:
        spool.append(batch, sent=False)
    spool.close()
    return directory / NAME


def abandoned(directory: Path) -> list[Spool]:
    """All that can be taken over."""
    tidy(directory)
    return [spool for path in spool_files(directory) if (spool := Spool.adopt(path)) is not None]


def adopted(directory: Path) -> list[NumberedBatch]:
    """What an adopter finds; the spool is abandoned again."""
    [spool] = abandoned(directory)
    assert spool.writer == WRITER
    batches = spool.head()
    spool.close()
    return batches


def test_what_was_appended_is_adopted(tmp_path: Path) -> None:
    """Batches come back in order, under their numbers and their writer's id."""
    written(tmp_path, BATCHES)
    assert adopted(tmp_path) == BATCHES


def test_a_torn_tail_is_cut_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Cut at any byte, a file gives back every batch before the cut, and says what it lost."""
    path = written(tmp_path, BATCHES)
    whole = path.read_bytes()
    starts = [len(written(tmp_path / str(n), BATCHES[:n]).read_bytes()) for n in range(4)]
    for size in range(starts[0], len(whole)):
        path.write_bytes(whole[:size])
        complete = sum(start <= size for start in starts) - 1
        assert adopted(tmp_path) == BATCHES[:complete]
        assert path.stat().st_size == starts[complete]
    assert f"a torn tail of {len(whole) - 1 - starts[2]} bytes" in caplog.text


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    """Whichever byte of the last record is wrong, the record is not believed."""
    path = written(tmp_path, BATCHES)
    whole = path.read_bytes()
    start = len(written(tmp_path / "less", BATCHES[:2]).read_bytes())
    for position in range(start, len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x04
        path.write_bytes(damaged)
        assert adopted(tmp_path) == BATCHES[:2]


OTHER_FILES = {
    "empty": b"",
    "another format": b"hello\n",
    "half a header": b"waymark spool 1 0123",
    "a later version": f"waymark spool 2 {WRITER}\n".encode(),
}


@pytest.mark.parametrize("content", OTHER_FILES.values(), ids=OTHER_FILES)
def test_what_is_no_spool_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """A file that can't be read stays as it is, for a person to look at, and is nobody's."""
    (tmp_path / "a.spool").write_bytes(content)
    for _ in range(2):
        with pytest.raises(UnreadableSpoolError):
            Spool.adopt(tmp_path / "a.spool")
    assert (tmp_path / "a.spool").read_bytes() == content


OBSTACLES: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a directory": Path.mkdir,
    "a link": lambda path: path.symlink_to("/etc/hostname"),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a loop": lambda path: path.symlink_to(path),
    "a socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
}


@pytest.mark.parametrize("put", OBSTACLES.values(), ids=OBSTACLES)
def test_what_is_no_file_holds_nobody_up(tmp_path: Path, put: Callable[[Path], object]) -> None:
    """Whatever else is named like a spool is told apart at once, and followed nowhere."""
    put(tmp_path / "a.spool")
    written(tmp_path, BATCHES)
    with pytest.raises(SpoolError):
        Spool.adopt(tmp_path / "a.spool")
    found = survey(tmp_path)
    assert [waiting.writer for waiting in found.waiting] == [WRITER]
    assert [path.name for path in found.unreadable] == ["a.spool"]


def test_a_damaged_record_takes_none_along(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever byte of a record amid others is wrong but its length, the others are there."""
    path = written(tmp_path, BATCHES)
    whole = path.read_bytes()
    start, end = (len(written(tmp_path / str(n), BATCHES[:n]).read_bytes()) for n in (1, 2))
    for position in range(start + 4, end):
        damaged = bytearray(whole)
        damaged[position] ^= 0x04
        path.write_bytes(damaged)
        assert adopted(tmp_path) == [BATCHES[0], BATCHES[2]]
        assert path.read_bytes() == damaged
    assert "1 of its batches are lost" in caplog.text


def test_a_record_that_is_damaged_later_takes_none_along(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The owner, too, leaves out what it can't read back, and says what that was."""
    spool = Spool.create(tmp_path, WRITER)
    for batch in BATCHES:
        spool.append(batch, sent=False)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes().replace(b"4:500000:human", b"5:500000:human"))
    assert spool.head() == [BATCHES[0], BATCHES[2]]
    assert spool.clicks == BATCHES[0].clicks + BATCHES[2].clicks
    assert f"batch 4 of the spool {NAME} was damaged on the disk: its 5 clicks" in caplog.text
    spool.close()


def test_a_spool_that_is_another_s_now_is_not_deleted(tmp_path: Path) -> None:
    """What was put in its place stays there."""
    spool = Spool.create(tmp_path, WRITER)
    other = written(tmp_path / "other", BATCHES)
    other.rename(tmp_path / NAME)
    spool.remove()
    assert adopted(tmp_path) == BATCHES


def test_a_directory_that_is_none_is_the_disk_s_error(tmp_path: Path) -> None:
    """Nobody takes it for Redis's."""
    (tmp_path / "spool").touch()
    for use in (survey, writers, tidy, spool_files, lambda path: Spool.create(path, WRITER)):
        with pytest.raises(SpoolDiskError):
            use(tmp_path / "spool")


def test_a_living_owner_keeps_its_spool(tmp_path: Path) -> None:
    """Nobody adopts what is locked; of several adopters one gets what is not."""
    spool = Spool.create(tmp_path, WRITER)
    spool.append(BATCHES[0], sent=False)
    assert abandoned(tmp_path) == []
    assert [waiting.owned for waiting in survey(tmp_path).waiting] == [True]
    spool.close()
    first = abandoned(tmp_path)
    assert len(first) == 1
    assert abandoned(tmp_path) == []
    first[0].close()


def test_an_emptied_spool_leaves_no_file(tmp_path: Path) -> None:
    """Confirmed batches are no longer counted, and the file goes with the last."""
    spool = Spool.create(tmp_path, WRITER)
    for batch in BATCHES:
        spool.append(batch, sent=False)
    spool.confirm(4)
    assert (spool.head(), spool.clicks, spool.fields) == (BATCHES[2:], 10, 2)
    spool.confirm(9)
    assert spool.empty
    spool.remove()
    assert list(tmp_path.iterdir()) == []
    assert writers(tmp_path) == set()


def test_a_full_disk_leaves_the_spool_as_it_was(tmp_path: Path) -> None:
    """What did not fit is not there at all, and what comes later is whole."""
    spool = Spool.create(tmp_path, WRITER)
    spool.append(BATCHES[0], sent=False)
    size = (tmp_path / NAME).stat().st_size
    with room_for(size + 5), pytest.raises(SpoolDiskError, match="File too large"):
        spool.append(BATCHES[1], sent=False)
    assert (tmp_path / NAME).stat().st_size == size
    spool.append(BATCHES[2], sent=False)
    spool.close()
    assert adopted(tmp_path) == [BATCHES[0], BATCHES[2]]


def test_a_spool_that_can_not_be_made_leaves_nothing(tmp_path: Path) -> None:
    """A disk that is full from the start."""
    with room_for(0), pytest.raises(SpoolDiskError, match="File too large"):
        Spool.create(tmp_path, WRITER)
    assert list(tmp_path.iterdir()) == []


def test_a_long_outage_takes_no_more_disk_than_its_counters(tmp_path: Path) -> None:
    """A spool is written anew before it grows without bound: nothing of its clicks changes."""
    spool = Spool.create(tmp_path, WRITER)
    fields = [f"{campaign}:500000:human" for campaign in range(2 * MAX_FIELDS)]
    number, clicks, largest = 0, 0, 0
    spool.append(NumberedBatch(number := 1, {"7:500000:human": 5}), sent=True)
    for _ in range(60):
        for start in range(0, len(fields), 500):
            counts = dict.fromkeys(fields[start : start + 500], 1)
            spool.append(NumberedBatch(number := number + 1, counts), sent=False)
            spool.compact()
            clicks += 500
            largest = max(largest, (tmp_path / NAME).stat().st_size)
    assert largest < 1.1 * 1024 * 1024
    assert spool.clicks == clicks + 5
    # The first may be in Redis already: it is as it was.
    assert spool.head(1) == [NumberedBatch(1, {"7:500000:human": 5})]
    spool.close()
    [spool] = abandoned(tmp_path)
    batches = spool.head(10**9)
    numbers = [batch.number for batch in batches]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == number
    assert all(len(batch.counts) <= MAX_FIELDS for batch in batches)
    expected = dict.fromkeys(fields, 60)
    expected["7:500000:human"] += 5
    assert added_up(batches) == expected
    spool.close()


def test_what_was_handed_out_is_never_merged(tmp_path: Path) -> None:
    """A batch that may have been sent keeps its number and its content."""
    spool = Spool.create(tmp_path, WRITER)
    counts = {f"{campaign}:500000:human": 1 for campaign in range(MAX_FIELDS)}
    for number in range(1, 80):
        spool.append(NumberedBatch(number, counts), sent=False)
    handed_out = spool.head(2 * MAX_FIELDS)
    assert [batch.number for batch in handed_out] == [1, 2]
    spool.compact()
    assert spool.head(2 * MAX_FIELDS) == handed_out
    assert spool.clicks == 79 * MAX_FIELDS
    assert [len(waiting.batches) for waiting in survey(tmp_path).waiting] == [3]
    spool.close()


def test_what_was_begun_and_not_finished_is_tidied_away(tmp_path: Path) -> None:
    """A process that ended while it wrote a spool anew leaves the old one, which counts."""
    path = written(tmp_path, BATCHES)
    path.with_suffix(".new").write_bytes(b"waymark")
    assert adopted(tmp_path) == BATCHES
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_survey_changes_nothing(tmp_path: Path) -> None:
    """It tells what waits, torn tails too, and leaves the files to who adopts them."""
    path = written(tmp_path, BATCHES)
    with path.open("ab") as file:
        file.write(b"torn")
    content = path.read_bytes()
    [waiting] = survey(tmp_path).waiting
    assert (waiting.writer, list(waiting.batches), waiting.clicks) == (WRITER, BATCHES, 19)
    assert (waiting.owned, waiting.torn) == (False, 4)
    assert path.read_bytes() == content
    assert survey(tmp_path / "nowhere").waiting == []

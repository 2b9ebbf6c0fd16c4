"""A journal under faults at every step: what was confirmed, and SQL has not, is there."""

import itertools
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from loadtest.process import ROOT
from redirector.journal import file as journal_file
from redirector.journal.directory import path_of
from redirector.journal.errors import JournalDiskError
from redirector.journal.file import FullError, JournalFile, look_at
from redirector.journal.format import HEADER_SIZE
from redirector.journal.records import Record
from tests.disk import room_for

WRITER = "0123456789abcdef" * 2
HALF_SIZE = 1000
COUNTERS = st.dictionaries(
    st.integers(1, 20).map("{}:500000:human".format), st.integers(1, 9), min_size=1, max_size=8
)


class Owner(RuleBasedStateMachine):
    """Writes as a redirector does: what the disk refused is offered again as it was."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="waymark-"))
        self.number = self.acknowledged = self.confirmed = 0
        # What each number stands for, and what was sent, which is never merged over.
        self.told: dict[int, dict[str, int]] = {}
        self.ends: set[int] = set()
        self.refused: list[Record] = []

    @initialize()
    def begin(self) -> None:
        """An empty journal."""
        self.file = JournalFile.create(path_of(self.directory, WRITER), WRITER)

    def teardown(self) -> None:
        """Nothing is left."""
        self.file.close()
        shutil.rmtree(self.directory)

    @rule(contents=st.lists(COUNTERS, min_size=1, max_size=3), room=st.integers(0, 3 * HALF_SIZE))
    def write_with_little_room(self, contents: list[dict[str, int]], room: int) -> None:
        """The disk is full somewhere in the file, or in the one that takes its place."""
        with room_for(HEADER_SIZE + room):
            self.write(contents)

    @rule(contents=st.lists(COUNTERS, min_size=1, max_size=3))
    def write(self, contents: list[dict[str, int]]) -> None:
        """One group commit, or several."""
        if not self.refused:
            for counts in contents:
                self.number += 1
                self.told[self.number] = counts
                self.refused.append(Record(self.number, self.number, counts))
        records = self.refused
        with suppress(JournalDiskError):
            try:
                self.file.append(records, self.acknowledged)
            except FullError:
                self.file.make_anew(records, self.acknowledged, self.ends)
            self.confirmed = self.number
            self.refused = []

    @rule(share=st.floats(0, 1))
    def send(self, share: float) -> None:
        """What is confirmed may be sent, up to any record."""
        ends = [each.last for each in self.held() if each.last <= self.confirmed]
        if ends:
            self.ends.add(ends[int(share * (len(ends) - 1))])

    @rule(share=st.floats(0, 1))
    def acknowledge(self, share: float) -> None:
        """SQL has something of what was sent."""
        ends = sorted(end for end in self.ends if end > self.acknowledged)
        if ends:
            self.acknowledged = ends[int(share * (len(ends) - 1))]

    @rule()
    def remove(self) -> None:
        """Somebody deletes it: what SQL has not is written again where it was confirmed."""
        if not self.refused:
            self.file.path.unlink()
            self.write([{"1:500000:human": 1}])

    @invariant()
    def nothing_is_missing(self) -> None:
        """What was confirmed is there, with the clicks that it had, and nothing comes twice."""
        found: dict[int, Record] = {}
        for record in self.held():
            for number in range(record.first, record.last + 1):
                assert number not in found
                found[number] = record
            counts: dict[str, int] = {}
            for number in range(record.first, record.last + 1):
                for name, clicks in self.told[number].items():
                    counts[name] = counts.get(name, 0) + clicks
            assert counts == record.counts
        assert set(range(self.acknowledged + 1, self.confirmed + 1)) <= set(found)
        # SQL may have any part of what was sent, and takes ranges as they are.
        for end in self.ends:
            if end in found:
                assert found[end].last == end

    def held(self) -> list[Record]:
        """What is in the file."""
        content = look_at(path_of(self.directory, WRITER))
        assert content is not None
        return content[1]


@pytest.fixture(autouse=True)
def small_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that they are full, and the file is made anew, every few records."""
    monkeypatch.setattr(journal_file, "HALF_SIZE", HALF_SIZE)


def test_whatever_the_disk_refuses() -> None:
    """At every byte of every write, and again and again."""
    Owner.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
    Owner.TestCase("runTest").runTest()


_WRITING = f"""
import itertools, sys
from redirector.journal import file
from redirector.journal.file import FullError, JournalFile
from redirector.journal.records import Record
from pathlib import Path

file.HALF_SIZE = {HALF_SIZE}
journal = JournalFile.create(Path(sys.argv[1]), {WRITER!r})
for number in itertools.count(1):
    record = Record(number, number, {{f"{{number}}:500000:human": number}})
    # SQL is behind more and more, until the file has to grow, and then has all at once.
    acknowledged = max(0, number - number % 150)
    try:
        journal.append([record], acknowledged)
    except FullError:
        journal.make_anew([record], acknowledged, range(0, number, 7))
    sys.stdout.buffer.write(b"%d\\n" % number)
    sys.stdout.buffer.flush()
"""


@pytest.mark.parametrize("seed", range(12))
def test_whenever_the_process_is_killed(seed: int, tmp_path: Path) -> None:
    """What it had confirmed is found by who adopts the journal, and at most one record more."""
    path = path_of(tmp_path, WRITER)
    wanted = random.Random(seed).randrange(1, 600)
    with subprocess.Popen(
        [sys.executable, "-c", _WRITING, str(path)], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        lines = list(itertools.islice(process.stdout, wanted))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    # The last line may be cut off.
    confirmed = max(int(line) for line in lines if line.endswith(b"\n"))
    assert confirmed >= wanted
    adopted = JournalFile.adopt(path)
    assert adopted is not None
    file, placed = adopted
    numbers: list[int] = []
    for record, _ in placed:
        own = range(record.first, record.last + 1)
        assert record.counts == {f"{number}:500000:human": number for number in own}
        numbers += own
    acknowledged = confirmed - confirmed % 150
    assert set(range(acknowledged + 1, confirmed + 1)) <= set(numbers)
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) <= confirmed + 1
    file.close()

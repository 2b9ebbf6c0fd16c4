"""`python -m tests.mutations`: takes each mechanism of counting and of access away, one at a time.

For each a test must fail: a mechanism that nothing misses is not tested. The change is made in a
copy; `tests/system/README.md` tells the pairs.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_PARTS = (
    *("api", "dashboard", "loadtest", "redirector", "serving", "tests", "tracking"),
    *("pyproject.toml", "README.md"),
)
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mechanism that is taken away.

    Attributes:
        text: what stands in the file, once.
        instead: what is put there.
        test: that must fail then.
    """

    mechanism: str
    file: str
    text: str
    instead: str
    test: str


MUTATIONS = (
    Mutation(
        "Redis adds a range only where it follows",
        "redirector/counters/scripts/ship.lua",
        "if last < first or last == 0 or first ~= number + 1 then",
        "if last < first or last == 0 then",
        "tests/redirector/test_counters.py::test_a_range_is_added_once_and_in_order",
    ),
    Mutation(
        "what lies below SQL's number is void in Redis",
        "redirector/counters/scripts/ship.lua",
        "if number < acknowledged then",
        "if false then",
        "tests/redirector/test_counters.py::test_an_older_copy_is_void",
    ),
    Mutation(
        "counters whose records nobody knows are dropped",
        "redirector/counters/scripts/ship.lua",
        "if not state[2] then",
        "if false then",
        "tests/redirector/test_counters.py::test_counters_without_their_range_are_void",
    ),
    Mutation(
        "what SQL refused goes with all that is pending of its writer",
        "redirector/counters/scripts/settle.lua",
        'if ARGV[2] == "refused" then',
        "if false then",
        "tests/redirector/test_flush.py::test_what_sql_refuses_is_sent_again",
    ),
    Mutation(
        "a sealed batch without counters is void",
        "redirector/flusher/flush.py",
        "[Verdict.REFUSED] * len(void)",
        "[Verdict.KNOWN] * len(void)",
        "tests/redirector/test_flush.py::test_a_batch_without_its_counters_is_sent_again",
    ),
    Mutation(
        "what is not understood stays, with all behind it",
        "redirector/flusher/flush.py",
        "                waiting.add(each.writer)\n",
        "",
        "tests/redirector/test_flush.py::test_what_is_not_understood_stays",
    ),
    Mutation(
        "no record reaches over what was sent",
        "redirector/journal/file.py",
        "        if record.last in ends:\n",
        "        if False:\n",
        "tests/redirector/test_journal_file.py::test_a_full_one_is_made_anew",
    ),
    Mutation(
        "what the disk was offered is not merged any more",
        "redirector/recording/unacknowledged.py",
        "told = max(self._offered, max(self.ends, default=0))",
        "told = max(self.ends, default=0)",
        "tests/redirector/test_unacknowledged.py"
        "::test_what_the_disk_was_offered_is_offered_again_as_it_was",
    ),
    Mutation(
        "what was sent is not merged any more",
        "redirector/recording/unacknowledged.py",
        "told = max(self._offered, max(self.ends, default=0))",
        "told = self._offered",
        "tests/redirector/test_unacknowledged.py::test_records_in_memory_are_merged",
    ),
    Mutation(
        "a merged record stands for no number that is missing",
        "redirector/journal/records.py",
        "follows = bool(kept) and kept[-1].last + 1 == record.first",
        "follows = bool(kept)",
        "tests/redirector/test_journal_file.py::test_merging_has_a_limit_and_no_gaps",
    ),
    Mutation(
        "a half is begun anew only when SQL has all of it",
        "redirector/journal/file.py",
        "            self._lasts[other] > acknowledged\n            or ",
        "            ",
        "tests/redirector/test_journal_file.py::test_a_full_one_is_made_anew",
    ),
    Mutation(
        "a record's checksum is looked at",
        "redirector/journal/format.py",
        " or zlib.crc32(checked) != checksum:",
        ":",
        "tests/redirector/test_journal_file.py::test_a_damaged_record_takes_none_along",
    ),
    Mutation(
        "a living owner keeps its journal",
        "redirector/journal/directory.py",
        "        ours = lock(file, fcntl.LOCK_EX) and is_at(file, path)\n",
        "        ours = is_at(file, path)\n",
        "tests/redirector/test_journal_file.py::test_what_was_written_is_there",
    ),
    Mutation(
        "without the disk clicks are shipped at once",
        "redirector/recording/recorder.py",
        "            self.disk.lost(error)\n            self._retry",
        "            self._retry",
        "tests/redirector/test_journal_way.py::test_without_the_disk_clicks_go_to_redis",
    ),
    Mutation(
        "journals of ended processes are finished",
        "redirector/recording/recovery.py",
        "        await found.shipper.ship()\n",
        "",
        "tests/redirector/test_journal_way.py::test_an_ended_writers_journal_is_finished",
    ),
    Mutation(
        "a writer goes on until Redis has nothing of it",
        "redirector/recording/recovery.py",
        " or not found.waiting.sql_has_all_of_redis",
        "",
        "tests/redirector/test_journal_way.py::test_what_redis_has_beyond_a_journal_is_counted",
    ),
    Mutation(
        "a spool's batches that were counted are not moved",
        "redirector/upgrade/spools.py",
        "if batch.first > number]",
        "]",
        "tests/redirector/test_upgrade.py::test_a_spool_becomes_a_journal",
    ),
    Mutation(
        "a field that tells who is asking is never passed over",
        "redirector/http/heads.py",
        "        if name.lower() in _TELLING_NAMES:\n            return\n",
        "",
        "tests/redirector/test_heads.py::test_what_matters_is_never_passed_over",
    ),
    Mutation(
        "a field that is passed over is plain",
        "redirector/http/heads.py",
        ':[ -~]*\\r(?=\\n)" % names',
        ':[^\\r]*\\r(?=\\n)" % names',
        "tests/redirector/test_heads.py::test_a_field_that_is_passed_over_is_plain",
    ),
    Mutation(
        "what stands behind a head is no part of it",
        "redirector/http/heads.py",
        "(?<!\\n\\r\\n)",
        "",
        "tests/redirector/test_heads.py::test_what_comes_behind_a_head_is_no_part_of_it",
    ),
    Mutation(
        "a range that SQL has is not applied again",
        "tracking/writers.py",
        "    if last <= number:\n",
        "    if last < number:\n",
        "tests/tracking/test_writers.py::test_ranges_are_accepted_in_order",
    ),
    Mutation(
        "a range that overlaps or leaves a gap is refused",
        "tracking/writers.py",
        "if first == number + 1 else",
        "if first > number else",
        "tests/tracking/test_writers.py::test_ranges_are_accepted_in_order",
    ),
    Mutation(
        "nothing is written to a database whose file was replaced",
        "tracking/driver.py",
        "        self._connection.check_file()\n",
        "",
        "tests/tracking/test_database.py::test_a_file_that_was_replaced_is_noticed",
    ),
    Mutation(
        "connections that failed are all closed before others are opened",
        "tracking/database.py",
        "                await self._close_connections(_RENEWAL_SECONDS)\n",
        "",
        "tests/tracking/test_database.py::test_a_connection_that_was_opened_read_only_is_not_kept",
    ),
    Mutation(
        "a flusher that moves no clicks says nothing",
        "redirector/flusher/__main__.py",
        "        if not self._stuck and self._redis.known:\n",
        "        if self._redis.known:\n",
        "tests/redirector/test_recovery.py::test_a_flusher_that_moves_nothing_says_nothing",
    ),
    Mutation(
        "the flusher flushes a last time when it is stopped",
        "redirector/flusher/__main__.py",
        "_LAST_FLUSHES = 10",
        "_LAST_FLUSHES = 0",
        "tests/redirector/test_processes.py::test_the_last_flush_takes_all",
    ),
    Mutation(
        "an event's hours grow with its campaigns'",
        "tracking/clicks.py",
        "        of_events[event, hour, audience.value] += clicks\n",
        "        of_events[event, hour, audience.value] += 1\n",
        "tests/tracking/statistics/test_reading.py::test_campaigns_add_up_to_the_event",
    ),
    Mutation(
        "a deleted campaign's clicks leave its event's hours",
        "tracking/clicks.py",
        "                -click_hours.c.clicks,\n",
        "                0 * click_hours.c.clicks,\n",
        "tests/tracking/statistics/test_reading.py"
        "::test_a_deleted_campaign_leaves_its_events_hours",
    ),
    Mutation(
        "a page asks for the role that it needs",
        "dashboard/access/door.py",
        "found.may(self.acts if writes else self.sees)",
        "found.may(Role.VIEWER)",
        "tests/dashboard/test_roles.py::test_what_a_role_does",
    ),
    Mutation(
        "a form's token is the session's own",
        "dashboard/access/door.py",
        "        or not csrf.is_valid(key, token)\n",
        "",
        "tests/dashboard/test_roles.py::test_forms_of_others_are_refused",
    ),
    Mutation(
        "a form comes from a page of this server",
        "dashboard/access/door.py",
        "        or not csrf.is_from_here(request, origin)\n",
        "",
        "tests/dashboard/test_roles.py::test_forms_of_others_are_refused",
    ),
    Mutation(
        "what a page shows is escaped",
        "dashboard/rendering.py",
        "autoescape=True",
        "autoescape=False",
        "tests/dashboard/test_escaping.py::test_every_page_escapes_what_it_shows",
    ),
    Mutation(
        "a sign-in link is used up",
        "tracking/access/sign_in_links.py",
        "await connection.execute(statement.values(used_at=time.time()))",
        "assert statement is not None",
        "tests/dashboard/test_signing_in.py::test_a_link_works_once",
    ),
    Mutation(
        "what was taken away stays taken away after a restore",
        "tracking/restore.py",
        "        carrying_over.apply(connection, replaced.access)\n",
        "",
        "tests/redirector/test_restore.py::test_what_was_taken_away_since_stays_taken_away",
    ),
)


def main() -> int:
    """Tries each; the exit status is 1 when a mechanism is missed by no test."""
    unnoticed = 0
    for mutation in MUTATIONS:
        noticed = _is_noticed(mutation)
        print(f"{'noticed' if noticed else 'NOT NOTICED'}: {mutation.mechanism}", flush=True)
        unnoticed += not noticed
    return 1 if unnoticed else 0


def _is_noticed(mutation: Mutation) -> bool:
    with tempfile.TemporaryDirectory(prefix="waymark-") as name:
        copy = Path(name)
        for part in _PARTS:
            source = _ROOT / part
            if source.is_dir():
                shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / part)
        if _status(copy, mutation.test):
            raise RuntimeError(f"{mutation.test} fails as it is")
        file = copy / mutation.file
        text = file.read_text()
        if text.count(mutation.text) != 1:
            raise RuntimeError(f"{mutation.file} does not hold {mutation.text!r} once")
        file.write_text(text.replace(mutation.text, mutation.instead))
        return _status(copy, mutation.test) != 0


def _status(directory: Path, test: str) -> int:
    # Beside this directory, `python -m` finds the copy's packages before the installed ones.
    command = [sys.executable, "-m", "pytest", "-q", "--numprocesses=0", "-p", "no:cacheprovider"]
    with subprocess.Popen(
        [*command, test],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as tests:
        try:
            return tests.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            return 1
        finally:
            # And the servers that it left behind.
            with suppress(ProcessLookupError):
                os.killpg(tests.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())

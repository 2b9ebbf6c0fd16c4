"""`python -m tests.mutations`: takes each mechanism of the counting contract away, one at a time.

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
    *("api", "loadtest", "redirector", "serving", "tests", "tracking"),
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
        "a batch's number is compared with the writer's last",
        "redirector/scripts/record.lua",
        "if number > last then",
        "if true then",
        "tests/redirector/test_recorder.py::test_lost_replies_count_once",
    ),
    Mutation(
        "a batch that is in the ledger is not applied again",
        "tracking/clicks.py",
        "    if await is_applied(connection, batch.id):\n        return False\n",
        "    same = flush_batches.c.id == batch.id\n"
        "    await connection.execute(delete(flush_batches).where(same))\n",
        "tests/tracking/test_clicks.py::test_a_batch_is_applied_once",
    ),
    Mutation(
        "counters keep the id that they began with",
        "redirector/scripts/seal.lua",
        'local id = redis.call("HGET", KEYS[1], "id")',
        'local id = redis.call("EXISTS", KEYS[1]) == 1 and redis.call("TIME")[2]',
        "tests/redirector/test_flusher.py::test_an_older_copy_with_counters_gets_no_new_clicks",
    ),
    Mutation(
        "counters of a server's earlier life get no new clicks",
        "redirector/scripts/record.lua",
        "  if run then\n",
        "  if false then\n",
        "tests/redirector/test_flusher.py::test_an_older_copy_with_counters_gets_no_new_clicks",
    ),
    Mutation(
        "what was flushed is not sent to a Redis that forgot it",
        "redirector/recorder.py",
        "await self._spool.confirm(number)",
        "await self._spool.confirm(0)",
        "tests/redirector/test_recorder.py"
        "::test_what_was_flushed_is_not_sent_to_a_redis_that_forgot_it",
    ),
    Mutation(
        "spools of ended processes are adopted",
        "redirector/adoption.py",
        "await self._thread.run(partial(Spool.adopt, path))",
        "None",
        "tests/redirector/test_recorder.py::test_an_ended_writers_spool_is_adopted",
    ),
    Mutation(
        "the spool of a living process is left alone",
        "redirector/spool_files.py",
        "fcntl.flock(file, kind | fcntl.LOCK_NB)",
        "pass",
        "tests/redirector/test_spool.py::test_a_living_owner_keeps_its_spool",
    ),
    Mutation(
        "a torn tail is cut off",
        "redirector/spool.py",
        "        os.ftruncate(file, content.end)\n",
        "",
        "tests/redirector/test_spool.py::test_a_torn_tail_is_cut_off",
    ),
    Mutation(
        "a record's checksum is compared",
        "redirector/spool_format.py",
        " or _checksum(number, payload) != checksum",
        "",
        "tests/redirector/test_spool.py::test_a_changed_byte_is_found",
    ),
    Mutation(
        "half a record is taken back when the disk is full",
        "redirector/spool.py",
        "                os.ftruncate(self._file, self._end)\n",
        "                pass\n",
        "tests/redirector/test_spool.py::test_a_full_disk_leaves_the_spool_as_it_was",
    ),
    Mutation(
        "a spool is sent in the order of its batches",
        "redirector/recorder.py",
        "            await self._add(batches, patience)\n",
        "            for batch in reversed(batches):\n"
        "                await self._add([batch], patience)\n",
        "tests/redirector/test_recorder.py::test_a_killed_redis_loses_nothing_confirmed",
    ),
    Mutation(
        "batches that may have been sent are not merged",
        "redirector/spool.py",
        "            self._sent = max(self._sent, batches[-1].number)\n",
        "            pass\n",
        "tests/redirector/test_spool.py::test_what_was_handed_out_is_never_merged",
    ),
    Mutation(
        "clicks are on disk before they are answered, while Redis is away",
        "redirector/recorder.py",
        "                if await self._store_on_disk():\n                    break\n",
        "                batch.release()\n",
        "tests/redirector/test_recorder.py::test_closing_without_redis_leaves_clicks_on_disk",
    ),
    Mutation(
        "a spool that can't be read is left behind, and clicks go to Redis again",
        "redirector/recorder.py",
        "                    await self._begin_anew(error)\n",
        "                    await self._lose_redis(error)\n",
        "tests/redirector/test_recorder.py"
        "::test_a_spool_that_can_not_be_read_keeps_nobody_from_redis",
    ),
    Mutation(
        "what was not sent as the old writer's is sent as the new one's",
        "redirector/recorder.py",
        "                self._numbered = NumberedBatch(1, self._numbered.counts)\n",
        "                pass\n",
        "tests/redirector/test_recorder.py"
        "::test_a_click_under_way_goes_to_redis_when_the_spool_can_not_be_read",
    ),
    Mutation(
        "a damaged record takes none along",
        "redirector/spool_format.py",
        "            corrupt += 1\n",
        "            break\n",
        "tests/redirector/test_spool.py::test_a_damaged_record_takes_none_along",
    ),
    Mutation(
        "a spool that another's is in the place of is not deleted",
        "redirector/spool.py",
        "            if is_at(self._file, self._path):\n",
        "            if True:\n",
        "tests/redirector/test_spool.py::test_a_spool_that_is_another_s_now_is_not_deleted",
    ),
    Mutation(
        "a spool that can't be used keeps no other from being adopted",
        "redirector/adoption.py",
        "                await self._leave(path, str(error))\n",
        "                break\n",
        "tests/redirector/test_adoption.py::test_one_that_can_not_be_used_stops_no_other",
    ),
    Mutation(
        "clicks that wait in memory count under their own hour",
        "redirector/recorder.py",
        "            self._note_hour()\n            self._woken.set()\n",
        "            self._woken.set()\n",
        "tests/redirector/test_recorder.py::test_clicks_count_under_the_hour_they_were_made",
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
        "redirector/flusher.py",
        "        if not self._stuck and self._redis.known:\n",
        "        if self._redis.known:\n",
        "tests/redirector/test_recovery.py::test_a_flusher_that_moves_nothing_says_nothing",
    ),
    Mutation(
        "the flusher flushes a last time when it is stopped",
        "redirector/flusher.py",
        "_LAST_FLUSHES = 10",
        "_LAST_FLUSHES = 0",
        "tests/redirector/test_processes.py::test_the_last_flush_takes_all",
    ),
    Mutation(
        "numbers of writers that still have a spool are kept",
        "redirector/flusher.py",
        " if writer.decode() not in spooling]",
        "]",
        "tests/redirector/test_flusher.py::test_numbers_of_ended_writers_are_dropped",
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

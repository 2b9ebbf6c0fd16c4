"""What waits in journals, as anyone may look at it."""

from dataclasses import dataclass
from pathlib import Path

from redirector.journal.directory import files
from redirector.journal.errors import JournalError
from redirector.journal.file import look_at
from redirector.journal.records import Record
from tracking.writers import Writer


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a journal holds.

    Attributes:
        records: of which SQL has all up to its number for the writer.
        owned: whether a living process owns it.
    """

    writer: Writer
    records: tuple[Record, ...]
    owned: bool

    def beyond(self, number: int) -> tuple[Record, ...]:
        """Those that SQL has not, when it has all up to this number."""
        return tuple(record for record in self.records if record.last > number)


@dataclass(frozen=True, slots=True)
class Survey:
    """What is in a directory of journals.

    Attributes:
        unreadable: by file, why nothing can be told of it.
    """

    waiting: list[Waiting]
    unreadable: dict[Path, str]


def survey(directory: Path) -> Survey:
    """Looks at all journals in the directory, without taking any of them over.

    Raises:
        JournalDiskError: the directory can't be read.
    """
    found = Survey([], {})
    for path in files(directory):
        try:
            content = look_at(path)
        except JournalError as error:
            found.unreadable[path] = str(error)
            continue
        if content is not None:  # it was finished meanwhile
            writer, records, owned = content
            found.waiting.append(Waiting(writer, tuple(records), owned))
    return found

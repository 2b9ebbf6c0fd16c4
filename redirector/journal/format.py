"""The format of a journal's file, as bytes.

    header   4,096 bytes: "waymark journal <version> <writer> <bytes of a half>\\n", zeros
    halves   two of the same size, written by turns; each is a row of records, one behind the other
    record   ">4sIIQQQ": the bytes "WMrk", length of the payload, CRC-32 of all that follows, the
             half's generation, the numbers of the first and the last group that it stands for
    payload  a line for each counter: its name, and behind a space its clicks where it is not one

A half that is begun anew gets the next generation, so that what is left of the one before behind
its records is no part of it. Of a half the records of the first one's generation count. One that
is cut short or whose checksum is wrong with none of this generation behind it is the torn end of a
write, for which nobody was answered; with others behind it, it was damaged on the disk: it is left
out, and what follows counts.
"""

import re
import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from redirector.journal.errors import UnreadableJournalError
from redirector.journal.records import Record
from tracking.writers import Writer

_VERSION = 2  # 1 were the spools of earlier versions
HEADER_SIZE = 4096
_HEADER = re.compile(rb"waymark journal (\d{1,9}) ([0-9a-f]{32}) (\d{1,15})\n")
_MARK = b"WMrk"
_RECORD = struct.Struct(">4sIIQQQ")
_CHECKED = struct.Struct(">QQQ")
_CHECKED_AT = _RECORD.size - _CHECKED.size


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is in a file, in bytes."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """Where what follows it begins."""
        return self.offset + self.length


class Placed(NamedTuple):
    """A record, and where it is."""

    record: Record
    place: Place


@dataclass(frozen=True, slots=True)
class Half:
    """What is in one of a journal's halves.

    Attributes:
        generation: 0: nothing was ever written to it.
        end: where the last whole record ends, in bytes.
    """

    generation: int
    records: tuple[Placed, ...]
    end: int


def header(writer: Writer, half_size: int) -> bytes:
    """What a file begins with."""
    return f"waymark journal {_VERSION} {writer} {half_size}\n".encode().ljust(HEADER_SIZE, b"\0")


def read_header(data: bytes) -> tuple[Writer, int]:
    """The writer that a file's header names, and the size of a half.

    Raises:
        UnreadableJournalError: it is no journal of this version.
    """
    found = _HEADER.match(data[:HEADER_SIZE])
    if found is None:
        raise UnreadableJournalError("it is no journal")
    if int(found[1]) != _VERSION:
        raise UnreadableJournalError(
            f"it has version {int(found[1])}, this program knows {_VERSION}"
        )
    return found[2].decode(), int(found[3])


def encode(record: Record, generation: int) -> bytes:
    """A record as bytes."""
    lines = [name if n == 1 else f"{name} {n}" for name, n in record.counts.items()]
    payload = "\n".join(lines).encode()
    checked = _CHECKED.pack(generation, record.first, record.last)
    checksum = zlib.crc32(payload, zlib.crc32(checked))
    return b"".join(
        (_MARK, len(payload).to_bytes(4, "big"), checksum.to_bytes(4, "big"), checked, payload)
    )


def decode(data: bytes) -> tuple[int, Record] | None:
    """The generation and the record that bytes begin with; None when it is not whole."""
    if len(data) < _RECORD.size:
        return None
    mark, length, checksum, generation, first, last = _RECORD.unpack_from(data)
    checked = data[_CHECKED_AT : _RECORD.size + length]
    if mark != _MARK or len(checked) != _CHECKED.size + length or zlib.crc32(checked) != checksum:
        return None
    counts = {}
    for line in data[_RECORD.size : _RECORD.size + length].decode().split("\n"):
        name, _, clicks = line.partition(" ")
        counts[name] = int(clicks or 1)
    return generation, Record(first, last, counts)


def read_half(data: bytes, begin: int, end: int) -> Half:
    """Reads what is whole of a half, which lies between these bytes."""
    records: list[Placed] = []
    generation, at = 0, begin
    while (found := _next_record(data, at, end, generation)) is not None:
        placed, generation = found
        records.append(placed)
        at = placed.place.end
    return Half(generation, tuple(records), at)


def _next_record(data: bytes, at: int, end: int, generation: int) -> tuple[Placed, int] | None:
    """The first whole record of this generation (0 = any) at or behind a place."""
    while 0 <= at < end:
        found = decode(data[at : _end_of(data, at, end)])
        if found is not None and generation in {0, found[0]}:
            place = Place(at, _end_of(data, at, end) - at)
            return Placed(found[1], place), found[0]
        at = data.find(_MARK, at + 1, end)
    return None


def _end_of(data: bytes, at: int, end: int) -> int:
    length = int.from_bytes(data[at + len(_MARK) : at + len(_MARK) + 4], "big")
    return min(at + _RECORD.size + length, end)

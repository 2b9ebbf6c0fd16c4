"""The format of a spool file, as bytes.

    header   b"waymark spool 1 <writer>\\n": the format's version and the writer's id
    record   ">IIQ": length of the payload, CRC-32 of number and payload, number of the batch;
             then the payload, a JSON object from field to clicks

A record that is cut short, or whose checksum is wrong, at the end of a file is the torn tail of a
write that did not come to its end: nobody was answered for it. With a whole record behind it, it
was damaged on the disk: it is left out, and what follows counts.
"""

import json
import re
import struct
import zlib
from dataclasses import dataclass

from redirector.batches import NumberedBatch, Writer
from tracking.errors import WaymarkError

_VERSION = 1
_HEADER = re.compile(rb"waymark spool (\d{1,9}) ([0-9a-f]{32})\n")
_MAX_HEADER = 64
_RECORD = struct.Struct(">IIQ")


class SpoolError(WaymarkError):
    """A spool can't be used: the root of these errors, none of which Redis or SQL ever raises."""


class SpoolDiskError(SpoolError):
    """The disk refused: it is full, read-only, broken or out of reach. The text is the system's."""


class UnreadableSpoolError(SpoolError):
    """A file that is no spool, or one of a later version: it is left alone."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is, in bytes, and how much it holds."""

    number: int
    offset: int
    length: int
    fields: int
    clicks: int


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: its records, and where the last whole one ends.

    Attributes:
        corrupt: how many records before that end are damaged, and were left out.
    """

    writer: Writer
    batches: tuple[NumberedBatch, ...]
    places: tuple[Place, ...]
    end: int
    corrupt: int


def header(writer: Writer) -> bytes:
    """What a file begins with."""
    return f"waymark spool {_VERSION} {writer}\n".encode()


def encode(batch: NumberedBatch) -> bytes:
    """A batch as a record."""
    payload = json.dumps(dict(batch.counts), separators=(",", ":")).encode()
    return _RECORD.pack(len(payload), _checksum(batch.number, payload), batch.number) + payload


def decode(record: bytes) -> NumberedBatch | None:
    """The record's batch; None when it is not whole."""
    if len(record) < _RECORD.size:
        return None
    length, checksum, number = _RECORD.unpack_from(record)
    payload = record[_RECORD.size :]
    if len(payload) != length or _checksum(number, payload) != checksum:
        return None
    return NumberedBatch(number, json.loads(payload))


def parse(data: bytes) -> Content:
    """Reads what is whole of a file.

    Raises:
        UnreadableSpoolError: it is no spool of this version.
    """
    first = _HEADER.match(data[:_MAX_HEADER])
    if first is None:
        raise UnreadableSpoolError("it is no spool")
    if int(first[1]) != _VERSION:
        raise UnreadableSpoolError(f"it has version {int(first[1])}, this program knows {_VERSION}")
    batches, places, end, corrupt = [], [], first.end(), 0
    while record := _record_at(data, end):
        batch = decode(record)
        if batch is not None:
            places.append(place_of(batch, end, len(record)))
            batches.append(batch)
        elif decode(_record_at(data, end + len(record))) is not None:
            corrupt += 1
        else:
            break
        end += len(record)
    return Content(first[2].decode(), tuple(batches), tuple(places), end, corrupt)


def place_of(batch: NumberedBatch, offset: int, length: int) -> Place:
    """Where a batch's record is."""
    return Place(batch.number, offset, length, len(batch.counts), batch.clicks)


def _record_at(data: bytes, offset: int) -> bytes:
    """As much of the record as there is."""
    length = int.from_bytes(data[offset : offset + 4], "big")
    return data[offset : offset + _RECORD.size + length]


def _checksum(number: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(number.to_bytes(8, "big")))

"""Who sends a plain request, by its head, most of which is not read.

Visitors with the same browser send the same head: the verdict on it is remembered. Behind a proxy
or a CDN no two heads are the same, for a few fields have a new value each time: the visitor's
address, a trace, a cookie. Which ones is learned, they are cut out, and the rest is looked up.

A head is what stands behind a request's line, from the line feed that ends that line: each of its
fields follows one.
"""

import re
from collections.abc import Callable
from typing import Final

from redirector.http.audience import AUDIENCE_HEADERS, audience_of
from serving.connection import HOST
from tracking.clicks import Audience

LONGEST: Final = 8192
"""Bytes of a head. Browsers' have 500 to 2,000."""

_REMEMBERED_BYTES: Final = 8 * 1024 * 1024
# What each takes beside its own bytes.
_ENTRY_BYTES: Final = 160
# A field has new values when it had so many; so many fields of that kind are cut out, at most.
_NEW_VALUES: Final = 64
_MOST_NEW_FIELDS: Final = 16
# Lines that were seen, as numbers, to tell new ones from known ones.
_SEEN_LINES: Final = 16_384
_LONGEST_NAME: Final = 64

# Stricter than HTTP: no spaces but one after the colon and those inside the value.
_PLAIN_HEAD: Final = re.compile(r"\n(?:[A-Za-z0-9-]+: ?[!-~](?:[ -~]*[!-~])?\r\n)*\r\n")

# A request with one of these has a body, ends the connection, or wants to leave HTTP/1.1.
_SPECIAL_NAMES: Final = (
    "content-length",
    "transfer-encoding",
    "expect",
    "upgrade",
    "proxy-connection",
)
_SPECIAL_FIELD: Final = re.compile(
    rf"\n(?:{'|'.join(_SPECIAL_NAMES)}|connection(?!: ?keep-alive\r)):", re.IGNORECASE
)
# Finds each; what it says, where that is a host and not nothing.
_HOST_FIELD: Final = re.compile(rf"\nhost:(?: ?({HOST})\r)?", re.IGNORECASE)
_AUDIENCE_FIELD: Final = re.compile(rf"\n({'|'.join(AUDIENCE_HEADERS)}): ?(.*)\r", re.IGNORECASE)
# Whose value matters is never passed over.
_TELLING_NAMES: Final = frozenset(
    map(str.encode, ("host", "connection", *_SPECIAL_NAMES, *AUDIENCE_HEADERS))
)


class Heads:
    """The heads that were looked at, and what they told.

    Attributes:
        known: who is asking, by a head without the fields that have new values.
        look_up: who is asking, by a head; None when the rest of it has to be read.
    """

    def __init__(self) -> None:
        self.known: dict[bytes, Audience] = {}
        self.look_up: Callable[[bytes], Audience | None] = self.known.get
        self._known_bytes = 0
        # The names of fields that have new values, and what cuts these out.
        self._new_fields: list[bytes] = []
        self._cut: Callable[[bytes, bytes], bytes] | None = None
        self._seen_lines: set[int] = set()
        self._values: dict[bytes, int] = {}

    def audience(self, head: bytes) -> Audience | None:
        """Who is asking.

        Returns:
            None when this is not the head of a plain request that keeps its connection and is to be
            led on.
        """
        if len(head) > LONGEST:
            return None
        audience = self.look_up(head)
        if audience is None:
            rest = head if self._cut is None else self._cut(b"", head)
            audience = _audience_of(rest)
            if audience is not None:
                self._remember(rest, audience)
        return audience

    def _look_up_rest(self, head: bytes) -> Audience | None:
        assert self._cut is not None
        return self.known.get(self._cut(b"", head))

    def _remember(self, head: bytes, audience: Audience) -> None:
        # When there are too many, all are forgotten: those that come often are soon back.
        self._known_bytes += len(head) + _ENTRY_BYTES
        if self._known_bytes > _REMEMBERED_BYTES:
            self.known.clear()
            self._known_bytes = len(head) + _ENTRY_BYTES
        self.known[head] = audience
        for line in head.split(b"\n"):
            self._learn(line)

    def _learn(self, line: bytes) -> None:
        """Notes that this line has come, and whether its field is one with new values."""
        name, colon, _ = line.partition(b":")
        mark = hash(line)
        if not colon or len(name) > _LONGEST_NAME or mark in self._seen_lines:
            return
        if name.lower() in _TELLING_NAMES:
            return
        if len(self._seen_lines) >= _SEEN_LINES:
            self._seen_lines.clear()
            self._values.clear()
        self._seen_lines.add(mark)
        values = self._values[name] = self._values.get(name, 0) + 1
        if values >= _NEW_VALUES and name not in self._new_fields:
            self._new_fields = [*self._new_fields, name][-_MOST_NEW_FIELDS:]
            # What has another value than a plain one stays, and is read; so does what stands behind
            # the empty line.
            names = b"|".join(map(re.escape, self._new_fields))
            self._cut = re.compile(b"\n(?<!\n\r\n)(?:%b):[ -~]*\r(?=\n)" % names).sub
            self.look_up = self._look_up_rest


def _audience_of(head: bytes) -> Audience | None:
    text = head.decode("latin-1")
    if _PLAIN_HEAD.fullmatch(text) is None or _SPECIAL_FIELD.search(text) is not None:
        return None
    hosts = _HOST_FIELD.findall(text)
    if len(hosts) != 1 or not hosts[0]:
        return None
    fields = _AUDIENCE_FIELD.findall(text)
    audience = audience_of((name.lower(), value) for name, value in fields)
    # A speculative request is not led on.
    return None if audience is Audience.PREFETCH else audience

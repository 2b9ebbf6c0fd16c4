"""What a connection may cost (the contract, "Redirects", last paragraph)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and seconds.

    Attributes:
        request_line: bytes of a request's first line; more: 414.
        head: bytes of a request's head; more: 431.
        body_seconds: from the end of a head until its body must be there.
        write_seconds: how long a client may leave an answer unread.
        unread_body: bytes of a body that are still read, and dropped, when its request was answered
            before it had come. Where more is to come, the connection is closed behind the answer.
        linger_seconds: how long a connection that is closed is still read from, so that the client
            gets its last answer (RFC 9112, section 9.6).
        linger_bytes: bytes that are read, and dropped, meanwhile.
        write_buffer: bytes of unread answers up to which the next request is answered.
        pieces: of a body that are read at once; a chunk may be a single byte, and 64 KiB of these
            would keep everyone else waiting for 50 ms.
    """

    request_line: int = 8 * 1024
    head: int = 32 * 1024
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    unread_body: int = 16 * 1024
    linger_seconds: float = 2.0
    linger_bytes: int = 64 * 1024
    write_buffer: int = 16 * 1024
    pieces: int = 256


# Seconds until a head must be complete, from the connection or the answer before it.
HEAD_SECONDS = 10

# Of a connection's kernel buffer, in bytes, and so of what comes at once: a client may send that
# much behind a request that is not answered yet. Linux doubles it for its own needs.
RECEIVE_BUFFER = 32 * 1024

# Of the kernel's buffer for what the client has not taken yet; doubled, too.
SEND_BUFFER = 64 * 1024

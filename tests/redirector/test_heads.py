"""What is remembered of heads, and what is passed over."""

from collections.abc import Callable

import pytest

from redirector.http import heads as module
from redirector.http.heads import Heads
from tracking.clicks import Audience

PERSON = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CRAWLER = b"Googlebot/2.1"
# More than it takes until a field is known for its new values.
MANY = 200


def head(*fields: bytes, user_agent: bytes = PERSON) -> bytes:
    """Of a request for x, with some fields more in front and at the end."""
    lines = (*fields[:1], b"Host: x", b"User-Agent: " + user_agent, *fields[1:], b"", b"")
    return b"\n" + b"\r\n".join(lines)


def behind_proxy(number: int, user_agent: bytes = PERSON) -> bytes:
    """As a proxy passes it on."""
    return head(
        b"X-Forwarded-For: 203.0.113.%d" % number,
        b"Accept-Language: de",
        b"CF-Ray: %x-FRA" % number,
        b"Cookie: session=%d; theme=dark" % number,
        user_agent=user_agent,
    )


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The heads that were read to the end, as they come."""
    texts: list[str] = []
    read_head: Callable[[bytes], Audience | None] = module._audience_of

    def note(head: bytes) -> Audience | None:
        texts.append(head.decode("latin-1"))
        return read_head(head)

    monkeypatch.setattr(module, "_audience_of", note)
    return texts


def test_heads_behind_a_proxy_are_not_read(read: list[str]) -> None:
    """However they differ in address, trace and cookie; a new browser's is."""
    heads = Heads()
    for number in range(MANY):
        assert heads.audience(behind_proxy(number)) is Audience.HUMAN
    del read[:]
    for number in range(MANY, 2 * MANY):
        assert heads.audience(behind_proxy(number)) is Audience.HUMAN
    assert read == []
    assert heads.audience(behind_proxy(1, CRAWLER)) is Audience.BOT
    assert len(read) == 1
    assert all(field not in read[0] for field in ("X-Forwarded-For", "CF-Ray", "Cookie"))


def test_another_order_of_fields_is_read_once(read: list[str]) -> None:
    """Browsers and proxies have one each."""
    heads = Heads()
    for number in range(MANY):
        heads.audience(behind_proxy(number))
    del read[:]
    for number in range(MANY):
        cookie = b"Cookie: session=%d" % number
        ray = b"CF-Ray: %x-FRA" % number
        assert heads.audience(head(b"Accept-Language: de", ray, cookie)) is Audience.HUMAN
    assert len(read) == 1


def case_variants(word: bytes) -> list[bytes]:
    """The same word, in many spellings."""
    text = word.decode()
    return [
        "".join(c.upper() if number >> at & 1 else c for at, c in enumerate(text)).encode()
        for number in range(MANY)
    ]


NUMBERED = [b"x%d" % number for number in range(MANY)]


@pytest.mark.parametrize(
    ("name", "values", "telling", "audience"),
    [
        (b"User-Agent", NUMBERED, CRAWLER, Audience.BOT),
        (b"Sec-Fetch-Dest", NUMBERED, b"image", Audience.EMBEDDED),
        (b"purpose", NUMBERED, b"prefetch", None),
        (b"Connection", case_variants(b"keep-alive"), b"close", None),
        (b"Host", NUMBERED, b"not a host", None),
    ],
    ids=lambda each: each.decode() if isinstance(each, bytes) else "",
)
def test_what_matters_is_never_passed_over(
    name: bytes, values: list[bytes], telling: bytes, audience: Audience | None
) -> None:
    """However many values it had before."""
    heads = Heads()
    other = b"" if name == b"Host" else b"Host: x\r\n"
    for value in values:
        assert heads.audience(b"\n%b%b: %b\r\n\r\n" % (other, name, value)) is not None
    assert heads.audience(b"\n%b%b: %b\r\n\r\n" % (other, name, telling)) is audience


@pytest.mark.parametrize(
    "value",
    [b"\xff", b"a\tb", b"a\0", b"a\nContent-Length: 1", b"a\rb", b"a\n\r\n"],
    ids=repr,
)
def test_a_field_that_is_passed_over_is_plain(value: bytes) -> None:
    """What the parser might refuse, or read as something else, is for the parser."""
    heads = Heads()
    for number in range(MANY):
        heads.audience(behind_proxy(number))
    assert heads.audience(head(b"Cookie: a", b"CF-Ray: b")) is Audience.HUMAN
    assert heads.audience(head(b"Cookie: " + value, b"CF-Ray: b")) is None
    assert heads.audience(head(b"CF-Ray: a", b"Cookie: " + value)) is None


@pytest.mark.parametrize("field", [b"Cookie: a\r\n", b"CF-Ray: a\r\nCookie: b\r\n", b"\r\n"])
def test_what_comes_behind_a_head_is_no_part_of_it(field: bytes) -> None:
    """Even where it looks like a field that is passed over: the parser reads another request."""
    heads = Heads()
    for number in range(MANY):
        heads.audience(behind_proxy(number))
    assert heads.audience(behind_proxy(1)) is Audience.HUMAN
    assert heads.audience(behind_proxy(1) + field) is None
    assert heads.audience(head() + field) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"Mozilla", b""), (b"\r\nUser-Agent", b""), (b"\r\n\r\n", b"\n"), (b"\r\n", b"")],
    ids=["in a value", "before a field", "behind the head", "an empty line"],
)
def test_what_is_passed_over_is_a_whole_line(before: bytes, after: bytes) -> None:
    """Nothing else that begins as its field does is: what stands around it would be joined."""
    heads = Heads()
    for number in range(MANY):
        heads.audience(behind_proxy(number))
    assert heads.audience(head()) is Audience.HUMAN
    for line in (b"\nCookie: a\r", b"\nCookie: a\r\n"):
        changed = head().replace(before, line + before, 1)
        assert heads.audience(changed) is None
        assert heads.audience(head().replace(before, before + line + after, 1)) is None
    assert heads.audience(head() + b"\nCookie: GET / HTTP/1.1\r") is None


def test_a_head_that_is_cut_off_is_for_the_parser() -> None:
    """Wherever it is."""
    heads = Heads()
    for number in range(MANY):
        heads.audience(behind_proxy(number))
    whole = behind_proxy(1)
    assert heads.audience(whole) is Audience.HUMAN
    assert all(heads.audience(whole[:length]) is None for length in range(len(whole)))


def test_who_sends_many_names_slows_down_nobody_else(read: list[str]) -> None:
    """Fields that somebody makes up are forgotten again, and the proxy's learned again."""
    heads = Heads()
    for name in range(40):
        for number in range(MANY):
            heads.audience(head(b"X-%d: %d" % (name, number)))
    for number in range(2 * MANY):
        heads.audience(behind_proxy(number))
    del read[:]
    for number in range(MANY):
        assert heads.audience(behind_proxy(2 * MANY + number)) is Audience.HUMAN
    assert read == []


@pytest.mark.parametrize(("size", "count"), [(0, 100_000), (8000, 3000), (9000, 3000)])
def test_what_is_remembered_is_bounded(size: int, count: int) -> None:
    """However many different heads come, however short or long, a few MiB are kept of them."""
    heads = Heads()
    for number in range(count):
        # A browser's name is never passed over.
        heads.audience(head(user_agent=b"%d%b" % (number, b"x" * size)))
        if number % 1000 == 999:
            assert sum(len(head) + 100 for head in heads.known) <= 8 << 20
    assert bool(heads.known) == (size <= 8192)

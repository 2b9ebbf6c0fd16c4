"""Bodies: formats in and out, and what can be wrong with them before their fields."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.api.conftest import Shop

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


@dataclass(frozen=True)
class Right:
    """A body, and the name and position that it gives a category."""

    content_type: str | None
    content: bytes
    name: str = "ä"
    position: int = 0


def _part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


RIGHT = {
    "JSON": Right(JSON, '{"name": "ä"}'.encode()),
    "JSON, escaped": Right(JSON, b'{"name": "\\u00e4"}'),
    "JSON, any case": Right("Application/JSON", '{"name": "ä"}'.encode()),
    "JSON with a charset": Right(f"{JSON}; charset=utf-8", '{"name": "ä"}'.encode()),
    "JSON, a name twice": Right(JSON, '{"name": 5, "name": "ä"}'.encode()),
    "JSON, white space": Right(JSON, ' \n{"name": "ä"}\t'.encode()),
    "JSON, half a character in an unknown name": Right(
        JSON, '{"\\ud800": 1, "name": "ä"}'.encode()
    ),
    "form": Right(FORM, b"name=%C3%A4&position=7", position=7),
    "form, not escaped": Right(FORM, "name=ä".encode()),
    "form, spaces": Right(FORM, b"name=a+b%20c", name="a b c"),
    "form, a name twice": Right(FORM, b"name=a&name=%C3%A4"),
    "form, empty value": Right(FORM, b"name=", name=""),
    "multipart": Right(
        MULTIPART, _part("name", "ä".encode()) + _part("position", b"7") + b"--b--\r\n", position=7
    ),
    "multipart, a name twice": Right(
        MULTIPART, _part("name", b"a") + _part("name", "ä".encode()) + b"--b--\r\n"
    ),
}


@pytest.mark.parametrize("case", RIGHT.values(), ids=RIGHT.keys())
async def test_three_formats_are_read(shop: Shop, case: Right) -> None:
    """JSON and both kinds of form, where a multi-lingual field is plain English."""
    response = await shop.client.post(
        "categories/", content=case.content, headers={"Content-Type": str(case.content_type)}
    )
    assert response.status_code == 201, response.text
    made = response.json()
    assert made["name"] == {"en": case.name}
    assert made["position"] == case.position
    assert made["description"] == {"en": ""}


@dataclass(frozen=True)
class Wrong:
    """A body, and the answer to it; `…` at its end stands for anything."""

    content_type: str | None
    content: bytes
    status: int
    answer: object


def _malformed(message: str) -> dict[str, str]:
    return {"detail": message}


def _no_object(name: str) -> dict[str, list[str]]:
    message = f"Invalid data. Expected a dictionary, but got {name}."
    return {"non_field_errors": [message]}


def _unsupported(content_type: str) -> dict[str, str]:
    return {"detail": f'Unsupported media type "{content_type}" in request.'}


NO_DATA = {"non_field_errors": ["No data provided"]}
NAME_REQUIRED = {"name": ["This field is required."]}

WRONG = {
    "JSON, cut": Wrong(JSON, b'{"name": ', 400, _malformed("JSON parse error - …")),
    "JSON, white space alone": Wrong(JSON, b" ", 400, _malformed("JSON parse error - …")),
    "JSON, two values": Wrong(JSON, b"{}{}", 400, _malformed("JSON parse error - …")),
    "JSON, a form": Wrong(JSON, b"name=a", 400, _malformed("JSON parse error - …")),
    "JSON, not UTF-8": Wrong(JSON, b'{"name": "\xff"}', 400, _malformed("JSON parse error - …")),
    "JSON, UTF-16": Wrong(
        JSON, '{"name": "a"}'.encode("utf-16"), 400, _malformed("JSON parse error - …")
    ),
    "JSON, a byte order mark": Wrong(
        JSON, b'\xef\xbb\xbf{"name": "a"}', 400, _malformed("JSON parse error - …")
    ),
    "JSON, a raw control character": Wrong(
        JSON, b'{"name": "\0"}', 400, _malformed("JSON parse error - …")
    ),
    "JSON, NaN": Wrong(
        JSON, b'{"x": NaN}', 400, _malformed("JSON parse error - NaN is not a JSON value")
    ),
    "JSON, -Infinity": Wrong(
        JSON,
        b'{"x": -Infinity}',
        400,
        _malformed("JSON parse error - -Infinity is not a JSON value"),
    ),
    "JSON, beyond a float": Wrong(
        JSON, b'{"x": 1e999}', 400, _malformed("JSON parse error - a number is too large")
    ),
    "JSON, a long number": Wrong(
        JSON,
        b'{"x": ' + b"9" * 5000 + b"}",
        400,
        _malformed("JSON parse error - a number has too many digits"),
    ),
    "JSON, deep": Wrong(
        JSON, b"[" * 200_000, 400, _malformed("JSON parse error - nested too deeply")
    ),
    "JSON, deep objects": Wrong(
        JSON, b'{"a":' * 100_000, 400, _malformed("JSON parse error - nested too deeply")
    ),
    "JSON, a list": Wrong(JSON, b"[{}]", 400, _no_object("list")),
    "JSON, a string": Wrong(JSON, b'"a"', 400, _no_object("str")),
    "JSON, an integer": Wrong(JSON, b"1", 400, _no_object("int")),
    "JSON, a float": Wrong(JSON, b"1.5", 400, _no_object("float")),
    "JSON, true": Wrong(JSON, b"true", 400, _no_object("bool")),
    "JSON, null": Wrong(JSON, b"null", 400, NO_DATA),
    "JSON, null in white space": Wrong(JSON, b" null\n", 400, NO_DATA),
    "JSON, nothing": Wrong(JSON, b"", 400, NAME_REQUIRED),
    "JSON, an empty object": Wrong(JSON, b"{}", 400, NAME_REQUIRED),
    "nothing at all": Wrong(None, b"", 400, NAME_REQUIRED),
    "nothing of another type": Wrong("text/xml", b"", 400, NAME_REQUIRED),
    "another type": Wrong("text/xml", b"<a/>", 415, _unsupported("text/xml")),
    "another type, with parameters": Wrong(
        "text/xml; charset=utf-8", b"<a/>", 415, _unsupported("text/xml; charset=utf-8")
    ),
    "a type of JSON": Wrong(
        "application/vnd.api+json", b"{}", 415, _unsupported("application/vnd.api+json")
    ),
    "no type": Wrong(None, b"{}", 415, _unsupported("")),
    "no type at all": Wrong("json", b"{}", 415, _unsupported("json")),
    "form, not UTF-8": Wrong(FORM, b"name=%ff", 400, _malformed("Form parse error - …")),
    "form, raw and not UTF-8": Wrong(FORM, b"name=\xff", 400, _malformed("Form parse error - …")),
    "form, too many": Wrong(FORM, b"a=1&" * 2000, 400, _malformed("Form parse error - …")),
    "form, NUL": Wrong(FORM, b"name=%00", 400, {"name": ["Null characters are not allowed."]}),
    "form, without a name": Wrong(FORM, b"a", 400, NAME_REQUIRED),
    "multipart, no boundary": Wrong(
        "multipart/form-data",
        _part("name", b"a"),
        400,
        _malformed("Multipart form parse error - …"),
    ),
    "multipart, another boundary": Wrong(
        "multipart/form-data; boundary=c",
        _part("name", b"a") + b"--b--\r\n",
        400,
        _malformed("Multipart form parse error - …"),
    ),
    **{
        f"multipart, cut off: {name}": Wrong(
            MULTIPART,
            content,
            400,
            _malformed("Multipart form parse error - the last boundary is missing"),
        )
        for name, content in {
            "before the last boundary": _part("name", b"a") + _part("internal_name", b"b"),
            "in the last boundary": _part("name", b"a") + b"--b-",
            "in a value": (_part("name", b"a") + _part("internal_name", b"b"))[:-3],
            "in a head": _part("name", b"a") + b"--b\r\nContent-Dispo",
            "in a file": _part("name", b"a") + _part("f", b"b", '; filename="a.txt"'),
            "after the first boundary": b"--b\r\n",
        }.items()
    },
    "multipart, a part without a name": Wrong(
        MULTIPART, b"--b\r\n\r\na\r\n--b--\r\n", 400, _malformed("Multipart form parse error - …")
    ),
    "multipart, no UTF-8": Wrong(
        MULTIPART,
        _part("name", b"\xe4") + b"--b--\r\n",
        400,
        _malformed("Multipart form parse error - 'utf-8' codec …"),
    ),
    "multipart, a boundary that none may be": Wrong(
        'multipart/form-data; boundary="b\\"; charset=utf-16"',
        _part("name", b"a") + b"--b--\r\n",
        400,
        _malformed("Multipart form parse error - the boundary is missing or wrong"),
    ),
    "multipart, too many": Wrong(
        MULTIPART,
        _part("a", b"1") * 2000 + b"--b--\r\n",
        400,
        _malformed("Multipart form parse error - …"),
    ),
    "multipart, a file": Wrong(
        MULTIPART,
        _part("name", b"a", '; filename="a.txt"') + b"--b--\r\n",
        400,
        {"name": ["Invalid data type."]},
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_body_is_told_as_json(shop: Shop, case: Wrong) -> None:
    """Whatever comes, the answer is JSON in the contract's shape, and nothing is written."""
    headers = {} if case.content_type is None else {"Content-Type": case.content_type}
    with shop.served.unchanged():
        response = await shop.client.post("categories/", content=case.content, headers=headers)
    assert response.status_code == case.status
    assert response.headers["Content-Type"] == "application/json"
    answer = response.json()
    if isinstance(case.answer, dict) and str(case.answer.get("detail", "")).endswith("…"):
        assert answer["detail"].startswith(case.answer["detail"].removesuffix("…"))
        assert list(answer) == ["detail"]
    else:
        assert answer == case.answer


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_wrong_body_is_told_for_items_too(shop: Shop, method: str) -> None:
    """PUT and PATCH read bodies as POST does."""
    made = await shop.category()
    for content, errors in ((b"[]", _no_object("list")), (b"null", NO_DATA)):
        with shop.served.unchanged():
            response = await shop.client.request(
                method, f"categories/{made['id']}/", content=content, headers={"Content-Type": JSON}
            )
        assert (response.status_code, response.json()) == (400, errors)


async def test_a_patch_without_a_body_changes_nothing(shop: Shop) -> None:
    """No body is an empty object."""
    made = await shop.category()
    response = await shop.client.patch(f"categories/{made['id']}/")
    assert (response.status_code, response.json()) == (200, made)


async def test_a_body_of_just_1_mib_is_read(shop: Shop) -> None:
    """The limit is 1 MiB, and a body of that length is within it."""
    content = json.dumps({"name": "x"}).encode().ljust(2**20)
    response = await shop.client.post(
        "categories/", content=content, headers={"Content-Type": JSON}
    )
    assert response.status_code == 201


@pytest.mark.parametrize("content_type", [JSON, FORM, MULTIPART, "text/xml"])
@pytest.mark.parametrize("chunked", [False, True], ids=["Content-Length", "chunked"])
async def test_a_body_over_1_mib_is_413(shop: Shop, content_type: str, chunked: bool) -> None:
    """The limit is on what comes, whatever the headers say."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 2**16

    content = chunks() if chunked else b" " * (2**20 + 1)
    with shop.served.unchanged():
        response = await shop.client.post(
            "categories/",
            content=content,
            headers={"Content-Type": content_type},
        )
    assert response.status_code == 413
    assert response.json() == {"detail": "The body is larger than 1048576 bytes."}


@pytest.mark.parametrize("length", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("half", [True, False], ids=["half-closed", "closed"])
@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        (JSON, b'{"internal_name": "cut"}'),
        (FORM, b"internal_name=cut"),
        (MULTIPART, _part("internal_name", b"cut") + b"--b--\r\n"),
    ],
    ids=["JSON", "form", "multipart"],
)
async def test_a_body_that_ends_early_writes_nothing(
    shop: Shop, content_type: str, content: bytes, half: bool, length: str
) -> None:
    """What came reads like a whole body, but more was announced, and the client leaves."""
    made = await shop.category(internal_name="whole")
    host, port = shop.served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    chunked = length.endswith("chunked")
    head = (
        f"PATCH {shop.path}categories/{made['id']}/ HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Token {shop.organizer.full}\r\n"
        f"Content-Type: {content_type}\r\n{length}\r\n\r\n"
    )
    with shop.served.unchanged():
        writer.write(
            head.encode() + (b"%x\r\n%b\r\n" % (len(content), content) if chunked else content)
        )
        await writer.drain()
        if half:
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), 10)
            assert not answer.startswith(b"HTTP/1.1 2")
        writer.close()
        # Behind it in the queue of the one who writes.
        assert (await shop.client.patch(f"categories/{made['id']}/")).json() == made


async def test_an_endless_body_is_cut(shop: Shop) -> None:
    """A client that announces more than the limit gets its 413 before it has sent all."""
    host, port = shop.served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {shop.path}categories/ HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Token {shop.organizer.full}\r\n"
        f"Content-Type: {JSON}\r\nContent-Length: {2**40}\r\n\r\n"
    )
    writer.write(head.encode() + b" " * (2**20 + 1))
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_a_client_that_sends_on_hears_its_413(shop: Shop) -> None:
    """What a client still sends after the answer does not break the connection under it."""
    rest = [b" " * 2**13] * 4
    host, port = shop.served.url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    with socket.create_connection((host, int(port))) as client:
        client.setblocking(False)
        head = (
            f"POST {shop.path}categories/ HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Token {shop.organizer.full}\r\n"
            f"Content-Type: {JSON}\r\nContent-Length: {2**20 + 1 + 2**15}\r\n\r\n"
        )
        await loop.sock_sendall(client, head.encode() + b" " * (2**20 + 1))
        answer = b""
        while not answer.endswith(b"}"):
            answer += await asyncio.wait_for(loop.sock_recv(client, 2**16), 10)
        for piece in rest:
            await loop.sock_sendall(client, piece)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert await asyncio.wait_for(loop.sock_recv(client, 2**16), 10) == b""


@dataclass(frozen=True)
class Accept:
    """An Accept header, and whether JSON satisfies it."""

    header: str
    satisfied: bool


ACCEPTS = {
    "anything": Accept("*/*", True),
    "JSON": Accept("application/json", True),
    "JSON, any case": Accept("Application/JSON", True),
    "JSON with a parameter": Accept("application/json; indent=4", True),
    "any application": Accept("application/*", True),
    "empty": Accept("", True),
    "a browser": Accept("text/html,application/xhtml+xml,*/*;q=0.8", True),
    "HTML": Accept("text/html", False),
    "several": Accept("text/html, image/png;q=0.5", False),
    "a type of JSON": Accept("application/vnd.api+json", False),
    "weight 0": Accept("application/json;q=0", False),
    "weight 0 for JSON alone": Accept("application/json; q=0.000, */*", False),
    "weight 0 for others": Accept("application/json, */*;q=0", True),
    "garbage": Accept("json", False),
    "a tab before it": Accept("text/html,\tapplication/json", True),
    "what is no space": Accept("application/json\u00a0", False),
}


@pytest.mark.parametrize("case", ACCEPTS.values(), ids=ACCEPTS.keys())
async def test_accept_must_be_satisfied_by_json(shop: Shop, case: Accept) -> None:
    """Clients that take no JSON get a 406, in JSON."""
    accept = case.header.encode("latin-1")
    response = await shop.client.get("categories/", headers=[(b"Accept", accept)])
    assert response.status_code == (200 if case.satisfied else 406)
    assert response.headers["Content-Type"] == JSON
    if not case.satisfied:
        assert response.json() == {"detail": "Could not satisfy the request Accept header."}


async def test_answers_are_utf_8(shop: Shop) -> None:
    """Text is not escaped on its way out."""
    response = await shop.client.post("categories/", json={"name": "Käse 🎟"})
    assert "Käse 🎟".encode() in response.content

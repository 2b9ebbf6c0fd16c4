"""Charsets of bodies: the one that `Content-Type` names, and UTF-8 where it names none we know."""

from dataclasses import dataclass
from urllib.parse import quote_from_bytes

import pytest

from api import body
from tests.api.conftest import Shop
from tests.api.test_bodies import FORM, JSON, MULTIPART

TEXT = "Käse €"


@dataclass(frozen=True)
class Written:
    """A charset as clients name it, Python's codec that wrote the body, and what is read of it.

    Attributes:
        text: None = the body does not fit: 400.
    """

    charset: str
    codec: str
    sent: str = "Käse"
    text: str | None = "Käse"


WRITTEN = {
    "none": Written("", "utf-8"),
    "UTF-8": Written("; charset=utf-8", "utf-8", TEXT, TEXT),
    "UTF-8 in quotes": Written('; charset="UTF8"', "utf-8", TEXT, TEXT),
    "UTF-8 among others": Written("; a=b; CharSet=UTF-8; c=d", "utf-8", TEXT, TEXT),
    "ISO-8859-1": Written("; charset=ISO-8859-1", "latin-1"),
    "latin1": Written(";charset=latin1", "latin-1"),
    "ISO-8859-1 of UTF-8": Written("; charset=iso-8859-1", "utf-8", text="KÃ¤se"),
    "ISO-8859-15": Written("; charset=iso-8859-15", "iso8859-15", TEXT, TEXT),
    "windows-1252": Written("; charset=Windows-1252", "cp1252", TEXT, TEXT),
    "windows-1252, no such byte": Written("; charset=Windows-1252", "latin-1", "\x81", None),
    "windows-1251": Written("; charset=windows-1251", "cp1251", "Сыр", "Сыр"),
    "Shift_JIS": Written("; charset=Shift_JIS", "shift_jis", "チーズソ", "チーズソ"),
    "Big5": Written("; charset=big5", "big5", "乳酪", "乳酪"),
    "GB18030": Written("; charset=gb18030", "gb18030", "奶酪€", "奶酪€"),
    "EUC-KR": Written("; charset=euc-kr", "euc_kr", "치즈", "치즈"),
    "ASCII": Written("; charset=us-ascii", "ascii", "Kaese", "Kaese"),
    "ASCII, not": Written("; charset=us-ascii", "latin-1", text=None),
    "none, not": Written("", "latin-1", text=None),
    "unknown": Written("; charset=klingon", "utf-8", TEXT, TEXT),
    "unknown, not": Written("; charset=klingon", "latin-1", text=None),
    "empty": Written("; charset=", "utf-8", TEXT, TEXT),
    "no name": Written("; charset=../utf-16", "utf-8", TEXT, TEXT),
    **{
        # Python's codecs that are none for texts, or too slow, are as unknown as any other.
        name: Written(f"; charset={name}", "utf-8", TEXT, TEXT)
        for name in (
            *("zip", "zlib", "bz2", "base64", "hex", "uu", "quopri", "rot13", "idna", "punycode"),
            *("unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "utf-7", "charmap"),
        )
    },
}


def bodies(case: Written) -> dict[str, tuple[str, bytes]]:
    """The same field in each format: the media type and the content."""
    value = case.sent.encode(case.codec)
    part = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + value
    return {
        "JSON": (JSON, b'{"name": "' + value + b'"}'),
        "form": (FORM, b"name=" + quote_from_bytes(value).encode()),
        "form, not escaped": (FORM, b"position=0&name=" + value),
        "multipart": (MULTIPART, part + b"\r\n--b--\r\n"),
    }


@pytest.mark.parametrize("case", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("form", ["JSON", "form", "form, not escaped", "multipart"])
async def test_a_body_is_read_in_its_charset(shop: Shop, form: str, case: Written) -> None:
    """Three formats, one rule; what does not fit is 400, and nothing is guessed."""
    media_type, content = bodies(case)[form]
    response = await shop.client.post(
        "categories/", content=content, headers={"Content-Type": media_type + case.charset}
    )
    if case.text is None:
        assert response.status_code == 400
        assert list(response.json()) == ["detail"]
        assert "parse error - " in response.json()["detail"]
    else:
        assert response.status_code == 201, response.text
        assert response.json()["name"] == {"en": case.text}


MARKS = {
    "UTF-8": ("", b"\xef\xbb\xbf", "utf-8", 400),
    "UTF-8-SIG": ("; charset=utf-8-sig", b"\xef\xbb\xbf", "utf-8", 201),
    "UTF-16": ("; charset=utf-16", b"\xff\xfe", "utf-16-le", 201),
    "UTF-16, the other end first": ("; charset=utf-16", b"\xfe\xff", "utf-16-be", 201),
    "UTF-16LE": ("; charset=utf-16le", b"", "utf-16-le", 201),
    "UTF-16LE with a mark": ("; charset=utf-16le", b"\xff\xfe", "utf-16-le", 400),
    "UTF-32": ("; charset=utf-32", b"\xff\xfe\0\0", "utf-32-le", 201),
    "UTF-16 that says nothing": ("", b"\xff\xfe", "utf-16-le", 400),
    "UTF-16 cut in half": ("; charset=utf-16be", b"\0", "utf-16-be", 400),
}


@pytest.mark.parametrize(("charset", "mark", "codec", "status"), MARKS.values(), ids=MARKS)
async def test_a_byte_order_mark_is_the_charset_s(
    shop: Shop, charset: str, mark: bytes, codec: str, status: int
) -> None:
    """Where a charset has one, it is read; JSON itself has none (RFC 8259, section 8.1)."""
    response = await shop.client.post(
        "categories/",
        content=mark + f'{{"name": "{TEXT}"}}'.encode(codec),
        headers={"Content-Type": JSON + charset},
    )
    assert response.status_code == status
    if status == 201:
        assert response.json()["name"] == {"en": TEXT}
    else:
        assert response.json()["detail"].startswith("JSON parse error - ")


def test_python_has_every_charset() -> None:
    """Each by its own name, and none of them more than once."""
    for name in body._TEXT_CODECS:
        assert body._codec_of(name.encode()) == name
        assert isinstance(bytes(256).decode(name, "replace"), str)


def test_a_name_of_any_length_is_unknown() -> None:
    """Python, asked for a codec, would remember it."""
    assert body._codec_of(b"x-" * 10_000) == body._codec_of("ä".encode()) == body._UTF_8

"""QR codes, read back as a phone would."""

import io
import re

import pytest
import zxingcpp
from PIL import Image

from tracking import qr_codes
from tracking.qr_codes import Format, InvalidCodeError, Options

LINK = "https://links.example/acme/fest/c/insta/"

LOOKS = {
    "as it comes": Options(),
    "in colours": Options(dark="#0b6e5f", light="#f7f7f4"),
    "much may be damaged": Options(error="H"),
    "little may": Options(error="L"),
    "small": Options(millimetres=15),
    "as a poster": Options(millimetres=500),
    "a wide quiet zone": Options(quiet_zone=10),
}


@pytest.mark.parametrize("options", LOOKS.values(), ids=LOOKS)
def test_a_picture_is_read_back(options: Options) -> None:
    """What is printed leads where it should."""
    picture = Image.open(io.BytesIO(qr_codes.make(LINK, options, Format.PNG)))
    [found] = zxingcpp.read_barcodes(picture)
    assert found.text == LINK


def test_the_longest_link_is_read_back() -> None:
    """Slugs of 50 and a code of 64 characters fit."""
    link = f"https://{'a' * 60}.example/{'o' * 50}/{'e' * 50}/c/{'c' * 64}/"
    picture = Image.open(io.BytesIO(qr_codes.make(link, Options(error="H"), Format.PNG)))
    [found] = zxingcpp.read_barcodes(picture)
    assert found.text == link


def test_a_picture_has_the_size_that_was_asked_for() -> None:
    """In print, to half a millimetre: its dots by its resolution."""
    picture = Image.open(io.BytesIO(qr_codes.make(LINK, Options(millimetres=60), Format.PNG)))
    width, resolution = picture.size[0], picture.info["dpi"][0]
    assert width / resolution * 25.4 == pytest.approx(60, abs=0.5)
    assert resolution > 200


def test_svg_and_pdf() -> None:
    """They hold the size and the colours, and an SVG no script."""
    options = Options(dark="#0b6e5f", millimetres=60)
    svg = qr_codes.make(LINK, options, Format.SVG).decode()
    assert 'width="60' in svg
    assert "#0b6e5f" in svg
    assert "<script" not in svg
    pdf = qr_codes.make(LINK, options, Format.PDF)
    assert pdf.startswith(b"%PDF-")
    box = re.search(rb"/MediaBox ?\[0 0 ([0-9.]+) ([0-9.]+)\]", pdf)
    assert box is not None
    assert float(box[1]) == pytest.approx(60 / 25.4 * 72, abs=1)


WRONG = {
    "no colour": ({"dark": "red"}, "dark"),
    "a colour and more": ({"light": '#ffffff"/><script>'}, "light"),
    "no such level": ({"error": "Z"}, "error"),
    "a huge quiet zone": ({"quiet_zone": 21}, "quiet_zone"),
    "less than none": ({"quiet_zone": -1}, "quiet_zone"),
    "too small": ({"millimetres": 9}, "size"),
    "too large": ({"millimetres": 1001}, "size"),
    "light on dark": ({"dark": "#ffffff", "light": "#000000"}, "dark"),
    "one colour": ({"dark": "#777777", "light": "#777777"}, "dark"),
}


@pytest.mark.parametrize(("options", "wrong"), WRONG.values(), ids=WRONG)
def test_wrong_options(options: dict[str, object], wrong: str) -> None:
    """What no code can be made with is an error that names the option."""
    with pytest.raises(InvalidCodeError) as error:
        Options(**options)  # type: ignore[arg-type]  # what mypy forbids is tried
    assert error.value.option == wrong


def test_warnings() -> None:
    """Close colours and a narrow quiet zone are warned of; as it comes there is nothing to say."""
    assert Options().warnings == []
    assert Options().contrast == pytest.approx(21)
    [warning] = Options(dark="#999999").warnings
    assert "contrast" in warning
    [warning] = Options(quiet_zone=2).warnings
    assert "empty" in warning

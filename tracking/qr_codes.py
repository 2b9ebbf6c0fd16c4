"""QR codes of links: as SVG for screens, PNG for print, PDF for whoever typesets."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import segno

from tracking.errors import WaymarkError

_COLOUR = re.compile("#[0-9a-fA-F]{6}")
_MAX_QUIET_ZONE = 20
MIN_QUIET_ZONE: Final = 4
"""Modules of light around a code, below which some readers don't find it (ISO/IEC 18004, 9.1)."""
MIN_CONTRAST: Final = 4.0
"""Of dark to light, as WCAG 2 measures it, below which phones fail in bad light."""
_MIN_MILLIMETRES, _MAX_MILLIMETRES = 10, 1000
_DOTS_PER_INCH = 300
_MAX_DOTS = 6000  # on a side, so that one picture takes no more than 5 MB to make
_MILLIMETRES_PER_INCH = 25.4
_POINTS_PER_MILLIMETRE = 72 / _MILLIMETRES_PER_INCH


class Format(StrEnum):
    """What a code is written as."""

    SVG = "svg"
    PNG = "png"
    PDF = "pdf"


MEDIA_TYPES: Final = {
    Format.SVG: "image/svg+xml",
    Format.PNG: "image/png",
    Format.PDF: "application/pdf",
}


class InvalidCodeError(WaymarkError):
    """Options that no code can be made with.

    Args:
        option: which is wrong.
    """

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


@dataclass(frozen=True, slots=True)
class Options:
    """How a code looks.

    Attributes:
        dark, light: `#rrggbb`; dark must be the darker one.
        error: how much of it may be damaged: L, M, Q or H, about 7, 15, 25 or 30 per cent.
        quiet_zone: modules of light around it.
        millimetres: its width and height in print, quiet zone included.

    Raises:
        InvalidCodeError: a value is none, or nothing could read the code.
    """

    dark: str = "#000000"
    light: str = "#ffffff"
    error: str = "M"
    quiet_zone: int = MIN_QUIET_ZONE
    millimetres: int = 40

    def __post_init__(self) -> None:
        for name in ("dark", "light"):
            if not _COLOUR.fullmatch(getattr(self, name)):
                raise InvalidCodeError(name, "A colour like #0b6e5f is required.")
        if self.error not in {"L", "M", "Q", "H"}:
            raise InvalidCodeError("error", "One of L, M, Q, H is required.")
        if not 0 <= self.quiet_zone <= _MAX_QUIET_ZONE:
            raise InvalidCodeError("quiet_zone", f"A number up to {_MAX_QUIET_ZONE} is required.")
        if not _MIN_MILLIMETRES <= self.millimetres <= _MAX_MILLIMETRES:
            message = f"A number from {_MIN_MILLIMETRES} to {_MAX_MILLIMETRES} is required."
            raise InvalidCodeError("size", message)
        if _luminance(self.dark) >= _luminance(self.light):
            message = "The code must be darker than its ground: many readers see no other."
            raise InvalidCodeError("dark", message)

    @property
    def contrast(self) -> float:
        """Of dark to light, 1 to 21 (WCAG 2, "contrast ratio")."""
        return (_luminance(self.light) + 0.05) / (_luminance(self.dark) + 0.05)

    @property
    def warnings(self) -> list[str]:
        """Why some phones may not read it, in words."""
        warnings = []
        if self.contrast < MIN_CONTRAST:
            warnings.append(
                f"The colours are close: their contrast is {self.contrast:.1f}, and in bad light "
                f"phones want {MIN_CONTRAST:.0f} or more."
            )
        if self.quiet_zone < MIN_QUIET_ZONE:
            warnings.append(
                f"Around the code {MIN_QUIET_ZONE} modules should be empty: beside other things "
                "some phones don't find it."
            )
        return warnings


def read_options(values: Mapping[str, str]) -> Options:
    """Reads options that came as text: `dark`, `light`, `error`, `quiet_zone`, and `size` in
    millimetres; what is not there is as usual.

    Raises:
        InvalidCodeError: a value is none.
    """
    numbers = {"quiet_zone": "quiet_zone", "size": "millimetres"}
    options: dict[str, Any] = {
        name: values[name] for name in ("dark", "light", "error") if name in values
    }
    for name, attribute in numbers.items():
        if name in values:
            options[attribute] = _number(name, values[name])
    return Options(**options)


def make(link: str, options: Options, format: Format) -> bytes:
    """A link's code."""
    code = segno.make_qr(link, error=options.error, boost_error=False)
    out = io.BytesIO()
    colours = {"dark": options.dark, "light": options.light}
    modules = code.symbol_size(border=options.quiet_zone)[0]
    match format:
        case Format.SVG:
            scale = options.millimetres / modules
            code.save(
                *(out, "svg"),
                **colours,
                border=options.quiet_zone,
                scale=scale,
                unit="mm",
                omitsize=False,
                nl=False,
            )
        case Format.PNG:
            dots = options.millimetres / _MILLIMETRES_PER_INCH * _DOTS_PER_INCH
            scale_dots = max(1, min(round(dots), _MAX_DOTS) // modules)
            # The resolution at which the whole dots make just the size that was asked for.
            resolution = modules * scale_dots / options.millimetres * _MILLIMETRES_PER_INCH
            code.save(
                *(out, "png"),
                **colours,
                border=options.quiet_zone,
                scale=scale_dots,
                dpi=round(resolution),
            )
        case Format.PDF:
            scale = options.millimetres * _POINTS_PER_MILLIMETRE / modules
            code.save(*(out, "pdf"), **colours, border=options.quiet_zone, scale=scale)
    return out.getvalue()


def inline(link: str, *, error: str = "M") -> str:
    """A link's code as SVG for within a page: black on white, as large as the page has it."""
    code = segno.make_qr(link, error=error, boost_error=False)
    return code.svg_inline(
        dark="#18211d",
        light="#fff",
        border=MIN_QUIET_ZONE,
        omitsize=True,
        svgclass="qr",
        lineclass="",
    )


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise InvalidCodeError(name, "A whole number is required.")
    return int(text)


def _luminance(colour: str) -> float:
    """How light a colour is, 0 to 1 (WCAG 2, "relative luminance")."""
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

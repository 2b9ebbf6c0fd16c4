"""Which charset a body is in: one that its `Content-Type` names, or UTF-8."""

import re
from encodings.aliases import aliases

UTF_8 = "utf_8"

# Python's names for the encodings of the WHATWG Encoding Standard (section 4.2), and for UTF-32.
# Each makes text of bytes, in C. Python has others that don't: `zip`, `base64`, `idna` (which takes
# minutes for a label of a megabyte), `unicode_escape`; and UTF-7, which hides characters.
_TEXT = frozenset(
    {
        *(UTF_8, "utf_8_sig", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be"),
        *("utf_32_le", "ascii", "latin_1", "koi8_r", "koi8_u", "mac_roman", "mac_cyrillic"),
        *("tis_620", "gb2312", "gbk", "gb18030", "big5", "big5hkscs", "euc_jp", "shift_jis"),
        *("cp932", "iso2022_jp", "euc_kr", "cp949"),
        *(f"iso8859_{part}" for part in (*range(2, 12), *range(13, 17))),
        *(f"cp{page}" for page in (437, 850, 852, 866, 874, *range(1250, 1259))),
    }
)
_NEITHER_LETTER_NOR_DIGIT = re.compile("[^a-z0-9]+")


def codec_of(charset: bytes) -> str:
    """The name of Python's codec for a charset, in any case; UTF-8 for one that is unknown.

    Python itself is not asked for it: it would import a module of that name, and remember each name
    that it did not find.
    """
    name = _NEITHER_LETTER_NOR_DIGIT.sub("_", charset.decode("latin-1").lower())
    name = aliases.get(name, name)
    return name if name in _TEXT else UTF_8

"""The README is true where a machine can tell."""

import re
from pathlib import Path

from tracking.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text()


def _shown(default: object) -> str:
    if default is None:
        return "unset"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_every_setting_is_documented() -> None:
    """The settings table has each setting with its default and meaning, and no other."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+) \|$", README, re.MULTILINE)
    assert rows == [
        (name.upper(), _shown(field.default), field.description)
        for name, field in Settings.model_fields.items()
    ]

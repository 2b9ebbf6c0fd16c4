"""The README is true where a machine can tell."""

import re
from collections.abc import Iterator
from pathlib import Path

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import redirector.commands.cli  # noqa: F401 - it adds its commands
from tracking.cli import NAME, app
from tracking.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


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


def test_every_make_target_is_documented() -> None:
    """Each is named as it is typed."""
    [targets] = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert set(targets.split()) - named == set()


def _options(command: object, words: str) -> Iterator[tuple[str, list[str]]]:
    """The options of each command below this one, by the words that are typed."""
    if isinstance(command, TyperGroup):
        if command.invoke_without_command and " " in words:
            yield words, []
        for name, part in command.commands.items():
            yield from _options(part, f"{words} {name}")
    elif isinstance(command, TyperCommand):
        names = (name for parameter in command.params for name in parameter.opts)
        yield words, sorted(name for name in names if name.startswith("--"))


def test_every_command_is_documented() -> None:
    """The list of commands has each with all its options, and no other."""
    [block] = re.findall(
        r"^## The `waymark` command\n\n.+\n\n((?:    .+\n)+)", README, re.MULTILINE
    )
    lines = re.sub(r"\n {12}", " ", block).strip().split("\n    ")
    shown = {
        re.findall("^[a-z ]*[a-z](?= |$)", line)[0]: sorted(re.findall("--[a-z-]+", line))
        for line in lines
    }
    assert shown == {NAME: ["--version"], **dict(_options(get_command(app), NAME))}

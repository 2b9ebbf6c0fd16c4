"""What an empty database is given, so that there is something to click at the first start."""

import math
import shlex
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from tracking import campaigns, tokens
from tracking.access import sign_in_links, users
from tracking.access.users import Role
from tracking.database import Database
from tracking.organizers import Event, any_organizer, ensure_event, find_event
from tracking.settings import Settings
from tracking.urls import http_origin

ORGANIZER = "bigevents"
EVENT = "sampleconf"
USER = "organizer@localhost"
_CODE = "newsletter"
_NEW_CODE = "poster"


# The token's, by which later starts know that there was one.
_MADE_AT_FIRST_START = "made at the first start"


@dataclass(frozen=True, slots=True)
class Sample:
    """What there is of the sample.

    Attributes:
        present: whether the sample event exists, made now or at an earlier start.
        token: the token made for it just now; None later, since only its digest is kept.
        free_code: one that no campaign has, for the campaign that people are told to create.
        sign_in: the secret of a link that signs the sample's user in; None = none was made.
        has_users: whether anybody can sign in to the dashboard.
    """

    present: bool
    token: str | None
    free_code: str
    sign_in: str | None = None
    has_users: bool = True


async def ensure(database: Database) -> None:
    """Makes an organizer, an event and a campaign, unless there is any organizer."""
    async with database.write() as connection:
        if not await any_organizer(connection):
            event = await ensure_event(connection, ORGANIZER, EVENT)
            await campaigns.create(connection, event.id, code=_CODE, description="Our newsletter")


async def introduce(database: Database, *, to_terminal: bool = False) -> Sample:
    """What to tell of the sample now, with a token where none was ever made for that.

    To be called when it will be printed: it can't be read again.

    Args:
        to_terminal: whether a person reads it, and no log keeps it. A link that signs in is made
            for them, or as long as the sample's user is the only one.
    """
    async with database.write() as connection:
        free_code = await _free_code(connection)
        event = await find_event(connection, ORGANIZER, EVENT)
        if event is None:
            has_users = await users.any_(connection)
            return Sample(present=False, token=None, free_code=free_code, has_users=has_users)
        made = await tokens.list_(connection, event.organizer_id)
        token = None
        if all(each.name != _MADE_AT_FIRST_START for each in made):
            token = await tokens.create(connection, event.organizer_id, name=_MADE_AT_FIRST_START)
        sign_in = await _sign_in(connection, event, to_terminal=to_terminal)
        return Sample(present=True, token=token, free_code=free_code, sign_in=sign_in)


async def _sign_in(connection: AsyncConnection, event: Event, *, to_terminal: bool) -> str | None:
    if not await users.any_(connection):
        user = await users.create(connection, USER)
        await users.set_role(connection, user.id, event.organizer_id, Role.ADMIN)
    everybody = await users.list_all(connection)
    found = [user for user, _ in everybody if user.email == USER]
    if not found or not (to_terminal or len(everybody) == 1):
        return None
    return await sign_in_links.create(connection, found[0].id)


async def _free_code(connection: AsyncConnection) -> str:
    code = _NEW_CODE
    for number in count(2):
        if not await campaigns.is_taken(connection, code):
            break
        code = f"{_NEW_CODE}-{number}"
    return code


def greeting(settings: Settings, sample: Sample) -> str:
    """What the first and every later start say when all is up: addresses, and what to try."""
    links = http_origin(settings.reachable_host, settings.redirector_port)
    api = http_origin(settings.reachable_host, settings.api_port)
    dashboard = settings.dashboard_origin
    lines = [f"Waymark answers links on {links}, the API on {api}, the dashboard on {dashboard}."]
    if sample.sign_in is not None:
        lines += [
            "Open this in a browser: it signs you in, once, within a quarter of an hour.",
            "",
            f"{dashboard}/sign-in/{sample.sign_in}",
            "",
        ]
    if not sample.has_users:
        command = f"{_command(settings)} user create EMAIL --organizer ORGANIZER"
        lines.append(f"Nobody can sign in to the dashboard yet. This makes a user: {command}")
    if sample.present:
        lines += _lines_to_try(links, api, settings, sample)
    return "\n" + "".join(f"{line}\n" for line in lines) + "\n"


def _lines_to_try(links: str, api: str, settings: Settings, sample: Sample) -> list[str]:
    event_links = f"{links}/{ORGANIZER}/{EVENT}/c"
    campaigns_url = f"{api}/api/v1/organizers/{ORGANIZER}/events/{EVENT}/campaigns/"
    # In double quotes, so that the shell fills in $TOKEN where the token itself is not known.
    authorization = f'-H "Authorization: Token {sample.token or "$TOKEN"}"'
    body = f'{{"code": "{sample.free_code}", "description": "Poster in the hall"}}'
    json = f'-H "Content-Type: application/json" -d {shlex.quote(body)}'
    wait = math.ceil(settings.flush_interval) + 1
    search = shlex.quote(f"{campaigns_url}?code={sample.free_code}")
    lines = [f"The sample event's link: {event_links}/{_CODE}/"]
    if sample.token is None:
        lines.append("TOKEN is the one that the first start printed. This makes another:")
        lines.append(f"TOKEN=$({_command(settings)} token create {ORGANIZER})")
    lines += [
        "Create a campaign, click its link, and read its click_count when that is flushed:",
        "",
        f"curl {authorization} {json} {shlex.quote(campaigns_url)}",
        f"curl -i {shlex.quote(f'{event_links}/{sample.free_code}/')}",
        # All three may be pasted at once.
        f"sleep {wait}; curl {authorization} {search}",
    ]
    return lines


def _command(settings: Settings) -> str:
    """How another shell in this directory calls `waymark`, on the same database."""
    program = Path(sys.executable).parent / "waymark"
    if program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    words = [shlex.quote(str(program))]
    for name in ("data_dir", "database_url"):
        value = getattr(settings, name)
        if value != Settings.model_fields[name].default:
            words.insert(0, f"{name.upper()}={shlex.quote(str(value))}")
    return " ".join(words)

"""What an empty database is given, so that there is something to click at the first start."""

import shlex
from dataclasses import dataclass

from tracking import campaigns, tokens
from tracking.database import Database
from tracking.organizers import any_organizer, ensure_event, find_event
from tracking.settings import Settings
from tracking.urls import http_origin

ORGANIZER = "bigevents"
EVENT = "sampleconf"
_CODE = "newsletter"
_NEW_CODE = "poster"


@dataclass(frozen=True, slots=True)
class Sample:
    """What there is of the sample.

    Attributes:
        present: whether the sample event exists, made now or at an earlier start.
        token: the token made for it just now; None later, since only its digest is kept.
    """

    present: bool
    token: str | None


async def ensure(database: Database) -> Sample:
    """Makes an organizer, an event, a campaign and a token, unless there is any organizer."""
    async with database.write() as connection:
        if await any_organizer(connection):
            event = await find_event(connection, ORGANIZER, EVENT)
            return Sample(present=event is not None, token=None)
        event = await ensure_event(connection, ORGANIZER, EVENT)
        await campaigns.create(connection, event.id, code=_CODE, description="Our newsletter")
        token = await tokens.create(connection, event.organizer_id, name="made at the first start")
        return Sample(present=True, token=token)


def greeting(settings: Settings, sample: Sample) -> str:
    """What the first and every later start say when all is up: addresses, and what to try."""
    links = http_origin(settings.reachable_host, settings.redirector_port)
    api = http_origin(settings.reachable_host, settings.api_port)
    lines = [f"Waymark answers links on {links} and the API on {api}."]
    if sample.present:
        lines += _lines_to_try(links, api, sample.token)
    return "\n" + "".join(f"{line}\n" for line in lines) + "\n"


def _lines_to_try(links: str, api: str, token: str | None) -> list[str]:
    campaigns_url = f"{api}/api/v1/organizers/{ORGANIZER}/events/{EVENT}/campaigns/"
    # In double quotes, so that the shell fills in $TOKEN where the token itself is not known.
    authorization = f'-H "Authorization: Token {token or "$TOKEN"}"'
    body = f'{{"code": "{_NEW_CODE}", "description": "Poster in the hall"}}'
    json = f'-H "Content-Type: application/json" -d {shlex.quote(body)}'
    lines = [f"The sample event's link: {links}/{ORGANIZER}/{EVENT}/c/{_CODE}/"]
    if token is None:
        lines.append("TOKEN is the one that the first start printed. This makes another:")
        lines.append(f"TOKEN=$(.venv/bin/waymark token create {ORGANIZER})")
    lines += [
        "Create a campaign, click its link, and read its click_count a second later:",
        "",
        f"curl {authorization} {json} {campaigns_url}",
        f"curl -i {links}/{ORGANIZER}/{EVENT}/c/{_NEW_CODE}/",
        f"curl {authorization} {campaigns_url}",
    ]
    return lines

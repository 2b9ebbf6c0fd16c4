"""A campaign's QR code over HTTP."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from api.auth import Authorized
from api.campaigns import CAMPAIGNS
from api.errors import ApiError
from api.negotiation import accepts, answers
from api.parameters import Parameter
from api.paths import Operation, Paths
from api.resource import EVENT, read_id
from api.state import database_of, settings_of
from tracking import campaigns, qr_codes
from tracking.links import link_url
from tracking.qr_codes import MEDIA_TYPES, Format, InvalidCodeError

_OPTIONS = ("dark", "light", "error", "quiet_zone", "size")
_COLOUR = {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"}

_PARAMETERS = (
    Parameter(
        "format",
        "What it is written as. Without any: what `Accept` takes of these, SVG first.",
        {"type": "string", "enum": list(Format)},
    ),
    Parameter("dark", "The code's colour, darker than its ground.", _COLOUR, examples=("#000000",)),
    Parameter("light", "Its ground.", _COLOUR, examples=("#ffffff",)),
    Parameter(
        "error",
        "How much may be damaged: about 7, 15, 25 or 30 per cent.",
        {"type": "string", "enum": ["L", "M", "Q", "H"], "default": "M"},
    ),
    Parameter(
        "quiet_zone",
        "Modules of ground around it.",
        {"type": "integer", "minimum": 0, "maximum": 20, "default": qr_codes.MIN_QUIET_ZONE},
    ),
    Parameter(
        "size",
        "Its width in print, in millimetres, with the ground around it.",
        {"type": "integer", "minimum": 10, "maximum": 1000, "default": 40},
    ),
)


@answers(*MEDIA_TYPES.values())
async def qr_code(request: Request, access: Authorized, id: str) -> Response:
    """The code of a campaign's link."""
    number, event = read_id(id), access.event
    async with database_of(request).read() as transaction:
        campaign = await campaigns.get(transaction, event.id, number)
    if campaign is None:
        raise CAMPAIGNS.missing()
    query = request.query_params
    try:
        options = qr_codes.read_options({name: query[name] for name in _OPTIONS if query.get(name)})
    except InvalidCodeError as error:
        raise ApiError.invalid({error.option: [str(error)]}) from None
    kind = _format(request)
    origin = settings_of(request).public_origin
    link = link_url(origin, event.organizer, event.slug, campaign.code)
    headers = {"Content-Disposition": f'inline; filename="{campaign.code}.{kind}"'}
    # A poster takes some time to draw, which others would wait for.
    content = await asyncio.to_thread(qr_codes.make, link, options, kind)
    return Response(content, media_type=MEDIA_TYPES[kind], headers=headers)


def _format(request: Request) -> Format:
    """What the query names, or else what the client takes.

    Raises:
        ApiError: 400, it names another.
    """
    chosen = request.query_params.get("format")
    if chosen is None:
        found = (each for each in Format if accepts(request.headers, MEDIA_TYPES[each]))
        return next(found, Format.SVG)
    try:
        return Format(chosen)
    except ValueError:
        message = f"One of {', '.join(Format)} is required."
        raise ApiError.invalid({"format": [message]}) from None


def mount_qr_codes(paths: Paths) -> None:
    """Gives QR codes their path."""
    paths.add(
        f"{EVENT}/{CAMPAIGNS.name}/{{id}}/qr/",
        "Campaign QR Code",
        GET=Operation(
            "retrieve_campaign_qr",
            qr_code,
            parameters=_PARAMETERS,
            media_types=tuple(MEDIA_TYPES.values()),
            checks_query=True,
        ),
    )

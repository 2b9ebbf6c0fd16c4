"""A link's QR code: as it is to look, and as a file for print."""

import asyncio
from dataclasses import dataclass, field

from markupsafe import Markup
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from dashboard.access.door import Show, campaign_page
from dashboard.access.visit import CampaignVisit
from dashboard.addresses import link_of
from dashboard.state import renderer_of, settings_of
from tracking import qr_codes
from tracking.qr_codes import MEDIA_TYPES, Format, InvalidCodeError, Options

_FIELDS = ("dark", "light", "error", "quiet_zone", "size")


@dataclass(frozen=True, slots=True)
class CodeForm:
    """What was chosen.

    Attributes:
        options: None = something is wrong.
        errors: by field.
    """

    values: dict[str, str]
    options: Options | None
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, query: QueryParams) -> "CodeForm":
        """Reads an address; what it leaves out is as a code comes."""
        usual = {
            "dark": "#000000",
            "light": "#ffffff",
            "error": "M",
            "quiet_zone": str(qr_codes.MIN_QUIET_ZONE),
            "size": "40",
        }
        values = {name: query.get(name, "").strip() or usual[name] for name in _FIELDS}
        try:
            return cls(values, qr_codes.read_options(values))
        except InvalidCodeError as error:
            return cls(values, None, {error.option: str(error)})


async def _show(request: Request, visit: CampaignVisit) -> Response:
    chosen = CodeForm.of(request.query_params)
    link = link_of(visit.event, visit.campaign, settings_of(request))
    picture = Markup("")
    if chosen.options is not None:
        svg = qr_codes.make(link, chosen.options, Format.SVG).decode()
        picture = Markup(svg)  # noqa: S704  # it is drawn, from colours and numbers that were read
    return renderer_of(request).page(
        "qr_code.html",
        200 if chosen.options else 400,
        visit=visit,
        form=chosen,
        link=link,
        picture=picture,
        query=str(request.url.query),
    )


def _download(kind: Format) -> Show[CampaignVisit]:
    """Answers with a file of this kind."""

    async def download(request: Request, visit: CampaignVisit) -> Response:
        chosen = CodeForm.of(request.query_params)
        if chosen.options is None:
            return await _show(request, visit)
        link = link_of(visit.event, visit.campaign, settings_of(request))
        content = await asyncio.to_thread(qr_codes.make, link, chosen.options, kind)
        headers = {"Content-Disposition": f'attachment; filename="{visit.campaign.code}.{kind}"'}
        return Response(content, media_type=MEDIA_TYPES[kind], headers=headers)

    return download


PAGES = (
    campaign_page("qr/", _show),
    *(campaign_page(f"qr/code.{kind}", _download(kind)) for kind in Format),
)

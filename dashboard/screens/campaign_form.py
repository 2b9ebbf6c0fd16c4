"""Making a link, and changing one."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from dashboard import utm
from dashboard.access.door import campaign_page, event_page
from dashboard.access.visit import CampaignVisit, EventVisit
from dashboard.addresses import campaign_address, link_of
from dashboard.forms import Form, text
from dashboard.numbers import whole_number
from dashboard.state import database_of, renderer_of, settings_of
from tracking import campaign_rules, campaigns
from tracking.access.users import Role
from tracking.campaign_rules import InvalidFieldError
from tracking.campaigns import Campaign
from tracking.database import Transaction
from tracking.errors import DuplicateCodeError
from tracking.organizers import Event
from tracking.settings import Settings
from tracking.urls import shop_of

_TAKEN = "Another link has this code already."
_ADDRESS_FIRST = "Enter an address for these parameters, or leave them empty."
_CHANGED = (
    "Somebody else changed this link while you had it open. What you see is what you typed; "
    "saving again overwrites their change."
)


@dataclass(slots=True)
class CampaignForm:
    """What was typed, and what is wrong with it, by field.

    Attributes:
        code: "" = one is drawn.
        version: of the campaign that was changed; it was another one when they differ.
    """

    name: str = ""
    target: str = ""
    code: str = ""
    utm: dict[str, str] = field(default_factory=lambda: dict.fromkeys(utm.PARAMETERS, ""))
    version: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, form: Form) -> "CampaignForm":
        """Takes what was typed."""
        return cls(
            name=text(form, "name").strip(),
            target=text(form, "target").strip(),
            code=text(form, "code").strip(),
            utm={name: text(form, name).strip() for name in utm.PARAMETERS},
            version=text(form, "version"),
        )

    @classmethod
    def of(cls, campaign: Campaign) -> "CampaignForm":
        """Filled in with what a campaign is now."""
        return cls(
            campaign.description,
            campaign.external_target,
            campaign.code,
            version=version_of(campaign),
        )

    def check(self, public_origin: str, *, needs_code: bool) -> None:
        """Notes what is wrong, all of it, and adds the UTM parameters to the target."""
        if not self.target and any(self.utm.values()):
            self.errors["target"] = _ADDRESS_FIRST
        else:
            self.target = utm.add(self.target, self.utm)
        self._try("name", lambda: campaign_rules.read_description(self.name))
        if "target" not in self.errors:
            self._try("target", lambda: campaign_rules.read_target(self.target, public_origin))
        if self.code or needs_code:
            self._try("code", lambda: campaign_rules.read_code(self.code))
        if not self.errors:
            self.utm = dict.fromkeys(self.utm, "")

    def _try(self, name: str, read: Callable[[], str]) -> None:
        try:
            read()
        except InvalidFieldError as error:
            self.errors[name] = str(error)


def version_of(campaign: Campaign) -> str:
    """What changes when somebody edits a campaign, and not when it is clicked."""
    fields = (campaign.code, campaign.description, campaign.external_target)
    return hashlib.sha256("\0".join(fields).encode()).hexdigest()[:16]


def shop_of_event(event: Event, settings: Settings) -> str:
    """The ticket shop that a link without a target leads to."""
    return shop_of(event.shop_url, settings.shop_url, event.organizer, event.slug)


async def _ask(request: Request, visit: EventVisit) -> Response:
    return _form_page(request, visit, CampaignForm())


async def _make(request: Request, visit: EventVisit, form: Form) -> Response:
    typed = CampaignForm.read(form)
    invited = "name" not in form.texts
    if invited:
        typed.name = _name_for(typed.target)
    typed.check(settings_of(request).public_origin, needs_code=False)
    made = None if typed.errors else await _create(request, visit, typed)
    if made is not None:
        return RedirectResponse(f"{campaign_address(visit.event, made.id)}?made", 303)
    if invited:
        return renderer_of(request).page(
            "first_link.html",
            400,
            visit=visit,
            shop=shop_of_event(visit.event, settings_of(request)),
            target=typed.target,
            error=typed.errors.get("target", ""),
        )
    return _form_page(request, visit, typed, 400)


async def _create(request: Request, visit: EventVisit, typed: CampaignForm) -> Campaign | None:
    try:
        async with database_of(request).write(by=visit.author) as connection:
            return await campaigns.create(
                connection,
                visit.event.id,
                description=typed.name,
                external_target=typed.target,
                code=typed.code or None,
            )
    except DuplicateCodeError:
        typed.errors["code"] = _TAKEN
        return None


async def _edit(request: Request, visit: CampaignVisit) -> Response:
    return _form_page(request, visit, CampaignForm.of(visit.campaign))


async def _save(request: Request, visit: CampaignVisit, form: Form) -> Response:
    typed = CampaignForm.read(form)
    typed.check(settings_of(request).public_origin, needs_code=True)
    if not typed.errors:
        try:
            async with database_of(request).write(by=visit.author) as connection:
                if await _change(connection, visit, typed):
                    return RedirectResponse("../", 303)
        except DuplicateCodeError:
            typed.errors["code"] = _TAKEN
    return _form_page(request, visit, typed, 400)


async def _change(connection: Transaction, visit: CampaignVisit, typed: CampaignForm) -> bool:
    """Changes the campaign, unless it is another one than the form was made from."""
    now = await campaigns.get(connection, visit.event.id, visit.campaign.id)
    if now is not None and version_of(now) != typed.version:
        typed.version = version_of(now)
        typed.errors["form"] = _CHANGED
        return False
    values = {
        "code": typed.code,
        "description": typed.name,
        "external_target": typed.target,
    }
    await campaigns.change(connection, visit.event.id, visit.campaign.id, values)
    return True


async def _check_code(request: Request, visit: EventVisit) -> Response:
    """Whether a code is free, for the page's script: `{"error": ""}` when it is."""
    code = request.query_params.get("code", "").strip()
    but = request.query_params.get("but", "")
    try:
        campaign_rules.read_code(code)
    except InvalidFieldError as error:
        return JSONResponse({"error": str(error)})
    async with database_of(request).read() as connection:
        taken = await campaigns.is_taken(connection, code, but=whole_number(but))
    return JSONResponse({"error": _TAKEN if taken else ""})


def _form_page(
    request: Request, visit: EventVisit, form: CampaignForm, status: int = 200
) -> Response:
    settings = settings_of(request)
    campaign = visit.campaign if isinstance(visit, CampaignVisit) else None
    sample = Campaign(0, "\0", "", "", 0, 0)
    before, _, after = link_of(visit.event, sample, settings).partition("\0")
    return renderer_of(request).page(
        "campaign_form.html",
        status,
        visit=visit,
        campaign=campaign,
        form=form,
        shop=shop_of_event(visit.event, settings),
        link=(before, after),
        utm=utm.PARAMETERS,
    )


def _name_for(target: str) -> str:
    """What a link is called that was made without a name."""
    try:
        host = urlsplit(target).hostname
    except ValueError:
        host = None
    return f"Link to {host}"[:255] if host else "First link"


PAGES = (
    event_page("campaigns/new/", _ask, _make, sees=Role.EDITOR),
    event_page("campaigns/check/", _check_code, sees=Role.EDITOR),
    campaign_page("edit/", _edit, _save, sees=Role.EDITOR),
)

"""The dashboard's own addresses, and those of links."""

from tracking.campaigns import Campaign
from tracking.links import link_url
from tracking.organizers import RESERVED_SLUGS, Event
from tracking.settings import Settings

# Before an organizer's slug that an address of the dashboard has: no slug begins so.
_APART = "~"


def organizer_segment(slug: str) -> str:
    """An organizer's part of an address: its slug, apart from the dashboard's own addresses."""
    return f"{_APART}{slug}" if slug in RESERVED_SLUGS else slug


def slug_of(segment: str) -> str:
    """The organizer's slug that a part of an address stands for."""
    slug = segment.removeprefix(_APART)
    return slug if organizer_segment(slug) == segment else ""


def event_address(event: Event) -> str:
    """An event's screen; what belongs to the event lies below."""
    return f"/{organizer_segment(event.organizer)}/{event.slug}/"


def settings_address(organizer: str) -> str:
    """What an organizer's admins manage."""
    return f"/settings/{organizer_segment(organizer)}/"


def campaign_address(event: Event, id: int) -> str:
    """A campaign's screen."""
    return f"{event_address(event)}campaigns/{id}/"


def link_of(event: Event, campaign: Campaign, settings: Settings) -> str:
    """A campaign's link, as visitors get it."""
    return link_url(settings.public_origin, event.organizer, event.slug, campaign.code)

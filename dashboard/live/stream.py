"""The stream of an open screen: `counts` when they change, `over` when nobody may look any more."""

import json
from collections.abc import AsyncIterator
from datetime import datetime

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from dashboard import dates
from dashboard.access.door import campaign_page, event_page
from dashboard.access.visit import CampaignVisit, EventVisit
from dashboard.figures import zone_of
from dashboard.live.hub import Counts, Watcher
from dashboard.numbers import whole_number
from dashboard.state import hub_of
from tracking.organizers import Event

_MAX_CAMPAIGNS = 100
# A browser that lost the stream tries again after so many milliseconds.
_RETRY = 2000
# Between two comments that keep proxies from closing a quiet stream, in seconds.
_PING = 15
# Who takes nothing for so many seconds has gone.
_SEND_SECONDS = 30


def stream(request: Request, event: Event, watcher: Watcher) -> Response:
    """Answers with a stream; who may look at it is known."""

    async def events() -> AsyncIterator[ServerSentEvent]:
        async with hub_of(request).watching(event, watcher):
            while (counts := await watcher.next()) is not None:
                yield ServerSentEvent(_json(counts, event), event="counts", retry=_RETRY)
            yield ServerSentEvent("", event="over")

    # nginx would keep what is sent till a buffer is full.
    headers = {"X-Accel-Buffering": "no"}
    return EventSourceResponse(events(), headers=headers, ping=_PING, send_timeout=_SEND_SECONDS)


def shown_campaigns(request: Request) -> frozenset[int]:
    """The ids of the campaigns that a page shows, as it says."""
    named = request.query_params.get("campaigns", "").split(",")[:_MAX_CAMPAIGNS]
    return frozenset(id for each in named if (id := whole_number(each)) is not None)


def _json(counts: Counts, event: Event) -> str:
    until = None
    if counts.until is not None:
        zone = zone_of(event)
        moment = dates.local(counts.until, zone)
        until = dates.clock_time(moment, datetime.now(zone))
    return json.dumps(
        {
            "clicks": counts.clicks,
            "orders": counts.orders,
            "notCounted": counts.not_counted,
            "campaigns": counts.campaigns,
            "until": until,
        }
    )


async def _follow_event(request: Request, visit: EventVisit) -> Response:
    watcher = Watcher(shown_campaigns(request), session=visit.session.id)
    return stream(request, visit.event, watcher)


async def _follow_campaign(request: Request, visit: CampaignVisit) -> Response:
    watcher = Watcher(only=visit.campaign.id, session=visit.session.id)
    return stream(request, visit.event, watcher)


PAGES = (
    event_page("live/", _follow_event),
    campaign_page("live/", _follow_campaign),
)

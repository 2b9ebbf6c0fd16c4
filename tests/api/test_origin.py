"""Links behind a proxy: whose word counts for the scheme and host in them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network

import httpx
import pytest

from api.app import create_app
from tests.api.conftest import Shop
from tests.serving import serving
from tracking import campaigns, tokens
from tracking.database import Database
from tracking.organizers import ensure_event
from tracking.settings import Settings

PATH = "/api/v1/organizers/acme/events/summer/campaigns/"
QUERY = "?page=2&page_size=1"
Headers = list[tuple[str, str]]


@pytest.fixture
async def token(database: Database) -> str:
    """A token of an event with two campaigns: a page of one has a next."""
    async with database.write() as connection:
        event = await ensure_event(connection, "acme", "summer")
        for _ in range(2):
            await campaigns.create(connection, event.id, description="Poster")
        return await tokens.create(connection, event.organizer_id)


@pytest.fixture
async def behind_proxy(settings: Settings, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """A server that believes its own machine."""
    trusting = settings.model_copy(update={"trusted_proxies": (ip_network("127.0.0.0/8"),)})
    async with (
        serving(create_app(trusting)) as url,
        httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Token {token}"}, verify=False
        ) as client,
    ):
        yield client


@dataclass(frozen=True)
class Forwarded:
    """What a proxy sends with the Host `inner.example`, and what links begin with."""

    headers: Headers
    origin: str


PROTO, HOST = "X-Forwarded-Proto", "X-Forwarded-Host"
FORWARDED = {
    "nothing": Forwarded([], "http://inner.example"),
    "the scheme": Forwarded([(PROTO, "https")], "https://inner.example"),
    "the host": Forwarded([(HOST, "api.example")], "http://api.example"),
    "both": Forwarded([(PROTO, "https"), (HOST, "api.example:8443")], "https://api.example:8443"),
    "an IPv6 address": Forwarded([(HOST, "[2001:db8::1]:80")], "http://[2001:db8::1]:80"),
    "another scheme": Forwarded([(PROTO, "javascript")], "http://inner.example"),
    "a scheme in capitals": Forwarded([(PROTO, "HTTPS")], "http://inner.example"),
    "an empty scheme": Forwarded([(PROTO, "")], "http://inner.example"),
    "a list of schemes": Forwarded([(PROTO, "https, http")], "http://inner.example"),
    "two schemes": Forwarded([(PROTO, "https"), (PROTO, "https")], "http://inner.example"),
    "a host with a path": Forwarded([(HOST, "a.example/b")], "http://inner.example"),
    "a host with a user": Forwarded([(HOST, "a@b.example")], "http://inner.example"),
    "an empty host": Forwarded([(HOST, "")], "http://inner.example"),
    "a list of hosts": Forwarded([(HOST, "evil.example, api.example")], "http://inner.example"),
    "two hosts": Forwarded([(HOST, "evil.example"), (HOST, "b.example")], "http://inner.example"),
    "a wrong host and a right scheme": Forwarded(
        [(PROTO, "https"), (HOST, "?")], "https://inner.example"
    ),
    "other headers": Forwarded(
        [("Forwarded", "proto=https;host=a.example"), ("X-Forwarded-Port", "8443")],
        "http://inner.example",
    ),
}


@pytest.mark.parametrize("case", FORWARDED.values(), ids=FORWARDED.keys())
async def test_a_trusted_proxy_says_what_it_was_asked(
    behind_proxy: httpx.AsyncClient, case: Forwarded
) -> None:
    """Each of its headers counts when it comes once and is well formed."""
    # A request of the client's own making would have each header once.
    headers = [
        ("Host", "inner.example"),
        ("Authorization", behind_proxy.headers["Authorization"]),
        *case.headers,
    ]
    for query, name, link in (("?page_size=1", "next", QUERY), (QUERY, "previous", "?page_size=1")):
        url = behind_proxy.base_url.join(f"{PATH}{query}")
        answer = await behind_proxy.send(httpx.Request("GET", url, headers=headers))
        assert answer.json()[name] == f"{case.origin}{PATH}{link}"


async def test_nobody_else_is_believed(settings: Settings, token: str) -> None:
    """By default, and when the peer is not the proxy that is named."""
    elsewhere = (ip_network("10.0.0.0/8"), ip_network("::1"))
    headers = {PROTO: "https", HOST: "evil.example", "Authorization": f"Token {token}"}
    for trusted in (None, elsewhere):
        app = create_app(settings.model_copy(update={"trusted_proxies": trusted}))
        async with (
            serving(app) as url,
            httpx.AsyncClient(base_url=url, headers=headers, verify=False) as client,
        ):
            answer = await client.get(f"{PATH}?page_size=1")
        assert answer.json()["next"] == f"{url}{PATH}{QUERY}"


async def test_a_redirect_leads_to_no_forwarded_host(behind_proxy: httpx.AsyncClient) -> None:
    """The missing slash is added to the path alone, whatever host was asked."""
    answer = await behind_proxy.get(f"{PATH[:-1]}?a=b", headers={PROTO: "https", HOST: "a.example"})
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{PATH}?a=b")


async def test_a_client_s_headers_change_nothing_by_default(shop: Shop) -> None:
    """The shared server trusts nobody."""
    for _ in range(2):
        await shop.campaign()
    answer = await shop.client.get("campaigns/?page_size=1", headers={HOST: "evil.example"})
    assert answer.json()["next"] == f"{shop.url}campaigns/{QUERY}"

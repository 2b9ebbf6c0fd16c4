"""Who may do what: tokens, events, and the order in which a request is checked."""

from dataclasses import dataclass

import httpx
import pytest

from tests.api.conftest import Shop

FORBIDDEN = {"detail": "You do not have permission to perform this action."}
NO_CREDENTIALS = "Authentication credentials were not provided."
INVALID_HEADER = "Invalid token header. "


@dataclass(frozen=True)
class WrongHeader:
    """An Authorization header, and the answer's detail."""

    header: bytes | None
    detail: str


WRONG_HEADERS = {
    "none": WrongHeader(None, NO_CREDENTIALS),
    "empty": WrongHeader(b"", NO_CREDENTIALS),
    "another scheme": WrongHeader(b"Bearer abc", NO_CREDENTIALS),
    "a scheme that begins alike": WrongHeader(b"Tokens abc", NO_CREDENTIALS),
    "no token": WrongHeader(b"Token", INVALID_HEADER + "No credentials provided."),
    "no token, any case": WrongHeader(b"token", INVALID_HEADER + "No credentials provided."),
    "spaces": WrongHeader(b"Token a b", INVALID_HEADER + "Token string should not contain spaces."),
    "not UTF-8": WrongHeader(
        b"Token \xff", INVALID_HEADER + "Token string should not contain invalid characters."
    ),
    "unknown": WrongHeader(b"Token abc", "Invalid token."),
    "unknown, beyond ASCII": WrongHeader("Token ä".encode(), "Invalid token."),
}


@pytest.mark.parametrize("case", WRONG_HEADERS.values(), ids=WRONG_HEADERS.keys())
async def test_a_wrong_header_is_401_with_the_reason(shop: Shop, case: WrongHeader) -> None:
    """Each way to come without a token has its own message, and names the scheme to come with."""
    headers = [] if case.header is None else [(b"Authorization", case.header)]
    with shop.served.unchanged():
        async with httpx.AsyncClient() as client:
            response = await client.post(
                shop.url + "campaigns/", headers=headers, json={"description": "x"}
            )
    assert response.status_code == 401
    assert response.json() == {"detail": case.detail}
    assert response.headers["WWW-Authenticate"] == "Token"
    assert response.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert response.headers["Vary"] == "Accept"


@pytest.mark.parametrize("scheme", ["Token", "token", "TOKEN", "tOkEn  "])
async def test_the_scheme_is_taken_in_any_case(shop: Shop, scheme: str) -> None:
    """Schemes are case-insensitive (RFC 9110, section 11.1)."""
    headers = {"Authorization": f"{scheme} {shop.organizer.full}"}
    assert (await shop.client.get("campaigns/", headers=headers)).status_code == 200


async def test_a_revoked_token_is_unknown(shop: Shop) -> None:
    """Revoking ends a token, without a hint that there was one."""
    headers = {"Authorization": f"Token {shop.organizer.revoked}"}
    response = await shop.client.get("campaigns/", headers=headers)
    assert (response.status_code, response.json()) == (401, {"detail": "Invalid token."})


@dataclass(frozen=True)
class Scope:
    """A token on an event, and what it may."""

    token: str
    organizer: str
    event: str
    reads: bool
    writes: bool


SCOPES = {
    "full": Scope("full", "slug", "winter", True, True),
    "full, another event": Scope("full", "slug", "spring", True, True),
    "full, an unknown event": Scope("full", "slug", "autumn", False, False),
    "full, another organizer's event": Scope("full", "rival", "winter", False, False),
    "full, an unknown organizer": Scope("full", "nobody", "winter", False, False),
    "read-only": Scope("read_only", "slug", "winter", True, False),
    "one event": Scope("spring_only", "slug", "spring", True, True),
    "one event, another": Scope("spring_only", "slug", "winter", False, False),
    "a stranger at home": Scope("stranger", "rival", "winter", True, True),
    "a stranger": Scope("stranger", "slug", "winter", False, False),
}


@pytest.mark.parametrize("case", SCOPES.values(), ids=SCOPES.keys())
async def test_a_token_allows_what_it_covers(shop: Shop, case: Scope) -> None:
    """Outside its scope a token gets one 403, whether something is there or not."""
    organizer = getattr(shop.organizer, case.organizer, case.organizer)
    url = shop.url_of(organizer, case.event) + "campaigns/"
    headers = {"Authorization": f"Token {getattr(shop.organizer, case.token)}"}
    for method in ("GET", "HEAD", "OPTIONS"):
        read = await shop.client.request(method, url, headers=headers)
        assert read.status_code == (200 if case.reads else 403)
        if not case.reads and method != "HEAD":
            assert read.json() == FORBIDDEN
    before = shop.served.rows()
    written = await shop.client.post(url, headers=headers, json={"description": "x"})
    assert written.status_code == (201 if case.writes else 403)
    assert case.writes == (shop.served.rows() != before)
    if not case.writes:
        assert written.json() == FORBIDDEN


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_read_only_token_writes_nothing(shop: Shop, method: str) -> None:
    """Every unsafe method is refused, also on what exists."""
    made = await shop.campaign()
    headers = {"Authorization": f"Token {shop.organizer.read_only}"}
    with shop.served.unchanged():
        response = await shop.client.request(
            method, f"campaigns/{made['id']}/", headers=headers, json={"description": "x"}
        )
    assert (response.status_code, response.json()) == (403, FORBIDDEN)


@dataclass(frozen=True)
class Clash:
    """A request with several faults, and the status of the one that counts."""

    token: str
    method: str
    path: str
    status: int


CLASHES = {
    "401 before 405": Clash("wrong", "PATCH", "categories/", 401),
    "401 before 404": Clash("wrong", "GET", "categories/x/", 401),
    "403 before 405": Clash("stranger", "PATCH", "categories/", 403),
    "403 before 405, read-only": Clash("read_only", "PATCH", "categories/", 403),
    "403 before 404": Clash("stranger", "GET", "categories/x/", 403),
    "403 before the body": Clash("read_only", "POST", "categories/", 403),
    "401 before 405, a method that nobody knows": Clash("wrong", "FOO", "categories/", 401),
    "403 before 405, a method that nobody knows": Clash("read_only", "FOO", "categories/", 403),
    "405 of a method that nobody knows": Clash("full", "FOO", "categories/x/", 405),
    "405 before 404": Clash("full", "POST", "categories/x/", 405),
    "405 before the body": Clash("full", "PATCH", "categories/", 405),
    "404 before the body": Clash("full", "PATCH", "categories/x/", 404),
    "404 before the body, PUT": Clash("full", "PUT", "categories/999999/", 404),
    "403 of a missing campaign before the body": Clash("full", "PUT", "campaigns/999999/", 403),
}


@pytest.mark.parametrize("case", CLASHES.values(), ids=CLASHES.keys())
async def test_faults_are_reported_in_the_contract_s_order(shop: Shop, case: Clash) -> None:
    """401, 403, 405, 404, then the body, whoever asks; tests/api/test_order.py has all pairs."""
    headers = {
        "Authorization": f"Token {getattr(shop.organizer, case.token, case.token)}",
        "Content-Type": "application/json",
    }
    with shop.served.unchanged():
        response = await shop.client.request(
            case.method, case.path, headers=headers, content=b'{"name": '
        )
    assert response.status_code == case.status
    assert response.headers["Content-Type"] == "application/json"

"""The order in which a request is checked: of several faults the first one is told."""

import itertools
from dataclasses import dataclass

import pytest

from tests.api.conftest import Shop


@dataclass(frozen=True)
class Fault:
    """Something wrong with a request, and how it is told.

    Attributes:
        detail: of the answer; None = it has none.
    """

    status: int
    detail: str | None


# The contract, "Authentication", in its order.
FAULTS = {
    "slash": Fault(404, "Not found. The path must end with a slash."),
    "NUL": Fault(400, "Null characters are not allowed."),
    "Accept": Fault(406, "Could not satisfy the request Accept header."),
    "token": Fault(401, "Invalid token."),
    "permission": Fault(403, "You do not have permission to perform this action."),
    "method": Fault(405, 'Method "POST" not allowed.'),
    "id": Fault(404, "No ItemCategory matches the given query."),
    "body": Fault(400, None),
}
ORDER = list(FAULTS)
CASES = {
    **{name: {name} for name in ORDER},
    **{f"{one}, {other}": {one, other} for one, other in itertools.pairwise(ORDER)},
    **{f"{name} and all after it": set(ORDER[index:]) for index, name in enumerate(ORDER)},
}


@pytest.mark.parametrize("faults", CASES.values(), ids=CASES)
async def test_the_first_fault_is_told(shop: Shop, faults: set[str]) -> None:
    """Each pair of neighbours, and each fault with all that come after it; nothing is written."""
    id = "999999" if "id" in faults else (await shop.category())["id"]
    # A token that may only read is refused on what is there as well as on what is not.
    token = shop.organizer.read_only if "permission" in faults else shop.organizer.full
    with shop.served.unchanged():
        response = await shop.client.request(
            "POST" if "method" in faults else "PUT",
            f"categories/{id}{'' if 'slash' in faults else '/'}{'?x=%00' * ('NUL' in faults)}",
            content=b'{"name": 5}' if "body" in faults else b'{"name": "x"}',
            headers={
                "Authorization": f"Token {'unknown' if 'token' in faults else token}",
                "Accept": "text/html" if "Accept" in faults else "*/*",
                "Content-Type": "application/json",
                # Whatever is refused before its handler leaves no key behind.
                **({"X-Idempotency-Key": "k"} if faults - {"id", "body"} else {}),
            },
        )
    expected = FAULTS[next(name for name in ORDER if name in faults)]
    assert response.status_code == expected.status
    assert response.json().get("detail") == expected.detail


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
async def test_a_missing_slash_comes_before_all_else(shop: Shop, method: str) -> None:
    """301 where no body is lost by it, whoever asks for whatever."""
    response = await shop.client.request(
        method, "categories?x=%00", headers={"Authorization": "", "Accept": "text/html"}
    )
    assert (response.status_code, response.headers["Location"]) == (
        301,
        f"{shop.path}categories/?x=%00",
    )


@pytest.mark.parametrize(
    "query", ["page=%00", "%00", "a=b%00", "%00=1", "x=%20%00%20", "page=1&&;%%00", "a=%C0%80%00"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["campaigns/", "campaigns/x/", "", "../", "/api/v1/version/"])
async def test_a_nul_anywhere_in_the_query_is_400(
    shop: Shop, method: str, path: str, query: str
) -> None:
    """In a name or a value, on every path, with every method."""
    url = shop.served.url + path if path.startswith("/") else path
    response = await shop.client.request(method, f"{url}?{query}")
    assert response.status_code == 400
    if method != "HEAD":
        assert response.json() == {"detail": "Null characters are not allowed."}


@pytest.mark.parametrize("query", ["x=%2500", "x=%C0%80", "x=%u0000", "x=%0", "x=%0G0"])
async def test_what_looks_like_a_nul_is_none(shop: Shop, query: str) -> None:
    """An escaped percent sign, and what is no escape at all."""
    assert (await shop.client.get(f"campaigns/?{query}")).status_code == 200

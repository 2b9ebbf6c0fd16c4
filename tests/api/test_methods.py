"""Methods that nobody knows are methods (RFC 9110, section 9.1): 405, and not 400."""

import httpx
import pytest

from tests.api.conftest import Shop

METHODS = ["FOO", "PURGE", "M-SEARCH", "TRACE", "A!#$%&'*+.^_`|~1"]


@pytest.mark.parametrize("method", METHODS)
async def test_an_unknown_method(shop: Shop, method: str) -> None:
    """As a known one that is not allowed: JSON, which says what is."""
    response = await shop.client.request(method, "campaigns/")
    assert response.status_code == 405
    assert response.json() == {"detail": f'Method "{method}" not allowed.'}
    assert response.headers["allow"] == "GET, POST, HEAD, OPTIONS"


async def test_without_a_token(shop: Shop) -> None:
    """Who may not ask is told so first."""
    async with httpx.AsyncClient(base_url=shop.url) as stranger:
        response = await stranger.request("FOO", "campaigns/")
    assert response.status_code == 401

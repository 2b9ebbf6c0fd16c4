"""QR codes over HTTP."""

import io

import pytest
import zxingcpp
from PIL import Image

from tests.api.conftest import Shop


async def test_a_code_leads_to_the_link(shop: Shop) -> None:
    """A picture is read back; it is the campaign's link as visitors get it."""
    campaign = await shop.campaign(code=f"qr-{shop.slug}")
    response = await shop.client.get(f"campaigns/{campaign['id']}/qr/?format=png&dark=%230b6e5f")
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-disposition"] == f'inline; filename="qr-{shop.slug}.png"'
    [found] = zxingcpp.read_barcodes(Image.open(io.BytesIO(response.content)))
    path = f"/{shop.organizer.slug}/{shop.slug}/c/qr-{shop.slug}/"
    assert found.text == f"http://127.0.0.1:8000{path}"


FORMATS = {
    "without a word": ("", "", "image/svg+xml"),
    "by Accept": ("", "application/pdf", "application/pdf"),
    "a browser's Accept": ("", "image/avif,image/png,*/*;q=0.8", "image/svg+xml"),
    "named": ("?format=pdf", "", "application/pdf"),
    "named, whatever Accept says": ("?format=svg", "application/pdf", "image/svg+xml"),
}


@pytest.mark.parametrize(("query", "accept", "expected"), FORMATS.values(), ids=FORMATS)
async def test_formats(shop: Shop, query: str, accept: str, expected: str) -> None:
    """The query names one, or else Accept takes its pick."""
    campaign = await shop.campaign()
    headers = {"Accept": accept} if accept else {}
    response = await shop.client.get(f"campaigns/{campaign['id']}/qr/{query}", headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == expected


WRONG = {
    "another format": ("format=gif", "format"),
    "no colour": ("dark=red", "dark"),
    "no level": ("error=Z", "error"),
    "no number": ("size=large", "size"),
    "a huge quiet zone": ("quiet_zone=99999", "quiet_zone"),
}


@pytest.mark.parametrize(("query", "parameter"), WRONG.values(), ids=WRONG)
async def test_wrong_options(shop: Shop, query: str, parameter: str) -> None:
    """400 with the parameter's name."""
    campaign = await shop.campaign()
    response = await shop.client.get(f"campaigns/{campaign['id']}/qr/?{query}")
    assert response.status_code == 400
    assert list(response.json()) == [parameter]


async def test_what_is_not_there(shop: Shop) -> None:
    """Another's campaign is 403, as the campaign itself; what takes no picture is 406."""
    campaign = await shop.campaign()
    assert (await shop.client.get("campaigns/999999999/qr/")).status_code == 403
    headers = {"Accept": "text/html"}
    response = await shop.client.get(f"campaigns/{campaign['id']}/qr/", headers=headers)
    assert response.status_code == 406

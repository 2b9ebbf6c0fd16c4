"""Names that would break a page, in every place that shows one."""

import pytest

from tests.dashboard.addresses import address, readable
from tests.dashboard.conftest import NASTY, Dashboard
from tests.waiting import until


async def test_every_page_escapes_what_it_shows(dashboard: Dashboard) -> None:
    """No page holds a name as it is, or what a template makes of it."""
    shown = 0
    async with dashboard.visitor("admin") as visitor:
        for page in readable():
            response = await visitor.get(address(page, dashboard.content))
            if not response.headers.get("content-type", "").startswith("text/html"):
                continue
            assert "<script>alert" not in response.text, page.path
            assert "</title>{" not in response.text, page.path
            assert ">49<" not in response.text, page.path
            assert "style=" not in response.text, page.path
            shown += "&lt;script&gt;alert(1)" in response.text
        for path in (dashboard.content.share, dashboard.content.campaign_share):
            response = await visitor.get(f"/shared/{path}/")
            assert response.status_code == 200
            assert "<script>alert" not in response.text
    assert shown > 10


async def test_tables_as_csv_hold_no_formulas(dashboard: Dashboard) -> None:
    """A cell that begins like one has an apostrophe before it; the rest is to the letter."""
    async with dashboard.visitor("viewer") as visitor:
        content = (await visitor.get("/acme/fest/links.csv?period=all")).text
    lines = content.split("\r\n")
    assert lines[0] == "name,link,code,target,clicks,orders"
    assert NASTY.replace('"', '""') in lines[1]
    assert lines[1].endswith(",poster,https://x.example/?a=<b>,15,1")
    assert lines[2].startswith("'=Formula,")
    assert ",'-flyer," in lines[2]


async def test_what_browsers_are_told(dashboard: Dashboard) -> None:
    """Every page, errors too, loads nothing from elsewhere and is framed by nobody."""
    async with dashboard.visitor("admin") as visitor:
        for where in ("/", "/acme/fest/", "/sign-in/x", "/nothing/", "/shared/x/"):
            headers = (await visitor.get(where)).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; ")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["cache-control"] == "no-store"
            assert headers["referrer-policy"] == "same-origin"


async def test_a_fault_of_the_program_is_a_page(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 with the same headers as any, and nothing about the fault."""

    def fail(*_: object) -> None:
        raise RuntimeError("a secret of the program's")

    monkeypatch.setattr("dashboard.screens.event.range_bar", fail)
    async with dashboard.visitor("viewer") as visitor:
        answer = await visitor.get("/acme/fest/")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "secret" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_sql_that_is_away_is_a_page(dashboard: Dashboard) -> None:
    """503 with `Retry-After`, wherever one is led; it works again when SQL is back."""
    path = dashboard.settings.database_path
    async with dashboard.visitor("viewer") as visitor:
        assert (await visitor.get("/acme/fest/")).status_code == 200
        away = path.rename(path.with_suffix(".away"))
        for where in ("/acme/fest/", "/nothing", "/sign-in/x", "/shared/x/"):
            answer = await visitor.get(where)
            assert answer.status_code == 503, where
            assert "One moment" in answer.text
            assert answer.headers["retry-after"]
        away.rename(path)

        async def is_back() -> bool:
            return (await visitor.get("/acme/fest/")).status_code == 200

        await until(is_back)

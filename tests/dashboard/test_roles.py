"""Every role against every address and method: nobody sees or does what is not theirs."""

import pytest

from dashboard.access.door import Address
from dashboard.app import PAGES
from tests.dashboard.addresses import address, readable
from tests.dashboard.conftest import Dashboard
from tracking.access.users import Role


def of_everybody(page: Address) -> bool:
    """Whether it is no organizer's."""
    return "{organizer}" not in page.path


@pytest.mark.parametrize("role", Role)
async def test_what_a_role_sees(dashboard: Dashboard, role: Role) -> None:
    """A page for who may see it, 403 for who may not."""
    async with dashboard.visitor(role) as visitor:
        for page in readable():
            where = address(page, dashboard.content)
            status = (await visitor.get(where)).status_code
            if page.path == "/settings/":
                allowed = role is Role.ADMIN
            else:
                allowed = of_everybody(page) or role.allows(page.sees)
            assert (status in {200, 302, 303}) if allowed else (status == 403), (where, status)


@pytest.mark.parametrize("role", Role)
async def test_what_a_role_does(dashboard: Dashboard, role: Role) -> None:
    """403 for who may not write there, whatever the form says; and nothing is written."""
    async with dashboard.visitor(role) as visitor:
        for page in PAGES:
            where = address(page, dashboard.content)
            allowed = of_everybody(page) or role.allows(page.acts)
            if "POST" not in page.methods or allowed:
                continue
            response = await visitor.post(where, name="x", action="role", role="admin")
            assert response.status_code == 403, where
            assert "your role" in response.text.lower(), where


async def test_nothing_is_told_to_who_is_not_signed_in(dashboard: Dashboard) -> None:
    """Whatever there is or not, it is the page where one signs in."""
    async with dashboard.visitor() as visitor:
        places = [address(page, dashboard.content) for page in PAGES]
        for where in [*places, "/acme/nothing/", "/nobody/x/", "/acme", "/x/y/z/"]:
            for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
                response = await visitor.client.request(method, where)
                assert response.status_code == 303, (method, where)
                assert response.headers["location"].startswith("/sign-in/"), where


async def test_nothing_is_told_to_strangers(dashboard: Dashboard) -> None:
    """What is another organizer's is the same page as what is not there."""
    async with dashboard.visitor("stranger") as visitor:
        nothing = await visitor.get("/nobody/nothing/")
        assert nothing.status_code == 404
        for page in PAGES:
            if of_everybody(page):
                continue
            where = address(page, dashboard.content)
            shown = await visitor.get(where)
            assert (shown.status_code, shown.text) == (404, nothing.text), where
            posted = await visitor.post(where, action="role", role="admin")
            assert posted.status_code == 404, where


@pytest.mark.parametrize(
    "forged",
    ["no token", "a wrong token", "another's token", "another site", "no origin", "null"],
)
async def test_forms_of_others_are_refused(dashboard: Dashboard, forged: str) -> None:
    """No form is taken without a token of this session's and this server as its origin."""
    async with dashboard.visitor("admin") as visitor, dashboard.visitor("admin") as other:
        for page in PAGES:
            if "POST" not in page.methods:
                continue
            where = address(page, dashboard.content)
            own = await visitor.token()
            fields = {
                "no token": {"csrf": ""},
                "a wrong token": {"csrf": own[:-4] + "AAAA"},
                "another's token": {"csrf": await other.token()},
            }.get(forged, {"csrf": own})
            origins = {"another site": "https://evil.example", "null": "null", "no origin": ""}
            response = await visitor.post(where, origin=origins.get(forged), **fields)
            assert response.status_code == 403, where
            assert "out of date" in response.text, where


async def test_other_methods(dashboard: Dashboard) -> None:
    """405 with what is allowed, behind the door."""
    async with dashboard.visitor("admin") as visitor:
        for page in PAGES:
            where = address(page, dashboard.content)
            token = await visitor.token()
            headers = {"Origin": dashboard.url}
            response = await visitor.client.request(
                "PUT", where, data={"csrf": token}, headers=headers
            )
            assert response.status_code == 405, where
            assert set(page.methods) <= set(response.headers["allow"].split(", "))


async def test_a_role_that_is_taken_away_ends_at_once(dashboard: Dashboard) -> None:
    """The next request asks anew; who has no role left is signed out."""
    async with dashboard.visitor("editor") as editor, dashboard.visitor("admin") as admin:
        assert (await editor.get("/acme/fest/campaigns/new/")).status_code == 200
        where = f"/settings/acme/users/{dashboard.content.users['editor']}/"
        assert (await admin.post(where, action="role", role="viewer")).status_code == 303
        assert (await editor.get("/acme/fest/campaigns/new/")).status_code == 403
        assert (await editor.get("/acme/fest/")).status_code == 200
        assert (await admin.post(where, action="remove")).status_code == 303
        assert (await editor.get("/acme/fest/")).status_code == 303

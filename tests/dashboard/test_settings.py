"""Settings: users, tokens and events; and shared addresses."""

import re

import httpx

from api.app import create_app as create_api
from serving.protocol import BoundedProtocol
from tests.dashboard.conftest import Dashboard, Visitor
from tests.serving import serving
from tracking.access import users
from tracking.access.users import Role

SETTINGS = "/settings/acme/"


async def added(visitor: Visitor, email: str, role: str = "viewer") -> httpx.Response:
    """Adds a user."""
    return await visitor.post(f"{SETTINGS}users/", email=email, role=role)


async def test_a_new_user_comes_in(dashboard: Dashboard) -> None:
    """The address that is shown signs in, with the role that was given."""
    async with dashboard.visitor("admin") as admin, dashboard.visitor() as new:
        page = (await added(admin, "New@Example.org", "editor")).text
        [where] = re.findall(rf'data-copy="{dashboard.url}(/sign-in/[^"]+)"', page)
        token = await new.token(where)
        assert (await new.post(where, csrf=token)).status_code == 303
        assert (await new.get("/acme/fest/campaigns/new/")).status_code == 200
        assert (await new.get(SETTINGS)).status_code == 403
        again = await added(admin, "new@example.org")
        assert again.status_code == 400
        assert "is a user already" in again.text
        wrong = await added(admin, "nobody")
        assert wrong.status_code == 400
        assert "An e-mail address is required." in wrong.text
        assert 'value="nobody"' in wrong.text


async def test_nobody_is_taken_over(dashboard: Dashboard) -> None:
    """An admin can neither add somebody of another organizer's nor sign in as one who belongs to
    both: they would be that user everywhere."""
    async with dashboard.visitor("admin") as admin:
        refused = await added(admin, "admin@rival.example", "viewer")
        assert refused.status_code == 400
        assert "another organizer" in refused.text
        stranger = dashboard.content.users["stranger"]
        database = dashboard.database()
        async with database.write() as connection:
            await users.set_role(connection, stranger, 1, Role.VIEWER)
        await database.close()
        shown = (await admin.get(SETTINGS)).text
        assert f'action="{SETTINGS}users/{stranger}/"' in shown
        answer = await admin.post(f"{SETTINGS}users/{stranger}/", action="link")
        assert answer.status_code == 403


async def test_the_last_admin_stays(dashboard: Dashboard) -> None:
    """Neither removed nor less; a line says why."""
    async with dashboard.visitor("admin") as admin:
        where = f"{SETTINGS}users/{dashboard.content.users['admin']}/"
        for fields in ({"action": "remove"}, {"action": "role", "role": "viewer"}):
            answer = await admin.post(where, **fields)
            assert answer.status_code == 400
            assert "last admin" in answer.text
        assert (await admin.post(where, action="nonsense")).status_code == 400
        assert (await admin.post(f"{SETTINGS}users/999/", action="remove")).status_code == 404
        of_rival = f"{SETTINGS}users/{dashboard.content.users['stranger']}/"
        assert (await admin.post(of_rival, action="link")).status_code == 404


async def test_a_token_works_until_it_is_revoked(dashboard: Dashboard) -> None:
    """Shown once; the API takes it for what it is for, and not any more after that."""
    async with (
        dashboard.visitor("admin") as admin,
        serving(create_api(dashboard.settings), BoundedProtocol) as url,
        httpx.AsyncClient(base_url=f"{url}/api/v1/organizers/acme/", verify=False) as api,
    ):
        fields = {"name": "Shop", "access": "read", "event": "fest", "expires": "90d"}
        page = (await admin.post(f"{SETTINGS}tokens/", **fields)).text
        [token] = re.findall(r'data-copy="([0-9a-f]{64})"', page)
        assert token not in (await admin.get(SETTINGS)).text
        headers = {"Authorization": f"Token {token}"}
        campaigns = "events/fest/campaigns/"
        assert (await api.get(campaigns, headers=headers)).status_code == 200
        assert (await api.get("events/empty/campaigns/", headers=headers)).status_code == 403
        new = {"description": "x"}
        assert (await api.post(campaigns, headers=headers, json=new)).status_code == 403
        [id] = re.findall(rf"{SETTINGS}tokens/(\d+)/revoke/.*\n?.*aria-label=\"Revoke Shop\"", page)
        assert (await admin.post(f"{SETTINGS}tokens/{id}/revoke/")).status_code == 303
        assert (await api.get(campaigns, headers=headers)).status_code == 401
        wrong = await admin.post(f"{SETTINGS}tokens/", name="", expires="yesterday")
        assert wrong.status_code == 400
        assert "may not be blank" in wrong.text
        assert "yesterday" in wrong.text
        assert (await admin.post(f"{SETTINGS}tokens/999/revoke/")).status_code == 404


async def test_an_event_is_made_and_changed(dashboard: Dashboard) -> None:
    """Wrong input is kept and explained; nothing is made or changed by it."""
    async with dashboard.visitor("admin") as admin:
        wrong = {
            "slug": "two words",
            "name": "x" * 256,
            "shop_url": "ftp://x",
            "timezone": "Mars/Base",
        }
        page = await admin.post(f"{SETTINGS}events/", **wrong)
        assert page.status_code == 400
        for message in (
            "1 to 50 letters",
            "no more than 255 characters",
            "must start with http",
            "A time zone like",
        ):
            assert message in page.text
        assert 'value="two words"' in page.text
        taken = await admin.post(f"{SETTINGS}events/", slug="fest", name="Another")
        assert taken.status_code == 400
        assert "has this already" in taken.text
        right = {"slug": "gala", "name": "Gala", "timezone": "Europe/Berlin"}
        made = await admin.post(f"{SETTINGS}events/", **right)
        assert (made.status_code, made.headers["location"]) == (303, "/acme/gala/")
        shown = (await admin.get("/acme/gala/settings/")).text
        assert 'value="Gala"' in shown
        assert 'value="Europe/Berlin"' in shown
        changed = {"name": "", "shop_url": "https://shop.example/gala/", "timezone": ""}
        assert (await admin.post("/acme/gala/settings/", **changed)).status_code == 303
        page = await admin.get("/acme/gala/")
        assert "shop.example/gala" in page.text
        own = {"name": "Gala", "shop_url": "http://127.0.0.1:8000/acme/fest/c/poster/"}
        refused = await admin.post("/acme/gala/settings/", **own)
        assert refused.status_code == 400
        assert "tracking link itself" in refused.text


async def test_a_shared_address_shows_and_ends(dashboard: Dashboard) -> None:
    """Whoever has it sees the event and no way further; revoked it is as unknown as any."""
    async with dashboard.visitor("editor") as editor, dashboard.visitor() as guest:
        page = (await editor.post("/acme/fest/share/", name="The board")).text
        [where] = re.findall(rf'data-copy="{dashboard.url}(/shared/[^"]+)"', page)
        shown = await guest.get(where)
        assert shown.status_code == 200
        addresses = set(re.findall(r'(?:href|action|src)="([^"#?]+)', shown.text))
        assert {each for each in addresses if not each.startswith("/static/")} <= {
            "clicks.csv",
            "links.csv",
        }
        assert (await guest.get(f"{where}links.csv")).text.startswith("name,link,")
        assert (await guest.get(f"{where}?period=nonsense")).status_code == 400
        for address in ("campaigns/", "settings/", "share/"):
            assert (await guest.get(f"{where}{address}")).status_code == 303
        [id] = re.findall(r'name="share" value="(\d+)"', page)[:1]
        revoked = await editor.post("/acme/fest/share/", action="revoke", share=id)
        assert revoked.status_code == 303
        for address in (where, f"{where}links.csv", f"{where}live/", "/shared/unknown/"):
            gone = await guest.get(address)
            assert gone.status_code == 404
            assert "Nothing is shared here" in gone.text
        wrong = await editor.post("/acme/fest/share/", name="", expires="never")
        assert wrong.status_code == 400


async def test_a_shared_link_shows_no_other(dashboard: Dashboard) -> None:
    """An address for one link tells nothing of the event's others, and of no one's orders more."""
    async with dashboard.visitor() as guest:
        where = f"/shared/{dashboard.content.campaign_share}/"
        shown = (await guest.get(where)).text
        assert "=Formula" not in shown
        assert (await guest.get(f"{where}clicks.csv")).status_code == 200
        assert (await guest.get(f"{where}links.csv")).status_code == 404


async def test_wrong_ranges_are_explained(dashboard: Dashboard) -> None:
    """In the address of a screen and of its tables."""
    async with dashboard.visitor("viewer") as viewer:
        for query in (
            "period=week",
            "start=2026-02-30",
            "end=2026-01-01",
            "start=1970-01-01&end=2999-12-31",
            "compare=x",
        ):
            for where in ("/acme/fest/", "/acme/fest/links.csv", "/acme/fest/clicks.csv"):
                answer = await viewer.get(f"{where}?{query}")
                assert answer.status_code == 400, (where, query)
                assert "can\u2019t be shown" in answer.text
        for query in ("sort=nonsense", "page=0", "page=x", "page=99999999999999999999", "q=%00"):
            assert (await viewer.get(f"/acme/fest/?{query}")).status_code == 200, query


async def test_a_test_click_counts_nothing(dashboard: Dashboard) -> None:
    """It leads where a click would lead, and tells that place nothing of this one."""
    async with dashboard.visitor("viewer") as viewer:
        id = dashboard.content.campaign
        answer = await viewer.get(f"/acme/fest/campaigns/{id}/test/")
    assert answer.status_code == 302
    assert answer.headers["location"] == "https://x.example/?a=<b>"
    assert answer.headers["referrer-policy"] == "no-referrer"

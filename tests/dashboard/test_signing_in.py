"""Signing in with a link or a password, sessions, and out."""

import asyncio
import sqlite3
from contextlib import closing
from http.cookies import SimpleCookie

import pytest

from dashboard.access import csrf, return_path
from tests.dashboard.conftest import Dashboard, Visitor
from tracking.access import passwords, sign_in_links, users

PASSWORD = "correct horse battery staple"


async def link(dashboard: Dashboard, who: str = "viewer") -> str:
    """The path of a new sign-in link."""
    database = dashboard.database()
    async with database.write() as connection:
        secret = await sign_in_links.create(connection, dashboard.content.users[who])
    await database.close()
    return f"/sign-in/{secret}"


async def set_password(dashboard: Dashboard, who: str = "viewer") -> None:
    """Gives a user the password."""
    hash = await passwords.hash_of(PASSWORD)
    database = dashboard.database()
    async with database.write() as connection:
        await users.set_password_hash(connection, dashboard.content.users[who], hash)
    await database.close()


async def use(visitor: Visitor, where: str) -> int:
    """Presses the one button of a link's page; the answer's status."""
    token = await visitor.token(where)
    return (await visitor.post(where, csrf=token)).status_code


async def sign_in(visitor: Visitor, email: str, password: str, wanted: str = "/") -> int:
    """Sends the form with a password; the answer's status."""
    token = await visitor.token("/sign-in/")
    fields = {"email": email, "password": password, "next": wanted, "csrf": token}
    response = await visitor.post("/sign-in/", **fields)
    visitor.client.headers["x-led-to"] = response.headers.get("location", "")
    return response.status_code


async def test_a_link_works_once(dashboard: Dashboard) -> None:
    """What only fetches it uses nothing up; the button does, once."""
    where = await link(dashboard)
    async with dashboard.visitor() as visitor:
        for method in ("GET", "HEAD", "GET"):
            assert (await visitor.client.request(method, where)).status_code == 200
        assert await use(visitor, where) == 303
        assert (await visitor.get("/acme/fest/")).status_code == 200
    async with dashboard.visitor() as another:
        page = await another.get(where)
        assert page.status_code == 404
        assert "used up" in page.text


async def test_of_many_at_once_one_signs_in(dashboard: Dashboard) -> None:
    """A link that is used by several at the same moment signs one in."""
    where = await link(dashboard)
    async with dashboard.visitor() as first:
        token = await first.token(where)
        statuses = await asyncio.gather(*(first.post(where, csrf=token) for _ in range(8)))
    assert sorted(each.status_code for each in statuses) == [303, *[404] * 7]


async def test_an_old_link_is_over(dashboard: Dashboard) -> None:
    """After a quarter of an hour it is as unknown as any."""
    where = await link(dashboard)
    with closing(sqlite3.connect(dashboard.settings.database_path)) as connection:
        connection.execute("UPDATE sign_in_links SET expires_at = expires_at - 901")
        connection.commit()
    async with dashboard.visitor() as visitor:
        assert (await visitor.get(where)).status_code == 404
        assert (await visitor.get("/sign-in/unknown")).status_code == 404


async def test_passwords(dashboard: Dashboard) -> None:
    """The right one signs in; a wrong one, and an unknown user, get the same answer."""
    await set_password(dashboard)
    async with dashboard.visitor() as visitor:
        answers = []
        for email, password in (
            ("viewer@acme.example", "wrong password here"),
            ("nobody@acme.example", PASSWORD),
            ("editor@acme.example", PASSWORD),  # has none
            ("viewer@acme.example", "x" * 60_000),
            ("viewer@acme.example", "nul \0 in it"),
        ):
            token = await visitor.token("/sign-in/")
            response = await visitor.post(
                "/sign-in/", email=email, password=password, next="/", csrf=token
            )
            answers.append((response.status_code, "go together" in response.text))
        assert answers == [(400, True)] * 5
        assert await sign_in(visitor, " Viewer@ACME.example ", PASSWORD) == 303
        assert (await visitor.get("/acme/fest/")).status_code == 200


async def test_wrong_passwords_wait(dashboard: Dashboard) -> None:
    """After ten the answer is 429, for who exists and who does not; a link still works."""
    await set_password(dashboard)
    for email in ("viewer@acme.example", "nobody@acme.example"):
        async with dashboard.visitor() as visitor:
            for _ in range(10):
                assert await sign_in(visitor, email, "wrong password here") == 400
            assert await sign_in(visitor, email, PASSWORD) == 429
    async with dashboard.visitor() as visitor:
        assert await use(visitor, await link(dashboard)) == 303


NEXT = {
    "a page": ("/acme/fest/?period=7d", "/acme/fest/?period=7d"),
    "another server": ("https://evil.example/", "/"),
    "without a scheme": ("//evil.example/", "/"),
    "with a backslash": ("/\\evil.example/", "/"),
    "a backslash within": ("/x\\..\\y", "/"),
    "with a tab": ("/\t/evil.example/", "/"),
    "with a line end": ("/x\r\nSet-Cookie: a=b", "/"),
    "a script": ("javascript:alert(1)", "/"),
    "nothing": ("", "/"),
    "beyond ASCII": ("/\u2028/", "/"),
}


@pytest.mark.parametrize(("wanted", "leads"), NEXT.values(), ids=NEXT)
def test_where_one_is_led(wanted: str, leads: str) -> None:
    """To a page of this server, and nowhere else."""
    assert return_path.checked(wanted) == leads


async def test_one_comes_back_to_what_one_wanted(dashboard: Dashboard) -> None:
    """From the page that was asked for to the form, and back."""
    await set_password(dashboard)
    async with dashboard.visitor() as visitor:
        asked = await visitor.get("/acme/fest/?period=7d")
        form = await visitor.get(asked.headers["location"])
        assert 'value="/acme/fest/?period=7d"' in form.text
        assert await sign_in(visitor, "viewer@acme.example", PASSWORD, "/acme/fest/") == 303
        assert visitor.client.headers["x-led-to"] == "/acme/fest/"
        assert await sign_in_again(visitor) == "/"


async def sign_in_again(visitor: Visitor) -> str:
    """Where who is signed in is led from the form."""
    return (await visitor.get("/sign-in/")).headers["location"]


async def test_signing_in_changes_the_session(dashboard: Dashboard) -> None:
    """A session that somebody else planted, or that was there, is another's or over afterwards."""
    async with dashboard.visitor("editor") as visitor:
        before = visitor.client.cookies["waymark-session"]
        assert await use(visitor, await link(dashboard, "viewer")) == 303
        after = [c.value for c in visitor.client.cookies.jar if c.name == "waymark-session"]
        assert before not in after[-1:]
    async with dashboard.visitor() as thief:
        thief.client.cookies.set("waymark-session", before)
        assert (await thief.get("/acme/fest/")).status_code == 303
        thief.client.cookies.set("waymark-session", "planted")
        assert (await thief.get("/acme/fest/")).status_code == 303


async def test_signing_out_ends_the_session_itself(dashboard: Dashboard) -> None:
    """A cookie that was copied before is worth nothing then."""
    async with dashboard.visitor("viewer") as visitor, dashboard.visitor() as thief:
        thief.client.cookies.set("waymark-session", visitor.client.cookies["waymark-session"])
        assert (await thief.get("/acme/fest/")).status_code == 200
        assert (await visitor.post("/sign-out/")).status_code == 303
        assert (await thief.get("/acme/fest/")).status_code == 303


async def test_a_new_password_ends_the_other_sessions(dashboard: Dashboard) -> None:
    """Whoever knew the old one is out; this browser stays. Short ones are refused, and the current
    one is asked for."""
    async with dashboard.visitor("viewer") as visitor, dashboard.visitor("viewer") as other:
        short = await visitor.post("/account/password/", new="elevenchars")
        assert short.status_code == 400
        assert "12 characters at least" in short.text
        assert (await visitor.post("/account/password/", new=PASSWORD)).status_code == 303
        assert (await other.get("/account/")).status_code == 303
        wrong = await visitor.post("/account/password/", current="wrong", new=f"{PASSWORD}!")
        assert wrong.status_code == 400
        right = await visitor.post("/account/password/", current=PASSWORD, new=f"{PASSWORD}!")
        assert right.status_code == 303
    async with dashboard.visitor() as again:
        assert await sign_in(again, "viewer@acme.example", PASSWORD) == 400
        assert await sign_in(again, "viewer@acme.example", f"{PASSWORD}!") == 303


async def test_cookies(dashboard: Dashboard) -> None:
    """Scripts and other sites' forms don't get them."""
    async with dashboard.visitor() as visitor:
        where = await link(dashboard)
        token = await visitor.token(where)
        response = await visitor.post(where, csrf=token)
    cookie = SimpleCookie(response.headers["set-cookie"])["waymark-session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "lax"
    assert int(cookie["max-age"]) == 30 * 24 * 3600
    assert cookie["path"] == "/"


def test_tokens_of_forms() -> None:
    """Each looks different, and is good for its own key alone; nonsense is none."""
    one, other = csrf.token("key"), csrf.token("key")
    assert one != other
    assert csrf.is_valid("key", one)
    assert csrf.is_valid("key", other)
    for wrong in ("", "x", "é", "=" * 100, one[:-8], "A" * len(one), csrf.token("another")):
        assert not csrf.is_valid("key", wrong)


async def test_a_removed_user_is_out(dashboard: Dashboard) -> None:
    """Their sessions end with them."""
    async with dashboard.visitor("viewer") as visitor:
        assert (await visitor.get("/account/")).status_code == 200
        database = dashboard.database()
        async with database.write() as connection:
            assert await users.remove(connection, dashboard.content.users["viewer"])
        await database.close()
        assert (await visitor.get("/account/")).status_code == 303


BODIES = {
    "no form": (b"{}", "application/json"),
    "not UTF-8": (b"csrf=\xff\xfe&email=%ff%fe", "application/x-www-form-urlencoded"),
    "half a multipart": (b"--x\r\nContent-Disp", "multipart/form-data; boundary=x"),
    "no boundary": (b"--x", "multipart/form-data"),
    "too large": (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
    "nothing": (b"", ""),
}


@pytest.mark.parametrize(("body", "media_type"), BODIES.values(), ids=BODIES)
async def test_bodies_that_are_no_forms(dashboard: Dashboard, body: bytes, media_type: str) -> None:
    """A page says so; nothing breaks, signed in or not."""
    for who in ("", "admin"):
        async with dashboard.visitor(who) as visitor:
            for where in ("/sign-in/", "/acme/fest/campaigns/new/"):
                response = await visitor.client.post(
                    where,
                    content=body,
                    headers={"Content-Type": media_type, "Origin": dashboard.url},
                )
                assert response.status_code in {303, 400, 403, 413}, (who, where)

"""The locust scenarios: visitors, a few bots, and an API client.

Started by `python -m loadtest`, which says through the environment which event to test:
LOADTEST_API, LOADTEST_ORGANIZER, LOADTEST_EVENT, LOADTEST_TOKEN, and LOADTEST_TALLY, the file that
what was received is written to. The host is the redirector's.

What the users share lives in this module: a locust process is one load test. gevent switches from
one user to another only where one waits for the network, so nothing needs a lock.
"""

import os
import random
from pathlib import Path
from typing import Any, ClassVar

import geventhttpclient.client
from locust import FastHttpUser, between, events, poisson, task
from locust.env import Environment
from locust.exception import StopTest

from loadtest.api import Access, Api, Campaign, parse_campaign
from loadtest.errors import LoadtestError
from loadtest.loopback import require_loopback
from loadtest.popularity import Popularity
from loadtest.tally import Clicks, Route, Tally

# The client sends a GET again, up to ten times, when a connection closes before the answer: one
# click would become several, and nobody would know.
geventhttpclient.client.IDEMPOTENT_METHODS = frozenset()

ACCESS = Access(
    url=os.environ["LOADTEST_API"],
    organizer=os.environ["LOADTEST_ORGANIZER"],
    event=os.environ["LOADTEST_EVENT"],
    token=os.environ["LOADTEST_TOKEN"],
)
TALLY_FILE = Path(os.environ["LOADTEST_TALLY"])
POPULARITY = Popularity()
TALLY = Tally()

_LINK = "/<organizer>/<event>/c/<code>/"
_LIST = "/api/v1/organizers/<organizer>/events/<event>/campaigns/"

_ACCEPTED = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.8,de;q=0.5",
}
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_BROWSERS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/140.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_WEBKIT} Version/18.5 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
)
_CRAWLERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Twitterbot/1.0",
)


def _headers(agents: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"User-Agent": agent, **_ACCEPTED} for agent in agents]


class _LocalUser(FastHttpUser):
    """A user with one connection, to this machine."""

    abstract = True
    concurrency = 1
    # Below locust's --stop-timeout, so that no user is stopped while an answer is on its way.
    network_timeout = 10.0
    connection_timeout = 10.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        try:
            require_loopback(str(self.host))
        except LoadtestError as error:
            environment.process_exit_code = 1
            raise StopTest(str(error)) from None


class _Clicker(_LocalUser):
    """Follows links, each time as somebody else. The redirects are not followed."""

    abstract = True
    # Ten clicks a second, at random: uvicorn closes connections that idle for five seconds, and a
    # click that crosses with that would look broken.
    wait_time = poisson(10)
    headers: ClassVar[list[dict[str, str]]]
    clicks: ClassVar[Clicks]

    @task
    def click(self) -> None:
        campaign = POPULARITY.pick()
        with self.client.get(
            f"/{ACCESS.organizer}/{ACCESS.event}/c/{campaign.code}/",
            name=_LINK,
            headers=random.choice(self.headers),
            allow_redirects=False,
            catch_response=True,
        ) as response:
            status = response.status_code
            if status == 302:
                self.clicks.answered[campaign.code] += 1
                location = response.headers and response.headers.get("location")
                if location != campaign.external_target:
                    response.failure(f"led to {location}, not to {campaign.external_target}")
            elif status:
                response.failure(f"answered with {status}")
            else:
                self.clicks.broken[campaign.code] += 1


class Visitor(_Clicker):
    """People, whose clicks are what `click_count` says."""

    weight = 19
    headers = _headers(_BROWSERS)
    clicks = TALLY.people


class Bot(_Clicker):
    """Crawlers and link previews, which `click_count` must not show."""

    weight = 1
    headers = _headers(_CRAWLERS)
    clicks = TALLY.bots


class ApiClient(_LocalUser):
    """Creates a campaign now and then, and watches the counts of all."""

    fixed_count = 1
    wait_time = between(0.1, 0.5)

    def on_start(self) -> None:
        self._seen: dict[int, int] = {}
        self.create()

    @task(8)
    def poll(self) -> None:
        before = POPULARITY.pick()
        now = self._campaign("GET", f"{before.id}/", "<id>/", 200)
        if now is not None:
            self._seen[now.id] = now.click_count

    @task(2)
    def list(self) -> None:
        with self.client.get(
            ACCESS.url + ACCESS.campaigns_path,
            name=_LIST,
            headers=ACCESS.headers,
            allow_redirects=False,
            catch_response=True,
        ) as response:
            if response.status_code not in {0, 200}:
                response.failure(f"answered with {response.status_code}")

    @task(1)
    def create(self) -> None:
        number = len(POPULARITY.campaigns) + 1
        body = {
            "description": f"Made under load, number {number}",
            "external_target": f"https://tickets.example/?number={number}",
        }
        made = self._campaign("POST", "", "", 201, body)
        if made is not None:
            POPULARITY.add(made)

    def _campaign(
        self, method: str, path: str, name: str, status: int, body: dict[str, str] | None = None
    ) -> Campaign | None:
        """Sends a request that a campaign answers; None when something else did."""
        with self.client.request(
            method,
            ACCESS.url + ACCESS.campaigns_path + path,
            name=_LIST + name,
            headers=ACCESS.headers,
            json=body,
            allow_redirects=False,
            catch_response=True,
        ) as response:
            if response.status_code != status:
                if response.status_code:
                    response.failure(f"answered with {response.status_code}")
                return None
            campaign = parse_campaign(response.content)
            before = self._seen.get(campaign.id, 0)
            if campaign.click_count < before:
                response.failure(f"click_count fell from {before} to {campaign.click_count}")
            return campaign


def _read_campaigns(environment: Environment, **_: Any) -> None:
    """The campaigns that there are, the oldest the most popular."""
    with Api(ACCESS) as api:
        for campaign in api.campaigns():
            POPULARITY.add(campaign)


def _write_tally(environment: Environment, **_: Any) -> None:
    """When all users have stopped, and no answer is on its way any more."""
    TALLY.routes = tuple(
        Route(
            method=entry.method,
            name=entry.name,
            requests=entry.num_requests,
            failures=entry.num_failures,
            per_second=entry.total_rps,
            p50=entry.get_response_time_percentile(0.50),
            p95=entry.get_response_time_percentile(0.95),
            p99=entry.get_response_time_percentile(0.99),
        )
        for entry in sorted(environment.stats.entries.values(), key=lambda entry: entry.name)
    )
    runner = environment.runner
    if runner is not None:
        TALLY.exceptions = sum(each["count"] for each in runner.exceptions.values())
        TALLY.saturated = runner.cpu_warning_emitted
    TALLY.write(TALLY_FILE)


events.init.add_listener(_read_campaigns)
events.test_stop.add_listener(_write_tally)

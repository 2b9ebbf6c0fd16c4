"""A client of the campaigns API, as far as the load test needs one outside of locust."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
from pydantic import TypeAdapter

from loadtest.loopback import require_loopback

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as the API shows it."""

    id: int
    code: str
    external_target: str
    click_count: int


@dataclass(frozen=True, slots=True)
class _Page:
    next: str | None
    results: list[Campaign]


@dataclass(frozen=True, slots=True)
class Access:
    """What a client needs to know: where the API is, which event is meant, and the token."""

    url: str
    organizer: str
    event: str
    token: str

    @property
    def campaigns_path(self) -> str:
        """The path of the event's list of campaigns."""
        return f"/api/v1/organizers/{self.organizer}/events/{self.event}/campaigns/"

    @property
    def headers(self) -> dict[str, str]:
        """What shows the token."""
        return {"Authorization": f"Token {self.token}"}


parse_campaign = TypeAdapter(Campaign).validate_json
_parse_page = TypeAdapter(_Page).validate_json


class Api:
    """The campaigns of one event.

    Raises:
        LoadtestError: the API is on another machine.
        httpx.HTTPError: from every method, when it does not answer well.
    """

    def __init__(self, access: Access) -> None:
        self._path = access.campaigns_path
        # A proxy that the environment names would be another machine.
        self._client = httpx.Client(
            base_url=require_loopback(access.url),
            headers=access.headers,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def create(self, description: str, external_target: str) -> Campaign:
        """Makes a campaign with a random code."""
        body = {"description": description, "external_target": external_target}
        return parse_campaign(self._client.post(self._path, json=body).raise_for_status().content)

    def campaigns(self) -> list[Campaign]:
        """All of them, page after page, ordered by id."""
        found: list[Campaign] = []
        address: str | None = self._path
        while address is not None:
            page = _parse_page(self._client.get(address).raise_for_status().content)
            found += page.results
            address = page.next and require_loopback(page.next)
        return found

"""Settings: read once from the environment, checked as a whole, then never changed."""

import logging
import os
from functools import cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import combinations
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticUseDefault
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tracking.errors import WaymarkError
from tracking.links import check_leads_away
from tracking.misspelling import is_service_address, misspelt
from tracking.urls import (
    InvalidUrlError,
    check_target,
    has_forbidden_characters,
    http_origin,
    location_of,
)

logger = logging.getLogger(__name__)

# A Unix socket's path has 108 bytes on Linux, the closing NUL among them (unix(7)).
MAX_SOCKET_PATH = 107
DATABASE_NAME = "waymark.db"
DEFAULT_SHOP_URL = "/{organizer}/{event}/"
_DRIVER = "sqlite+aiosqlite"


class SettingsError(WaymarkError):
    """One or more settings are wrong; the text has one line for each, naming the variable."""


@cache  # one line a process, however often the settings are read
def _note_service(name: str, value: str) -> None:
    logger.warning("%s is %s, which Kubernetes sets for a service: it counts as unset", name, value)


def _port(value: object, info: ValidationInfo) -> object:
    if is_service_address(value):
        _note_service(str(info.field_name).upper(), str(value))
        raise PydanticUseDefault
    return value


def _host(value: str) -> str:
    """Takes off the brackets in which URLs have an IPv6 address."""
    if value[:1] + value[-1:] != "[]":
        return value
    try:
        return str(IPv6Address(value[1:-1]))
    except ValueError:
        raise ValueError("holds no IPv6 address between its brackets") from None


def sqlite_url(path: Path) -> str:
    """The URL of a database file."""
    # As a URL's part, so that a directory's name may hold what URLs give a meaning to.
    return URL.create(_DRIVER, database=str(path)).render_as_string(hide_password=False)


def _database_url(value: str) -> str:
    try:
        url = make_url(value)
    except ArgumentError:
        raise ValueError("is not a database URL, like sqlite+aiosqlite:///var/waymark.db") from None
    if url.drivername not in {"sqlite", _DRIVER}:
        raise ValueError(f"must start with {_DRIVER}:///")
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ValueError("must name a file: several processes share the database")
    return url.set(drivername=_DRIVER).render_as_string(hide_password=False)


def _redis_url(value: str) -> str:
    url = urlsplit(value)
    named = url.path if url.scheme == "unix" else url.hostname
    # A port that is no number, or too high, is a ValueError of its own.
    if url.scheme not in {"redis", "rediss", "unix"} or not named or url.port == 0:
        raise ValueError("must look like redis://host:6379/0, rediss://… or unix:///path")
    return value


def _shop_url(value: str) -> str:
    braces = ValueError("may hold {organizer} and {event}, and no other braces")
    try:
        fields = {tuple(part[1:]) for part in Formatter().parse(value) if part[1] is not None}
    except ValueError:
        raise braces from None
    # A name, and neither a format after a colon nor a conversion after an exclamation mark.
    if not fields <= {("organizer", "", None), ("event", "", None)}:
        raise braces
    _url_or_path(value.format(organizer="o", event="e"))
    return value


def _url_or_path(value: str) -> str:
    """A URL, or a path of the redirector's host."""
    if not value.startswith("/") or value.startswith("//"):
        return check_target(value)
    if has_forbidden_characters(value):
        raise ValueError("must not hold spaces, control characters or backslashes")
    return value


def _public_url(value: str) -> str:
    """Reads an origin, with or without a slash behind it; its host becomes ASCII."""
    origin = check_target(value).removesuffix("/")
    if origin.count("/") != 2 or "?" in origin or "#" in origin:
        raise ValueError("must be a scheme and a host alone, like https://links.example")
    return location_of(origin)


def _networks(value: object) -> object:
    """Reads a list with commas in it; what is none is left to the field's type."""
    if not isinstance(value, str):
        return value
    try:
        return tuple(ip_network(part.strip()) for part in value.split(","))
    except ValueError:
        raise ValueError(
            "must be addresses or networks with commas between, like 127.0.0.1,10.0.0.0/8"
        ) from None


Networks = tuple[IPv4Network | IPv6Network, ...]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(_port)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Every setting of every process. The variable's name is the field's, in capitals.

    Raises:
        SettingsError: from `load`, with one line for each wrong variable.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    host: Annotated[str, AfterValidator(_host)] = Field(
        "127.0.0.1", description="Address that the services listen on."
    )
    redirector_port: Port = Field(8000, description="Port of the redirector.")
    api_port: Port = Field(8001, description="Port of the API.")
    dashboard_port: Port = Field(8002, description="Port of the dashboard.")
    public_url: Annotated[str, AfterValidator(_public_url)] | None = Field(
        None,
        description="What links begin with for visitors, like `https://links.example`; "
        "unset = the redirector's own address.",
    )
    dashboard_url: Annotated[str, AfterValidator(_public_url)] | None = Field(
        None,
        description="What sign-in and shared addresses begin with, like `https://marks.example`; "
        "unset = the dashboard's own address.",
    )
    data_dir: Path = Field(
        Path("var"),
        description="Directory of the database, the journals and the embedded Redis's socket.",
    )
    database_url: Annotated[str, AfterValidator(_database_url)] | None = Field(
        None, description="SQLAlchemy URL of the database; unset = `waymark.db` in `DATA_DIR`."
    )
    database_timeout: Seconds = Field(
        5.0, description="Seconds to wait for a locked database before giving up."
    )
    list_timeout: Seconds = Field(
        5.0,
        description="Seconds that the API reads at most for a search, an order that no index has "
        "or a large page, and that such a request waits at most for its turn.",
    )
    redis_url: Annotated[str, AfterValidator(_redis_url)] | None = Field(
        None, description="URL of a Redis server; unset = the embedded one."
    )
    redis_server: Path | None = Field(
        None,
        description="Program of the embedded server, Redis 6.2 or later or Valkey; unset = the "
        "Valkey that comes along.",
    )
    shop_url: Annotated[str, AfterValidator(_shop_url)] = Field(
        DEFAULT_SHOP_URL,
        description="Ticket shop of events that have none of their own.",
    )
    not_found_url: Annotated[str, AfterValidator(_url_or_path)] | None = Field(
        None,
        description="Where visitors of links that don't exist are led; unset = a page says so.",
    )
    flush_interval: Seconds = Field(
        1.0, description="Seconds between two moves of clicks from Redis to SQL."
    )
    commit_timeout: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = Field(
        0.1,
        description="Seconds a redirect waits at most for the disk, or Redis, to have its click.",
    )
    durability: Literal["disk", "redis", "both"] = Field(
        "disk",
        description="What a redirect waits for: that its click is on `disk`, that `redis` has it, "
        "for machines whose disk does not survive them, or `both`.",
    )
    redirector_workers: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="Processes that answer redirects."
    )
    forward_query: bool = Field(
        True, description="Whether a link's query string is passed on to its target."
    )
    link_cache_size: Annotated[int, Field(ge=1)] = Field(
        250_000,
        description="Links a redirector process keeps in memory at most, of about 500 bytes each.",
    )
    max_connections: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="Connections that each process of a service holds at most; unset = as many as "
        "its limit of open files allows, less 100.",
    )
    trusted_proxies: Annotated[Networks | None, NoDecode, BeforeValidator(_networks)] = Field(
        None,
        description="Addresses or networks, with commas between, whose `X-Forwarded-Proto` and "
        "`X-Forwarded-Host` the API believes, and whose `X-Forwarded-For` the dashboard; unset = "
        "nobody's.",
    )

    @classmethod
    def load(cls) -> Self:
        """Reads the environment; all errors are reported together."""
        lines = [
            f"{variable}: there is no such setting, {setting} is probably meant"
            for variable, setting in misspelt(os.environ, map(str.upper, cls.model_fields)).items()
        ]
        try:
            settings = cls()
        except ValidationError as error:
            raise SettingsError("\n".join(lines + _lines(error))) from None
        lines += settings._contradictions()
        if lines:
            raise SettingsError("\n".join(lines))
        return settings

    @property
    def sql_url(self) -> str:
        """The database's URL: `DATABASE_URL`, or the file in `DATA_DIR`."""
        if self.database_url is not None:
            return self.database_url
        return sqlite_url(self.data_dir / DATABASE_NAME)

    @property
    def database_path(self) -> Path:
        """The database's file."""
        return Path(make_url(self.sql_url).database or "")

    @property
    def reachable_host(self) -> str:
        """The host for a client on this machine: `HOST`, or loopback when that means everywhere."""
        try:
            address = ip_address(self.host)
        except ValueError:
            return self.host
        if not address.is_unspecified:
            return self.host
        return "127.0.0.1" if address.version == 4 else "::1"

    @property
    def public_origin(self) -> str:
        """What links begin with, without a slash at the end: `PUBLIC_URL`, or this redirector."""
        if self.public_url is not None:
            return self.public_url
        return http_origin(self.reachable_host, self.redirector_port)

    @property
    def dashboard_origin(self) -> str:
        """What the dashboard's addresses begin with, without a slash: `DASHBOARD_URL`, or it."""
        if self.dashboard_url is not None:
            return self.dashboard_url
        return http_origin(self.reachable_host, self.dashboard_port)

    @property
    def redis_dir(self) -> Path:
        """Where the embedded Redis has its socket and its pid."""
        return self.data_dir / "redis"

    @property
    def journal_dir(self) -> Path:
        """Where redirectors write their journals."""
        return self.data_dir / "journal"

    @property
    def spool_dir(self) -> Path:
        """Where redirectors of earlier versions kept clicks while Redis was away."""
        return self.data_dir / "spool"

    @property
    def redis_socket(self) -> Path:
        """The embedded Redis's socket: relative to the working directory where that is shorter."""
        absolute = self.redis_dir.absolute() / "redis.sock"
        try:
            relative = absolute.relative_to(Path.cwd())
        except ValueError:
            return absolute
        return relative

    def _contradictions(self) -> list[str]:
        """A line for each setting that is right by itself and wrong beside others."""
        lines = []
        ports = {
            "REDIRECTOR_PORT": self.redirector_port,
            "API_PORT": self.api_port,
            "DASHBOARD_PORT": self.dashboard_port,
        }
        for (name, port), (other, its_port) in combinations(ports.items(), 2):
            if port == its_port:
                lines.append(f"{other}: must differ from {name} (both are {port})")
        if self.redis_url is None and len(bytes(self.redis_socket)) > MAX_SOCKET_PATH:
            lines.append(
                f"DATA_DIR: {self.redis_socket} is longer than the {MAX_SOCKET_PATH} bytes "
                "that a Unix socket's path may have"
            )
        shop = self.shop_url.format(organizer="o", event="e")
        for name, url in (("SHOP_URL", shop), ("NOT_FOUND_URL", self.not_found_url or "")):
            try:
                check_leads_away(url, self.public_origin)
            except InvalidUrlError as error:
                lines.append(f"{name}: {error}")
        return lines


def _lines(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0]).upper()
        line = f"{name}: {problem['msg'].removeprefix('Value error, ')}"
        # A URL may hold a password, which a log must not.
        lines.append(line if name.endswith("_URL") else f"{line} (got {problem['input']!r})")
    return lines

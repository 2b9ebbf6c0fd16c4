"""Settings: what is refused, and how the operator learns of it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tracking.settings import MAX_SOCKET_PATH, Settings, SettingsError

WRONG = {
    "host name in brackets": ("HOST", "[localhost]"),
    "redirector port 0": ("REDIRECTOR_PORT", "0"),
    "redirector port too high": ("REDIRECTOR_PORT", "65536"),
    "redirector port no number": ("REDIRECTOR_PORT", "http"),
    "API port 0": ("API_PORT", "0"),
    "API port too high": ("API_PORT", "70000"),
    "API port a fraction": ("API_PORT", "80.5"),
    "data directory too deep for a socket": ("DATA_DIR", "/" + "d" * MAX_SOCKET_PATH),
    "database no URL": ("DATABASE_URL", "waymark.db"),
    "database of another kind": ("DATABASE_URL", "postgresql+asyncpg://localhost/waymark"),
    "database with another driver": ("DATABASE_URL", "sqlite+pysqlcipher:///waymark.db"),
    "database in memory": ("DATABASE_URL", "sqlite+aiosqlite:///:memory:"),
    "database without a name": ("DATABASE_URL", "sqlite+aiosqlite://"),
    "database as a SQLite URI": ("DATABASE_URL", "sqlite+aiosqlite:///file:waymark.db?uri=true"),
    "database time-out 0": ("DATABASE_TIMEOUT", "0"),
    "database time-out endless": ("DATABASE_TIMEOUT", "inf"),
    "database time-out no number": ("DATABASE_TIMEOUT", "nan"),
    "Redis without a scheme": ("REDIS_URL", "localhost:6379"),
    "Redis over HTTP": ("REDIS_URL", "http://localhost:6379"),
    "Redis without a host": ("REDIS_URL", "redis://"),
    "Redis without a socket's path": ("REDIS_URL", "unix://"),
    "Redis at no port": ("REDIS_URL", "redis://localhost:redis/0"),
    "Redis at a port too high": ("REDIS_URL", "redis://localhost:70000/0"),
    "Redis at port 0": ("REDIS_URL", "redis://localhost:0/0"),
    "Redis at half an address": ("REDIS_URL", "redis://[::1/0"),
    "shop with an unknown name": ("SHOP_URL", "https://shop.example/{code}/"),
    "shop with empty braces": ("SHOP_URL", "https://shop.example/{}/"),
    "shop with an open brace": ("SHOP_URL", "https://shop.example/{organizer/"),
    "shop with an attribute": ("SHOP_URL", "/{organizer.shop}/"),
    "shop relative": ("SHOP_URL", "shop/{event}/"),
    "shop without a scheme": ("SHOP_URL", "//shop.example/"),
    "shop without a host": ("SHOP_URL", "https:///{event}/"),
    "shop by FTP": ("SHOP_URL", "ftp://shop.example/"),
    "shop with a space": ("SHOP_URL", "https://shop.example/{event} /"),
    "shop with a line break": ("SHOP_URL", "https://shop.example/\r\nX: y"),
    "shop without an ASCII form of its host": ("SHOP_URL", "https://\u0378.example/{event}/"),
    "shop that is a tracking link": ("SHOP_URL", "http://127.0.0.1:8000/{organizer}/{event}/c/a/"),
    "shop that is a tracking link's path": ("SHOP_URL", "/{organizer}/{event}/c/shop/"),
    "shop that is some event's tracking link": ("SHOP_URL", "https://localhost:8000/a/b/c/d)"),
    "no link's page by FTP": ("NOT_FOUND_URL", "ftp://shop.example/"),
    "no link's page without a scheme": ("NOT_FOUND_URL", "shop.example"),
    "no link's page with a space": ("NOT_FOUND_URL", "/not found/"),
    "no link's page that is a tracking link": ("NOT_FOUND_URL", "/acme/summer/c/nothing/"),
    "links without a scheme": ("PUBLIC_URL", "links.example"),
    "links by FTP": ("PUBLIC_URL", "ftp://links.example"),
    "links without a host": ("PUBLIC_URL", "https://"),
    "links below a path": ("PUBLIC_URL", "https://links.example/c/"),
    "links with a query": ("PUBLIC_URL", "https://links.example/?a=b"),
    "links with an empty query": ("PUBLIC_URL", "https://links.example?"),
    "links with a fragment": ("PUBLIC_URL", "https://links.example#a"),
    "links with an empty fragment": ("PUBLIC_URL", "https://links.example/#"),
    "links with credentials": ("PUBLIC_URL", "https://me@links.example"),
    "links with braces": ("PUBLIC_URL", "https://{organizer}.example"),
    "flush interval 0": ("FLUSH_INTERVAL", "0"),
    "flush interval over an hour": ("FLUSH_INTERVAL", "3601"),
    "commit time-out 0": ("COMMIT_TIMEOUT", "0"),
    "commit time-out negative": ("COMMIT_TIMEOUT", "-0.1"),
    "commit time-out over a minute": ("COMMIT_TIMEOUT", "61"),
    "no workers": ("REDIRECTOR_WORKERS", "0"),
    "too many workers": ("REDIRECTOR_WORKERS", "257"),
    "half a worker": ("REDIRECTOR_WORKERS", "1.5"),
    "forward query neither yes nor no": ("FORWARD_QUERY", "perhaps"),
    "no links in the cache": ("LINK_CACHE_SIZE", "0"),
    "proxy by name": ("TRUSTED_PROXIES", "localhost"),
    "proxy with a port": ("TRUSTED_PROXIES", "127.0.0.1:80"),
    "proxy after a comma missing": ("TRUSTED_PROXIES", "127.0.0.1,"),
    "proxies without a comma": ("TRUSTED_PROXIES", "127.0.0.1 ::1"),
    "proxy network with a host's bits": ("TRUSTED_PROXIES", "10.0.0.1/8"),
    "every proxy by a star": ("TRUSTED_PROXIES", "*"),
}

RIGHT = {
    "host in brackets": ("HOST", "[::1]"),
    "highest port": ("API_PORT", "65535"),
    "SQLite without the driver": ("DATABASE_URL", "sqlite:///waymark.db"),
    "Redis": ("REDIS_URL", "redis://:secret@localhost:6379/0"),
    "Redis with TLS": ("REDIS_URL", "rediss://redis.example"),
    "Redis on IPv6": ("REDIS_URL", "redis://[::1]:6379/0"),
    "Redis on a socket": ("REDIS_URL", "unix:///run/redis.sock"),
    "shop on this server": ("SHOP_URL", "/shop/{event}/"),
    "shop elsewhere": ("SHOP_URL", "https://{organizer}.shop.example/{event}?from=link"),
    "shop without names": ("SHOP_URL", "https://shop.example/"),
    "shop of an IDN host": ("SHOP_URL", "https://k\u00e4se.example/{organizer}/{event}/"),
    "no link's page on this server": ("NOT_FOUND_URL", "/sorry/"),
    "no link's page elsewhere": ("NOT_FOUND_URL", "https://shop.example/?link=unknown#top"),
    "links": ("PUBLIC_URL", "https://links.example"),
    "links with a port": ("PUBLIC_URL", "HTTP://links.example:8080/"),
    "links on IPv6": ("PUBLIC_URL", "http://[2001:db8::1]:8080"),
    "forward query off": ("FORWARD_QUERY", "off"),
    "a proxy": ("TRUSTED_PROXIES", "127.0.0.1"),
    "proxies and networks": ("TRUSTED_PROXIES", "::1, 10.0.0.0/8,2001:db8::/32"),
    "empty means unset": ("API_PORT", ""),
}


@pytest.mark.parametrize(("variable", "value"), WRONG.values(), ids=WRONG)
@pytest.mark.usefixtures("settings")
def test_a_wrong_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A wrong value stops the start with one line, which begins with the variable's name."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as raised:
        Settings.load()
    [line] = str(raised.value).splitlines()
    assert line.startswith(f"{variable}: ")


@pytest.mark.parametrize(("variable", "value"), RIGHT.values(), ids=RIGHT)
@pytest.mark.usefixtures("settings")
def test_a_right_value_is_accepted(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A right value is accepted."""
    monkeypatch.setenv(variable, value)
    Settings.load()


@pytest.mark.usefixtures("settings")
def test_all_errors_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator sees every wrong variable at once, a line each; no URL's value, which may hold a
    password."""
    monkeypatch.setenv("API_PORT", "http")
    monkeypatch.setenv("REDIS_URL", "http://user:secret@host")
    monkeypatch.setenv("COMMIT_TIMEOUT", "0")
    with pytest.raises(SettingsError) as raised:
        Settings.load()
    lines = str(raised.value).splitlines()
    assert {line.split(":")[0] for line in lines} == {"API_PORT", "REDIS_URL", "COMMIT_TIMEOUT"}
    assert "'http'" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_everything_has_a_default(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With an empty environment all settings have the values that the design names."""
    monkeypatch.delenv("DATA_DIR")
    monkeypatch.delenv("DATABASE_TIMEOUT")
    monkeypatch.chdir(tmp_path)
    settings = Settings.load()
    assert (settings.host, settings.redirector_port, settings.api_port) == ("127.0.0.1", 8000, 8001)
    assert settings.data_dir == Path("var")
    assert settings.sql_url == "sqlite+aiosqlite:///var/waymark.db"
    assert settings.redis_socket == Path("var/redis/redis.sock")
    assert settings.shop_url == "/{organizer}/{event}/"
    assert (settings.flush_interval, settings.commit_timeout) == (1.0, 0.1)
    assert settings.redirector_workers == 1
    assert settings.forward_query is True
    assert settings.public_url is None
    assert settings.trusted_proxies is None


ORIGINS = {
    "own address": ({}, "http://127.0.0.1:8000"),
    "everywhere": ({"HOST": "0.0.0.0", "REDIRECTOR_PORT": "80"}, "http://127.0.0.1"),
    "IPv6": ({"HOST": "::", "REDIRECTOR_PORT": "8010"}, "http://[::1]:8010"),
    "told": ({"PUBLIC_URL": "https://links.example"}, "https://links.example"),
    "told with an umlaut": (
        {"PUBLIC_URL": "https://k\u00e4se.example/"},
        "https://xn--kse-qla.example",
    ),
    "told with a slash": ({"PUBLIC_URL": "https://links.example:8/"}, "https://links.example:8"),
}


@pytest.mark.parametrize(("environment", "origin"), ORIGINS.values(), ids=ORIGINS)
@pytest.mark.usefixtures("settings")
def test_what_links_begin_with(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], origin: str
) -> None:
    """PUBLIC_URL, or the address under which this machine reaches the redirector."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Settings.load().public_origin == origin


def test_settings_never_change(settings: Settings) -> None:
    """Settings are frozen."""
    with pytest.raises(ValidationError):
        settings.api_port = 1  # type: ignore[misc] # what mypy forbids is tried


def test_database_url_names_the_asynchronous_driver(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sqlite:` means the driver that Waymark uses."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:////data/links.db")
    settings = Settings.load()
    assert settings.sql_url == "sqlite+aiosqlite:////data/links.db"


@pytest.mark.usefixtures("settings")
def test_an_external_redis_needs_no_short_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The length of the socket's path matters to the embedded server alone."""
    monkeypatch.setenv("DATA_DIR", "/" + "d" * MAX_SOCKET_PATH)
    monkeypatch.setenv("REDIS_URL", "redis://localhost")
    assert Settings.load().redis_url == "redis://localhost"


@pytest.mark.usefixtures("settings")
def test_a_deep_working_directory_is_no_hindrance(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Below the working directory the socket's path is relative, so that it stays short."""
    deep = tmp_path / ("d" * MAX_SOCKET_PATH)
    deep.mkdir()
    monkeypatch.chdir(deep)
    monkeypatch.setenv("DATA_DIR", "var")
    assert Settings.load().redis_socket == Path("var/redis/redis.sock")


# HOST, what it is taken as, and how this machine's clients reach it.
HOSTS = {
    "IPv6": ("::1", "::1", "http://[::1]:8000"),
    "IPv6 as in a URL": ("[::1]", "::1", "http://[::1]:8000"),
    "IPv6 with a zone": ("[fe80::1%eth0]", "fe80::1%eth0", "http://[fe80::1%25eth0]:8000"),
    "every IPv6": ("[::]", "::", "http://[::1]:8000"),
    "every IPv6, spelled out": ("0:0:0:0:0:0:0:0", "0:0:0:0:0:0:0:0", "http://[::1]:8000"),
    "every IPv4": ("0.0.0.0", "0.0.0.0", "http://127.0.0.1:8000"),
    "a name": ("localhost", "localhost", "http://localhost:8000"),
}


@pytest.mark.parametrize(("value", "host", "origin"), HOSTS.values(), ids=HOSTS)
@pytest.mark.usefixtures("settings")
def test_a_host_may_be_written_as_in_a_url(
    monkeypatch: pytest.MonkeyPatch, value: str, host: str, origin: str
) -> None:
    """Brackets around an IPv6 address are the URL's, and URLs have them."""
    monkeypatch.setenv("HOST", value)
    settings = Settings.load()
    assert (settings.host, settings.public_origin) == (host, origin)


PORTS = {
    "both set": {"REDIRECTOR_PORT": "9000", "API_PORT": "9000"},
    "as the other's default": {"REDIRECTOR_PORT": "8001"},
}


@pytest.mark.parametrize("variables", PORTS.values(), ids=PORTS)
@pytest.mark.usefixtures("settings")
def test_two_services_have_two_ports(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """One port for both stops the start, and the line names both settings."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"^API_PORT: must differ from REDIRECTOR_PORT \(.*\)$"):
        Settings.load()


@pytest.mark.usefixtures("settings")
def test_a_misspelt_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the one that is meant, beside the lines of all other errors."""
    monkeypatch.setenv("REDIRECTR_PORT", "9000")
    monkeypatch.setenv("API_PORT", "0")
    with pytest.raises(SettingsError) as raised:
        Settings.load()
    assert str(raised.value).splitlines() == [
        "REDIRECTR_PORT: there is no such setting, REDIRECTOR_PORT is probably meant",
        "API_PORT: Input should be greater than or equal to 1 (got '0')",
    ]


@pytest.mark.usefixtures("settings")
def test_a_port_that_a_cluster_sets_is_nobodys_mistake(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Kubernetes' `API_PORT=tcp://…` of a service named api is taken as unset, with a line in the
    log, however often the settings are read."""
    monkeypatch.setenv("API_PORT", "tcp://10.0.0.1:9001")
    monkeypatch.setenv("REDIRECTOR_PORT", "tcp://10.0.0.2:9000")
    loaded = [Settings.load() for _ in range(2)]
    assert [(each.redirector_port, each.api_port) for each in loaded] == [(8000, 8001)] * 2
    lines = [record.getMessage() for record in caplog.records]
    assert sorted(line.split()[0] for line in lines) == ["API_PORT", "REDIRECTOR_PORT"]

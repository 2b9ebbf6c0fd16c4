"""Names of variables that are probably meant to be one of our settings, and names that are not."""

import pytest

from tracking.misspelling import misspelt
from tracking.settings import Settings

SETTINGS = [name.upper() for name in Settings.model_fields]

MEANT = {
    "a letter left out": ("REDIRECTR_PORT", "REDIRECTOR_PORT"),
    "two letters left out": ("REDIRCTR_PORT", "REDIRECTOR_PORT"),
    "two letters changed": ("REDERECTUR_PORT", "REDIRECTOR_PORT"),
    "a letter too many": ("API_PORTS", "API_PORT"),
    "two letters swapped": ("API_PROT", "API_PORT"),
    "no underscore": ("DATADIR", "DATA_DIR"),
    "two underscores": ("DATA__DIR", "DATA_DIR"),
    "a URI": ("REDIS_URI", "REDIS_URL"),
    "a URI of the database": ("DATABASE_URI", "DATABASE_URL"),
    "a shop": ("SHOP_ULR", "SHOP_URL"),
    "plural of a worker": ("REDIRECTOR_WORKER", "REDIRECTOR_WORKERS"),
    "as it sounds": ("LINK_CASH_SIZE", "LINK_CACHE_SIZE"),
    "two words, a letter each": ("COMIT_TIMOUT", "COMMIT_TIMEOUT"),
    "small letters": ("flush_intervall", "FLUSH_INTERVAL"),
    "a proxy": ("TRUSTED_PROXYS", "TRUSTED_PROXIES"),
}

# Who sets it, the variable, and its value.
FOREIGN = {
    "bash: HOSTNAME": ("HOSTNAME", "web-1"),
    "bash: HOSTTYPE": ("HOSTTYPE", "x86_64"),
    "platforms: PORT": ("PORT", "3000"),
    "somebody: POST": ("POST", "1"),
    "somebody: HOSTS": ("HOSTS", "a,b"),
    "somebody: GHOST": ("GHOST", "1"),
    "somebody's app: APP_PORT": ("APP_PORT", "3000"),
    "a web server: REDIRECTOR_HOST": ("REDIRECTOR_HOST", "links.example"),
    "a client: API_HOST": ("API_HOST", "api.example"),
    "a client: API_URL": ("API_URL", "https://api.example"),
    "another port: WEB_PORT": ("WEB_PORT", "80"),
    "another port: DB_PORT": ("DB_PORT", "5432"),
    "a database: PGDATABASE": ("PGDATABASE", "x"),
    "a database: DATABASE_HOST": ("DATABASE_HOST", "x"),
    "another Redis: REDIS_HOST": ("REDIS_HOST", "x"),
    "Heroku: REDIS_TLS_URL": ("REDIS_TLS_URL", "rediss://x"),
    "a session: XDG_DATA_DIRS": ("XDG_DATA_DIRS", "/usr/share"),
    "another time-out: CONNECT_TIMEOUT": ("CONNECT_TIMEOUT", "1"),
    "Kubernetes, service app": ("APP_PORT", "tcp://10.0.0.1:80"),
    "Kubernetes, service apis": ("APIS_PORT", "tcp://10.0.0.1:80"),
    "Kubernetes, service redirectors": ("REDIRECTORS_PORT", "udp://10.0.0.1:80"),
    "Kubernetes: API_SERVICE_HOST": ("API_SERVICE_HOST", "10.0.0.1"),
    "Kubernetes: API_SERVICE_PORT": ("API_SERVICE_PORT", "8001"),
    "Kubernetes: API_SERVICE_PORT_HTTP": ("API_SERVICE_PORT_HTTP", "8001"),
    "Kubernetes: API_PORT_8001_TCP": ("API_PORT_8001_TCP", "tcp://10.0.0.1:8001"),
    "Kubernetes: API_PORT_8001_TCP_PROTO": ("API_PORT_8001_TCP_PROTO", "tcp"),
    "Kubernetes: API_PORT_8001_TCP_PORT": ("API_PORT_8001_TCP_PORT", "8001"),
    "Kubernetes: API_PORT_8001_TCP_ADDR": ("API_PORT_8001_TCP_ADDR", "10.0.0.1"),
    "Kubernetes: REDIRECTOR_SERVICE_HOST": ("REDIRECTOR_SERVICE_HOST", "10.0.0.1"),
    "Kubernetes: REDIRECTOR_SERVICE_PORT": ("REDIRECTOR_SERVICE_PORT", "8000"),
    "Kubernetes: REDIRECTOR_PORT_8000_TCP": ("REDIRECTOR_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
    "nobody, as it is empty": ("REDIRECTR_PORT", ""),
}


@pytest.mark.parametrize(("variable", "setting"), MEANT.values(), ids=MEANT)
def test_a_setting_is_meant(variable: str, setting: str) -> None:
    """A name that differs by a letter or two leads to the setting that is nearest."""
    assert misspelt({variable: "1"}, SETTINGS) == {variable: setting}


@pytest.mark.parametrize(("variable", "value"), FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_variable_is_nobodys_mistake(variable: str, value: str) -> None:
    """What shells, platforms, clusters and other programs set stops nothing."""
    assert misspelt({variable: value}, SETTINGS) == {}


def test_settings_are_no_mistakes() -> None:
    """None of them is near to another, in capitals or not."""
    assert misspelt(dict.fromkeys([*SETTINGS, *map(str.lower, SETTINGS)], "1"), SETTINGS) == {}

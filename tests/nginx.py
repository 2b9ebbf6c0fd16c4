"""A real nginx before a server, with kept connections, as the README sets it up."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

from loadtest.loopback import HOST, free_ports
from loadtest.nginx import MAIN, TEMPORARY_PATHS, Nginx, user_directive
from loadtest.process import ROOT, clean_environment, service
from tests.waiting import until

README = ROOT / "README.md"

# The body goes to a file first, and with sendfile on, into packets of its own.
_CONFIGURATION = Template(
    MAIN
    + """\
events {
    worker_connections 256;
}
http {
    access_log off;
    sendfile on;
    client_body_in_file_only clean;
"""
    + TEMPORARY_PATHS
    + """\
    upstream server {
        server $host:$upstream;
        keepalive 1;
    }
    server {
        listen $host:$port;
        $locations
    }
}
"""
)
_EVERYTHING = """\
location / {
    proxy_pass http://server;
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    %s
}
"""
KEPT = 'proxy_set_header Connection "";'
UPGRADING = "proxy_set_header Connection Upgrade; proxy_set_header Upgrade $http_upgrade;"
BODILESS = f'{KEPT} proxy_pass_request_body off; proxy_set_header Content-Length "";'


@contextmanager
def before(upstream: int, directory: Path, connection: str) -> Iterator[int]:
    """nginx before the server on this port of the loopback interface, for all paths.

    Args:
        connection: the directives that differ.

    Yields:
        Its port.
    """
    with serving_locations(upstream, directory, _EVERYTHING % connection) as port:
        yield port


@contextmanager
def beside_a_shop(upstream: int, directory: Path) -> Iterator[int]:
    """nginx with the README's own block before the redirector on this port; all else is the shop's,
    which answers 418.

    Yields:
        Its port.
    """
    block = re.search(r"^    location ~ .*?^    }$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    links = block[0].replace("http://127.0.0.1:8000;", f"http://{HOST}:{upstream};")
    assert links != block[0]
    with serving_locations(upstream, directory, f"{links}\nlocation / {{ return 418; }}") as port:
        yield port


@contextmanager
def serving_locations(upstream: int, directory: Path, locations: str) -> Iterator[int]:
    """nginx with these locations; `upstream` is the port of those that name the server."""
    nginx = Nginx.find(directory)
    [port] = free_ports(1)
    file = directory / "nginx.conf"
    file.write_text(
        _CONFIGURATION.substitute(
            user=user_directive(),
            directory=directory,
            host=HOST,
            port=port,
            upstream=upstream,
            locations=locations,
        )
    )
    command = [nginx.program, "-p", str(directory), "-c", str(file)]
    with service(command, clean_environment(directory), log=directory / "nginx.log"):
        yield port


async def until_it_answers(port: int) -> None:
    """Returns once somebody listens on the port."""

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except ConnectionRefusedError:
            return False
        writer.close()
        return True

    await until(listens)

"""nginx, the peer: a `return 302`, and what one would write in Lua to count in Redis."""

import grp
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from loadtest.errors import LoadtestError, MissingError
from loadtest.loopback import HOST, free_ports
from loadtest.process import clean_environment, service
from loadtest.waymark import Server, wait_until_well

# Debian puts it where a user's PATH does not lead.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
_MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
_DEBIAN_MODULES = "/usr/lib/nginx/modules"

# What stands in each configuration, so that nginx leaves nothing anywhere else.
MAIN = """\
$user
daemon off;
worker_processes 1;
pid $directory/nginx.pid;
error_log $directory/error.log;
"""
TEMPORARY_PATHS = """\
    client_body_temp_path $directory/body;
    proxy_temp_path $directory/proxy;
    fastcgi_temp_path $directory/fastcgi;
    uwsgi_temp_path $directory/uwsgi;
    scgi_temp_path $directory/scgi;
"""
_CONFIGURATION = Template(
    "$modules\n"
    + MAIN
    + """\
events {
    worker_connections 4096;
}
http {
    access_log off;
    keepalive_requests 1000000000;
"""
    + TEMPORARY_PATHS
    + """\
    $http
    server {
        listen $host:$port;
        location = /healthz {
            return 302 /;
        }
        location / {
            $location
        }
    }
}
"""
)

PLAIN = "return 302 https://tickets.example/;"

# lua-resty-redis, which Debian keeps under another name.
_REQUIRE = """\
init_by_lua_block {
        local found
        for _, name in ipairs({"resty.redis", "nginx.redis"}) do
            found, redis = pcall(require, name)
            if found then
                return
            end
        end
        error("no client of Redis")
    }"""
_NO_CLIENT = "no client of Redis"
_COUNT = Template("""\
content_by_lua_block {
                local connection = redis:new()
                local ok, problem = connection:connect("unix:$socket")
                if ok then
                    ok, problem = connection:hincrby("clicks", ngx.var.uri, 1)
                end
                if not ok then
                    ngx.log(ngx.ERR, problem)
                    return ngx.exit(503)
                end
                connection:set_keepalive(10000, 512)
                return ngx.redirect("https://tickets.example/")
            }""")


@dataclass(frozen=True, slots=True)
class Nginx:
    """The program.

    Attributes:
        directory: for its configuration, its log and whatever it writes.
        cores: that it stays on.
    """

    program: str
    directory: Path
    cores: AbstractSet[int] | None = None

    @classmethod
    def find(cls, directory: Path, cores: AbstractSet[int] | None = None) -> "Nginx":
        """nginx on the PATH.

        Raises:
            MissingError: it is not there.
        """
        found = shutil.which("nginx", path=_PATH)
        if found is None:
            raise MissingError("nginx is not installed (on Debian: apt install nginx)")
        return cls(found, directory, cores)

    @property
    def version(self) -> str:
        """Like "nginx/1.22.1"."""
        return self._ask("-v").split()[-1]

    @contextmanager
    def plain(self) -> Iterator[Server]:
        """A constant 302."""
        with self._serving("plain", self._configuration(PLAIN)) as server:
            yield server

    @contextmanager
    def counting(self, socket: Path) -> Iterator[Server]:
        """A 302 when Redis has counted the click: one HINCRBY over a connection from a pool.

        Args:
            socket: of the Redis.

        Raises:
            MissingError: nginx has no Lua, or Lua no client of Redis.
        """
        missing = MissingError(
            "nginx's Lua module or lua-resty-redis is not installed "
            "(on Debian: apt install libnginx-mod-http-lua lua-nginx-redis)"
        )
        modules = self._modules()
        if modules is None:
            raise missing
        location = _COUNT.substitute(socket=socket)
        configuration = self._configuration(location, http=_REQUIRE, modules=modules)
        with ExitStack() as stack:
            try:
                server = stack.enter_context(self._serving("counting", configuration))
            except LoadtestError:
                # Lua's modules are looked for when it starts, and not by `nginx -t`.
                if _NO_CLIENT in (self.directory / "counting.log").read_text():
                    raise missing from None
                raise
            yield server

    @contextmanager
    def _serving(self, name: str, configuration: Template) -> Iterator[Server]:
        [port] = free_ports(1)
        with service(
            self._command(name, configuration, port),
            clean_environment(self.directory),
            log=self.directory / f"{name}.log",
            cores=self.cores,
        ) as process:
            server = Server(f"http://{HOST}:{port}", process.pid)
            wait_until_well(server)
            yield server

    def _command(self, name: str, configuration: Template, port: int) -> list[str]:
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        file = directory / "nginx.conf"
        file.write_text(configuration.substitute(directory=directory, port=port))
        return [self.program, "-p", str(directory), "-c", str(file)]

    def _configuration(self, location: str, *, http: str = "", modules: str = "") -> Template:
        return Template(
            _CONFIGURATION.safe_substitute(
                modules=modules,
                user=user_directive(),
                http=http,
                host=HOST,
                location=location,
            )
        )

    def _modules(self) -> str | None:
        """What loads Lua; None where it is not installed."""
        configured = re.search(r"--modules-path=(\S+)", self._ask("-V"))
        directory = Path(configured[1] if configured else _DEBIAN_MODULES)
        files = [directory / name for name in _MODULES]
        if not all(file.exists() for file in files):
            return None
        return "\n".join(f"load_module {file};" for file in files)

    def _ask(self, *arguments: str) -> str:
        """What it says, which it says as errors."""
        return subprocess.run(  # noqa: S603 - our own arguments
            [self.program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        ).stderr


def user_directive() -> str:
    """Whom nginx's workers run as, where it could choose another.

    Started by root it would give its worker to somebody who can't open our directory.
    """
    if os.geteuid():
        return ""
    return f"user {pwd.getpwuid(os.getuid()).pw_name} {grp.getgrgid(os.getgid()).gr_name};"

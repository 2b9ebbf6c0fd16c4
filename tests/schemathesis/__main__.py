"""`python -m tests.schemathesis [OPTION …]`: starts the API, runs schemathesis on it, stops it.

Options go to `schemathesis run`. The exit status is schemathesis's.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from tests.processes import finished, free_port, started
from tests.waiting import until

ORGANIZER, EVENT = "bigevents", "sampleconf"
_HERE = Path(__file__).parent


def main(options: list[str]) -> int:
    """Runs schemathesis on a server of its own; its exit status."""
    with tempfile.TemporaryDirectory(prefix="waymark-") as directory:
        settings = {"DATA_DIR": directory, "API_PORT": str(free_port())}
        _waymark("event", "create", ORGANIZER, EVENT, **settings)
        token = _waymark("token", "create", ORGANIZER, **settings)
        with started("api", **settings) as server:
            url = f"http://127.0.0.1:{settings['API_PORT']}"
            asyncio.run(until(lambda: _is_well(url)))
            status = _schemathesis(url, token, options)
            server.terminate()
            sys.stderr.write(finished(server))
    return status


def _waymark(*arguments: str, **settings: str) -> str:
    with started("redirector.commands.cli", *arguments, **settings) as command:
        output, errors = command.communicate()
    assert command.returncode == 0, errors
    return output.strip()


def _is_well(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _schemathesis(url: str, token: str, options: list[str]) -> int:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(_HERE / "schemathesis.toml")),
        *("run", f"{url}/api/v1/openapi.json"),
        *options,
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.schemathesis.hooks",
        "WAYMARK_TOKEN": token,
        "WAYMARK_ORGANIZER": ORGANIZER,
        "WAYMARK_EVENT": EVENT,
    }
    return subprocess.run(command, env=environment, cwd=_HERE.parent.parent, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""An API client that reads and writes without a pause."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from loadtest.api import Access
from loadtest.bench_api import Client, Request, Times
from loadtest.errors import LoadtestError


@dataclass(slots=True)
class Busy:
    """What its requests took, and how many were answered wrongly or not at all."""

    times: Times = field(default_factory=Times)
    errors: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)

    def forget(self) -> None:
        """Leaves out what was until now."""
        self.times = Times()

    def work(self, access: Access) -> None:
        """Asks until it is stopped: a page, a new campaign, an edit, one campaign."""
        client = Client(urlsplit(access.url).port or 80, access.token)
        path = access.campaigns_path
        new = json.dumps({"description": "New"}).encode()
        number = 0
        while not self._stopping.is_set():
            self._ask(client, Request("page", "GET", path, 200))
            created = self._ask(client, Request("new", "POST", path, 201, new))
            if created is not None:
                number += 1
                one = f"{path}{json.loads(created)['id']}/"
                edit = json.dumps({"description": f"Edited {number}"}).encode()
                self._ask(client, Request("edit", "PATCH", one, 200, edit))
                self._ask(client, Request("one", "GET", one, 200))

    def stop(self) -> None:
        """Ends `work` after its present requests."""
        self._stopping.set()

    def _ask(self, client: Client, request: Request) -> bytes | None:
        start = time.perf_counter()
        try:
            answer = client.ask(request)
        except (OSError, http.client.HTTPException, LoadtestError):
            self.errors += 1
            return None
        self.times.taken.append(time.perf_counter() - start)
        return answer


@contextmanager
def busy(access: Access) -> Iterator[Busy]:
    """It works while the block lasts."""
    client = Busy()
    thread = threading.Thread(target=client.work, args=(access,))
    thread.start()
    try:
        yield client
    finally:
        client.stop()
        thread.join()

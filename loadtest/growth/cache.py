"""More links that are clicked: what each of them takes in the cache, and where the cache ends."""

import asyncio
from functools import partial

from loadtest.counts import read_counts
from loadtest.filling import fill_links, link
from loadtest.growth.scale import Scale
from loadtest.growth.section import Section
from loadtest.memory import resident
from loadtest.rows import Reckoning
from loadtest.visitors import Visits, walk
from loadtest.waymark import Waymark, running

_SLUG = "cached"
_HEADER = ("links clicked", "RSS MiB", "bytes a link")
# Beyond what the cache holds, so many times over.
_BEYOND = 1.5
_CONNECTIONS = 64


def measure(scale: Scale) -> Section:
    """Each link is clicked once: half of what the cache holds, all of it, and more."""
    directory = scale.subdirectory("cache")
    most = round(scale.cached * _BEYOND)
    asyncio.run(fill_links(directory, {_SLUG: most + 1}))
    visits = Visits()
    rows = []
    waymark = Waymark(directory, scale.cores.server, {"LINK_CACHE_SIZE": str(max(1, scale.cached))})
    with running(waymark) as parts:
        click = partial(_click, parts.redirector.url, visits)
        # What is made at the first click is no link's.
        click(most, most + 1)
        clicked, first = 0, resident([parts.redirector.pid])
        rows.append(("1", f"{first / 2**20:.1f}", "-"))
        for upto in (scale.cached // 2, scale.cached, most):
            click(clicked, upto)
            clicked, memory = upto, resident([parts.redirector.pid])
            each = (memory - first) / max(1, min(clicked, scale.cached))
            rows.append((f"{clicked:,}", f"{memory / 2**20:.1f}", f"{each:,.0f}"))
    return Section(
        f"Links in the cache, which holds {scale.cached:,}",
        _HEADER,
        rows,
        notes=["bytes a link: what the process has grown by, for each link that the cache holds"],
        reckonings=[
            Reckoning(
                "links in the cache",
                visits.answered,
                0,
                read_counts(directory)[_SLUG],
                others=visits.failures,
            )
        ],
    )


def _click(url: str, visits: Visits, first: int, end: int) -> None:
    paths = [link(_SLUG, number) for number in range(first, end)]
    more = asyncio.run(walk(url, paths, min(_CONNECTIONS, max(1, len(paths)))))
    visits.times += more.times
    visits.failures += more.failures

"""Tables as CSV."""

import re
from collections.abc import Iterable, Sequence
from datetime import date

from starlette.responses import Response

from tracking.csv_text import csv_text

_UNSAFE = re.compile("[^A-Za-z0-9._-]+")


def csv_response(
    name: str, header: Sequence[str], rows: Iterable[Sequence[object]], days: Sequence[date] = ()
) -> Response:
    """A table to download.

    Args:
        name: of the file, without its ending; what no file's name may hold is left out.
        days: the range's first and last, which the name says.
    """
    parts = [name, *(each.isoformat() for each in days)]
    filename = _UNSAFE.sub("-", "-".join(parts)).strip("-.") or "waymark"
    headers = {"Content-Disposition": f'attachment; filename="{filename}.csv"'}
    content = csv_text(header, rows)
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)

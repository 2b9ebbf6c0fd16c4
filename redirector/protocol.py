"""uvicorn's HTTP protocol, for the URLs that mail programs and old software send."""

import re
from urllib.parse import quote

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from redirector.redirect import PRINTABLE

_REQUEST_LINE = re.compile(rb"(?P<method>[A-Z]+ )(?P<url>[^ \r\n]+)(?P<version> HTTP/1\.[01]\r?\n)")


class Protocol(HttpToolsProtocol):
    """Takes bytes beyond ASCII in a URL for their percent-encoded form, as browsers send them.

    RFC 3986 does not allow them, and the parser refuses them with 400; a visitor is better served
    by the link that was meant, or by a 404. Only a request line at the start of what a packet
    brings is looked at: others go on to the parser, and bodies mean nothing to a redirect.
    """

    def data_received(self, data: bytes) -> None:
        """Called with whatever the network brings."""
        line = None if data.isascii() else _REQUEST_LINE.match(data)
        if line is not None:
            url = quote(line["url"], safe=PRINTABLE).encode()
            data = b"".join((line["method"], url, line["version"], data[line.end() :]))
        super().data_received(data)

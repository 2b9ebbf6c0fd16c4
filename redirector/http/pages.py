"""The pages that visitors see when a link does not lead them on, as whole HTML documents.

They load nothing, run nothing, and say nothing that a stranger does not know.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from string import Template
from typing import Final

from serving.security import SECURITY_HEADERS, content_security_policy

_STYLE = """\
:root{color-scheme:light dark;--ground:#f7f7f4;--card:#fff;--ink:#18211d;--soft:#66706a;\
--line:#e5e5de;--accent:#0b6e5f}
@media(prefers-color-scheme:dark){:root{--ground:#111614;--card:#181f1c;--ink:#e7ece9;\
--soft:#96a39c;--line:#29322d;--accent:#4fc3ad}}
*{box-sizing:border-box}
html{height:100%;-webkit-text-size-adjust:100%}
body{min-height:100%;margin:0;display:flex;flex-direction:column;background:var(--ground);\
color:var(--ink);font:15px/1.5 system-ui,sans-serif}
header{display:flex;align-items:center;gap:9px;padding:16px 28px;\
overflow-wrap:anywhere;background:var(--card);border-bottom:1px solid var(--line);font-weight:600}
svg{width:20px;height:20px;flex:none;fill:none;stroke:var(--accent);stroke-width:2;\
stroke-linejoin:round;stroke-linecap:round}
main{width:100%;max-width:620px;margin:auto;padding:40px 28px 22vh;text-align:center}
h1{margin:0 0 14px;font-size:28px;line-height:1.25;text-wrap:balance;overflow-wrap:anywhere}
p{margin:0 auto 14px;max-width:480px;color:var(--soft);overflow-wrap:anywhere}
p.lead{color:var(--ink);font-size:16px}
strong{font-weight:600}
code{font:13.5px ui-monospace,monospace;color:var(--ink);background:var(--card);\
border:1px solid var(--line);border-radius:6px;padding:1px 5px}
@media(max-width:480px){header{padding:14px 20px}main{padding:32px 20px 16vh}h1{font-size:24px}}
"""

_DOCUMENT = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>$title</title>
<link rel="icon" href="data:,">
<style>$style</style>
</head>
<body>
<header><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 2v20M12 5H4.5v5H12m0 3h7.5v5H12\
M12 5h5.5L20 7.5 17.5 10H12m0 3H6.5L4 15.5 6.5 18H12"/></svg>$head</header>
<main>
$content
</main>
</body>
</html>
""")


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


HEADERS: Final = {
    "Content-Security-Policy": content_security_policy(
        style_src=f"'sha256-{_hash(_STYLE)}'", img_src="data:"
    ),
    **SECURITY_HEADERS,
    "Cache-Control": "no-store",
}
"""What a page's answer says, beside its status and type."""


def home() -> str:
    """What the server's root shows."""
    return _page(
        "Every sign here leads somewhere else",
        "This server answers tracking links: it counts a click, and leads on at once.",
        "A link has an address like <code>/organizer/event/c/code/</code>. "
        "There is nothing else to see.",
    )


def not_found(organizer: str | None = None, event: str | None = None) -> str:
    """What who follows a link sees that does not exist.

    Args:
        organizer: the name of the one in the link's address; None = there is no such organizer.
        event: likewise.
    """
    whose = ""
    if organizer is not None:
        of = escape(organizer) if event in {None, organizer} else _of(event or "", organizer)
        whose = f" It is an address of <strong>{of}</strong>."
    return _page(
        "This link leads nowhere",
        f"There is no such link here, or not any more.{whose}",
        "It may have been copied in part, or misspelt. Whoever gave it to you can tell where it "
        "was to lead.",
        by=organizer,
    )


def unavailable() -> str:
    """What who follows a link sees while it can't be looked up."""
    return _page(
        "One moment, please",
        "Links can\u2019t be looked up right now.",
        "Please try again in a minute: the link itself is not to blame.",
    )


def event_without_shop(event: str, organizer: str | None = None) -> str:
    """Where links of an event lead that has no ticket shop.

    Args:
        event: its name.
        organizer: its organizer's; None = it is not said.
    """
    return _page(
        event,
        "You have arrived. If a tracking link brought you here, you were counted.",
        "No ticket shop is configured for this event. Who runs this server names one with the "
        "setting <code>SHOP_URL</code>, or with <code>--shop-url</code> for this event alone.",
        by=organizer,
    )


def _of(event: str, organizer: str) -> str:
    return f"{escape(event)}</strong> by <strong>{escape(organizer)}"


def _page(title: str, lead: str, *paragraphs: str, by: str | None = None) -> str:
    """A document.

    Args:
        title: text of whatever kind.
        lead: HTML, as are the paragraphs.
        by: the name of the organizer whose page it is; None = nobody's.
    """
    head = escape(by or "Waymark")
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{lead}</p>',
        *(f"<p>{paragraph}</p>" for paragraph in paragraphs),
    ]
    return _DOCUMENT.substitute(
        title=f"{escape(title)} \u00b7 {head}", style=_STYLE, content="\n".join(parts), head=head
    )

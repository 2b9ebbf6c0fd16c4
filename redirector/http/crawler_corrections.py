"""What the package `crawler-user-agents` does not know of crawlers, or has wrong."""

from dataclasses import dataclass
from typing import Final

# How a whole browser's User-Agent begins; a crawler's has no system, or says that it is compatible.
_BROWSER = (
    r"Mozilla/5\.0 \((?:Windows NT|Macintosh|X11|Linux|Android|iPhone|iPad)[^()]*\) AppleWebKit/"
)


@dataclass(frozen=True, slots=True)
class Correction:
    """What the library has not, or has wrong.

    Attributes:
        pattern: a regular expression that finds crawlers; None = there are none.
        reason: why it is here.
        replaces: the library's own pattern that it stands for; None = it has none.
        crawlers: User-Agents that it finds.
        people: those that the replaced pattern takes for crawlers.
    """

    pattern: str | None
    reason: str
    replaces: str | None = None
    crawlers: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


def _in_app(name: str, app: str, crawler: str, *people: str) -> Correction:
    """For a name that an app's server says alone, and the app's own browser behind a browser's."""
    return Correction(
        rf"^(?!{_BROWSER}).*{name}",
        f"a browser in {app}: whoever clicks there is a person",
        replaces=name,
        crawlers=(crawler,),
        people=people,
    )


_DESKTOP = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
_PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Mobile/15E148 "
)

CORRECTIONS: Final = (
    Correction(
        r"Bluesky Cardyb/",
        "Bluesky's server makes a link's card",
        crawlers=(
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; "
                "Bluesky Cardyb/1.1; +mailto:support@bsky.app) Chrome/W.X.Y.Z Safari/537.36"
            ),
        ),
    ),
    Correction(
        r"^web:app\.bsky:",
        "Bluesky's app makes a link's card",
        crawlers=("web:app.bsky:v0.0.1",),
    ),
    Correction(
        r"^Microsoft Office (?:Existence|Protocol) Discovery",
        "Office looks whether a link is a document on a server, before the browser is opened",
        crawlers=("Microsoft Office Existence Discovery", "Microsoft Office Protocol Discovery"),
    ),
    Correction(
        r"\(compatible; ms-office; MSOffice",
        "Office follows a link itself before the browser is opened, which follows it again",
        crawlers=("Mozilla/4.0 (compatible; ms-office; MSOffice 16)",),
    ),
    Correction(
        r"^kakaotalk-scrap/",
        "KakaoTalk's server makes a link's preview",
        crawlers=("kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984",),
    ),
    Correction(
        r"^Summaly/",
        "Misskey's servers make a link's preview",
        crawlers=("Summaly/5.1.0 (+https://github.com/misskey-dev/summaly)",),
    ),
    Correction(
        r"; Bot$",
        "Pleroma's, Akkoma's and Betula's servers make a link's preview",
        crawlers=(
            "Pleroma 2.6.0; https://social.example <admin@social.example>; Bot",
            "Akkoma 3.10.4-0-gebfb617; https://social.example <admin@social.example>; Bot",
            "Betula; links.example; Bot",
        ),
    ),
    Correction(
        r"^(?:Pleroma|Akkoma) [^;]+; https?://",
        "Pleroma's and Akkoma's servers look whether a link is a post",
        crawlers=(
            "Pleroma 2.5.0; https://social.example <admin@social.example>",
            "Akkoma 3.13.2; https://social.example <admin@social.example>",
        ),
    ),
    Correction(
        r"^Misskey/",
        "Misskey's servers, and those of what descends from it, look whether a link is a post",
        crawlers=("Misskey/13.14.2 (https://social.example)",),
    ),
    Correction(
        r"^Iceshrimp(?:\.NET)?/",
        "Iceshrimp's servers look whether a link is a post",
        crawlers=(
            "Iceshrimp/2023.12.9 (https://social.example)",
            "Iceshrimp.NET/2025.1-beta5 (+https://social.example/)",
        ),
    ),
    Correction(
        r"Google-Adwords-DisplayAds",
        "Google looks where an advertisement leads",
        crawlers=(
            (
                "Mozilla/5.0 (en-us) AppleWebKit/537.36(KHTML, like Gecko; "
                "Google-Adwords-DisplayAds-WebRender;) Chrome/90.0.4430.97Safari/537.36"
            ),
        ),
    ),
    Correction(
        r"ZulipURLPreview/",
        "Zulip's servers make a link's preview",
        crawlers=("Mozilla/5.0 (compatible; ZulipURLPreview/9.0; +https://chat.example)",),
    ),
    Correction(
        r"Nextcloud Server Crawler",
        "Nextcloud Talk's and Deck's servers make a link's preview",
        crawlers=("Nextcloud Server Crawler",),
    ),
    Correction(
        None,
        "the build of Android 15 on many phones; the library's own example is Instagram's browser",
        replaces=r"AP3A\.240617\.008",
        people=(
            (
                "Mozilla/5.0 (Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv) "
                "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.7444.142 Mobile "
                "Safari/537.36"
            ),
        ),
    ),
    Correction(
        r"RankSonic|[ /]Sonic/",
        "the browser in Slack's app says Sonic, without a version",
        replaces="Sonic",
        crawlers=("Mozilla/5.0 (compatible; RankSonicSiteAuditor/1.0)",),
        people=(
            f"{_DESKTOP}Chrome/126.0.6478.114 Electron/31.1.0 Safari/537.36 Sonic Slack_SSB/4.39",
        ),
    ),
    Correction(
        r"Sogou(?!MSE|MobileBrowser)",
        "Sogou has a browser, too",
        replaces="Sogou",
        crawlers=("Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",),
        people=(
            (
                "Mozilla/5.0 (Linux; Android 6.0.1; SM-A9100; Build/MMB29M; wv) AppleWebKit/537.36 "
                "(KHTML, like Gecko) Chrome/46.0.2490.92 Mobile Safari/537.36 "
                "SogouMSE,SogouMobileBrowser/5.8.32"
            ),
            f"{_PHONE}Safari/604.1 SogouMSE,SogouMobileBrowser/5.22.8",
            f"{_PHONE}SogouMobileBrowser/5.11.10",
        ),
    ),
    _in_app(
        "Mastodon",
        "Mastodon's app",
        "http.rb/2.2.2 (Mastodon/1.5.1; +https://social.example/)",
        (
            "Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/120.0.0.0 Mobile Safari/537.36 Mastodon/4.0"
        ),
    ),
    _in_app(
        "WhatsApp",
        "WhatsApp's app",
        "WhatsApp/2.23.20.0 A",
        f"{_DESKTOP}Chrome/124.0.6367.243 Safari/537.36 WhatsApp/2.2428.0 Electron/30.1",
        f"{_PHONE}WhatsApp/24.12.78",
    ),
    _in_app(
        "Viber",
        "Viber's app",
        "Viber",
        f"{_DESKTOP}Chrome/87.0.4280.144 Safari/537.36 Viber/12.2",
    ),
    _in_app(
        r"Notion\/",
        "Notion's app",
        "Notion/1.0 (https://notion.so; team@makenotion.com)",
        f"{_DESKTOP}Notion/3.9.0 Chrome/124.0.6367.243 Electron/30.0.9 Safari/537.36",
    ),
    _in_app(
        r"Asana\/",
        "Asana's app",
        "Asana/1.4.0 WebsiteMetadataRetriever",
        f"{_DESKTOP}Asana/2.2.0 Chrome/120.0 Electron/28.0.0 Safari/537.36",
    ),
    _in_app(r"Bluesky\/", "Bluesky's app", "Bluesky/1.1", f"{_PHONE}Bluesky/1.88.0"),
    _in_app(r"Tumblr\/", "Tumblr's app", "Tumblr/14.0.835.186", f"{_PHONE}Tumblr/34.5"),
    _in_app(
        r"PayPal\/",
        "PayPal's app",
        "PayPal/AUHR-214.0-51787073PayPal IPN ( https://www.paypal.com/ipn )",
        f"{_PHONE}PayPal/8.63",
    ),
    _in_app(
        r"Instapaper\/",
        "Instapaper's app",
        "Instapaper/4.0Instaparser/1.0",
        f"{_PHONE}Instapaper/9.0",
    ),
)

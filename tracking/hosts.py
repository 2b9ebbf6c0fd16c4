"""Host names as they are looked up: in ASCII (UTS 46; WHATWG URL, "domain to ASCII")."""

import re
import socket
from ipaddress import IPv6Address

import idna

_ACE_PREFIX = "xn--"
# ASCII characters that no host name holds (WHATWG URL, "forbidden domain code points", and more).
_NO_HOST = re.compile(r"[^\w\-]", re.ASCII)
_MAX_LABEL = 63
_JOINERS = "\u200c\u200d"
_LOOPBACK = re.compile(r"localhost|127\..*|\[::1\]")


def ascii_host(host: str) -> str:
    """The ASCII form of a host: of a name, an IPv4 address, or an IPv6 address in brackets.

    Processing is UTS 46's, not transitional, with CheckHyphens and VerifyDnsLength off and the
    other checks on, as browsers have it; IDNA 2008, which `idna.encode` follows, has no emoji.

    Returns:
        A host that is ASCII already as it is, whatever its case; else small letters.

    Raises:
        ValueError: there is none, or nobody could look it up: an empty label, one of more than 63
            characters, a character that no host holds.
    """
    if host.startswith("[") and host.endswith("]"):
        if "%" in host:
            raise ValueError("a zone has no meaning elsewhere")
        IPv6Address(host[1:-1])
        return host
    if host.isascii():
        labels = host.removesuffix(".").split(".")
        form = host
    else:
        remapped = idna.uts46_remap(host, std3_rules=False)
        labels = remapped.removesuffix(".").split(".")
        form = ".".join(map(_ascii_label, labels)) + "." * remapped.endswith(".")
    for label in labels:
        if label.lower().startswith(_ACE_PREFIX):
            _check_encoded(label.lower())
    for label in form.removesuffix(".").split("."):
        if not 0 < len(label) <= _MAX_LABEL or _NO_HOST.search(label):
            raise ValueError("not a host that can be looked up")
    return form


def canonical_host(host: str) -> str:
    """What two spellings of one host have in common: its ASCII form, small, without a last dot.

    The names and addresses of the loopback interface are one host.

    Raises:
        ValueError: as `ascii_host`.
    """
    canonical = ascii_host(host).lower().removesuffix(".")
    if canonical.startswith("["):
        canonical = f"[{IPv6Address(canonical[1:-1]).compressed}]"
    elif canonical[-1].isdigit() or "0x" in canonical:
        try:  # 127.1, 0x7f.1 and 2130706433 are 127.0.0.1, for browsers too
            canonical = socket.inet_ntoa(socket.inet_aton(canonical))
        except OSError:
            return canonical
    return "localhost" if _LOOPBACK.fullmatch(canonical) else canonical


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    _check_valid(label)
    return _ACE_PREFIX + label.encode("punycode").decode()


def _check_encoded(label: str) -> None:
    """Checks a label in punycode: it must stand for what would be encoded so."""
    encoded = label.removeprefix(_ACE_PREFIX)
    decoded = encoded.encode().decode("punycode")
    if decoded.isascii() or idna.uts46_remap(decoded, std3_rules=False) != decoded:
        raise ValueError("not an encoded label")
    _check_valid(decoded)
    if decoded.encode("punycode").decode() != encoded:
        raise ValueError("not an encoded label")


def _check_valid(label: str) -> None:
    """UTS 46, 4.1, "validity criteria", for a label beyond ASCII."""
    idna.check_nfc(label)
    idna.check_initial_combiner(label)
    idna.check_bidi(label)
    for position, character in enumerate(label):
        if character in _JOINERS and not idna.valid_contextj(label, position):
            raise ValueError("a joiner where nothing is to be joined")

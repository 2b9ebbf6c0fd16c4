"""Host names as they are looked up: in ASCII (UTS 46; WHATWG URL, "domain to ASCII")."""

import re
import socket
import unicodedata
from ipaddress import IPv6Address

import idna

_ACE_PREFIX = "xn--"
# ASCII characters that no host name holds (WHATWG URL, "forbidden domain code points", and more).
_NO_HOST = re.compile(r"[^\w\-]", re.ASCII)
_MAX_LABEL = 63
# Directions of characters that make a whole name subject to the bidi rule (RFC 5893, 1.4).
_RTL = {"R", "AL", "AN"}
_JOINERS = "\u200c\u200d"
# Names that are (RFC 6761, 6.3; Debian's and Red Hat's /etc/hosts), and addresses: who connects to
# 0.0.0.0 or [::] comes to the machine itself, too.
_LOOPBACK = re.compile(
    r"(?:.*\.)?localhost|localhost\.localdomain|ip6-localhost|ip6-loopback"
    r"|127\..*|0\.0\.0\.0|\[::1?\]"
)


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
    # Browsers take ASCII names as they are, encoded labels too, whatever those stand for.
    remapped = host if host.isascii() else idna.uts46_remap(host, std3_rules=False)
    labels = remapped.removesuffix(".").split(".")
    if not host.isascii():
        _check_valid([_decoded(label) for label in labels])
        labels = [_encoded(label) for label in labels]
    for label in labels:
        if not 0 < len(label) <= _MAX_LABEL or _NO_HOST.search(label):
            raise ValueError("not a host that can be looked up")
    return ".".join(labels) + "." * remapped.endswith(".")


def canonical_host(host: str) -> str:
    """What two spellings of one host have in common: its ASCII form, small, without a last dot.

    The names and addresses of the loopback interface are one host, an IPv4 address in IPv6 is that
    (RFC 4291, 2.5.5.2).

    Raises:
        ValueError: as `ascii_host`.
    """
    canonical = ascii_host(host).lower().removesuffix(".")
    if canonical.startswith("["):
        address = IPv6Address(canonical[1:-1])
        canonical = str(address.ipv4_mapped or f"[{address.compressed}]")
    elif canonical[-1].isdigit() or "0x" in canonical:
        try:  # 127.1, 0x7f.1 and 2130706433 are 127.0.0.1, for browsers too
            canonical = socket.inet_ntoa(socket.inet_aton(canonical))
        except OSError:
            return canonical
    return "localhost" if _LOOPBACK.fullmatch(canonical) else canonical


def _encoded(label: str) -> str:
    return label if label.isascii() else _ACE_PREFIX + label.encode("punycode").decode()


def _decoded(label: str) -> str:
    """What a label in punycode stands for, which must be what is encoded so; or the label."""
    if not label.startswith(_ACE_PREFIX):
        return label
    decoded = label.removeprefix(_ACE_PREFIX).encode().decode("punycode")
    if idna.uts46_remap(decoded, std3_rules=False) != decoded or _encoded(decoded) != label:
        raise ValueError("not an encoded label")
    return decoded


def _check_valid(labels: list[str]) -> None:
    """UTS 46, 4.1, "validity criteria", for a name with labels beyond ASCII."""
    is_bidi = any(unicodedata.bidirectional(character) in _RTL for character in "".join(labels))
    for label in labels:
        if label.isascii() and not is_bidi:
            continue
        idna.check_nfc(label)
        idna.check_initial_combiner(label)
        idna.check_bidi(label, check_ltr=is_bidi)
        for position, character in enumerate(label):
            if character in _JOINERS and not idna.valid_contextj(label, position):
                raise ValueError("a joiner where nothing is to be joined")

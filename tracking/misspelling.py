"""Which of our settings an environment variable's name was probably meant to be."""

from collections.abc import Iterable, Mapping

# A name of so many letters may have so many wrong ones; a shorter one is near to too much that is
# somebody else's: HOST to HOSTS, PORT and POST.
_EDITS = ((10, 2), (6, 1), (0, 0))
# Names that are near to one of ours and in use elsewhere.
_FOREIGN = frozenset({"APP_PORT"})
# Kubernetes sets `<SERVICE>_PORT` to such a URL for each service of a namespace, as Docker's links
# do (kubernetes.io, "Service", "Environment variables").
_SERVICE_SCHEMES = ("tcp://", "udp://", "sctp://")


def is_service_address(value: object) -> bool:
    """Whether a cluster told where a service is, and nobody set a port."""
    return isinstance(value, str) and value.startswith(_SERVICE_SCHEMES)


def misspelt(environment: Mapping[str, str], known: Iterable[str]) -> dict[str, str]:
    """Finds variables whose names differ from a setting's by a letter or two.

    Args:
        environment: all variables; empty ones count as unset.
        known: the settings' names in capitals.

    Returns:
        Each such variable, and the setting that is nearest to it.
    """
    names = list(known)
    found: dict[str, str] = {}
    for variable, value in environment.items():
        name = variable.upper()
        if not value or name in names or name in _FOREIGN or is_service_address(value):
            continue
        near = [setting for setting in names if _is_near(name, setting)]
        if near:
            found[variable] = min(near, key=lambda setting: _edits(name, setting))
    return found


def _is_near(name: str, setting: str) -> bool:
    allowed = next(edits for length, edits in _EDITS if len(setting) >= length)
    if abs(len(name) - len(setting)) > allowed or _edits(name, setting) > allowed:
        return False
    words, meant = name.split("_"), setting.split("_")
    # With half of a word's letters changed it is another word: REDIRECTOR_HOST, REDIRECTOR_PORT.
    return len(words) != len(meant) or all(
        2 * _edits(*pair) < max(map(len, pair)) for pair in zip(words, meant, strict=True)
    )


def _edits(one: str, other: str) -> int:
    """Letters to put in, leave out, change, or swap with the next (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, its in enumerate(other, 1):
            cost = min(last[column] + 1, now[-1] + 1, last[column - 1] + (letter != its))
            if row > 1 < column and letter == other[column - 2] and its == one[row - 2]:
                cost = min(cost, before[column - 2] + 1)
            now.append(cost)
        before, last = last, now
    return last[-1]

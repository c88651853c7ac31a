"""Words that findings share: values from outside cut to what fits into a sentence, lists and numbers of things."""

from collections.abc import Iterable

_LONGEST = 300
_MOST = 10


def shown(text: str, longest: int = _LONGEST) -> str:
    """Return a value, cut if it is long. It stays raw: whoever prints a finding escapes it."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def listed(items: Iterable[object], most: int = _MOST) -> str:
    """Return things with commas between, each cut if it is long, and how many more there are than ``most``."""
    texts = [shown(str(item), 120) for item in items]
    more = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return ", ".join([*texts[:most], *more])


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: ``1 record``, ``2 records``."""
    return f"{number} {one if number == 1 else many or one + 's'}"

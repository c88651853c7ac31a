"""Changes that do not fit into one request: each part whole, and an error says how far it came."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sendwright.errors import DnsError

Item = TypeVar("Item")


def apply_parts(parts: Iterable[Sequence[Item]], total: int, send: Callable[[Sequence[Item]], None]) -> None:
    """Send part after part, one item a record set; ``total`` is how many there are in all.

    Raises the DnsError of ``send``; if earlier parts were applied, its hint says how many record sets that were.
    """
    applied = 0
    for part in parts:
        try:
            send(part)
        except DnsError as error:
            if applied:
                error.hint += f" The first {applied} of {total} record sets were changed; running again is safe."
            raise
        applied += len(part)

"""References to RFCs, as links."""

import re
from collections.abc import Iterator

_RFC = re.compile(r"RFC (\d+)(?:, (\d+(?:\.\d+)*|[A-Z](?:\.\d+)*)(?![\w.]))?")


def linked(reference: str) -> Iterator[tuple[str, str]]:
    """Split a reference (``RFC 7208, 4.6.4; RFC 8301, 3``) into texts, each with its address or an empty one."""
    at = 0
    for found in _RFC.finditer(reference):
        if between := reference[at : found.start()]:
            yield between, ""
        yield found[0], _address(found[1], found[2])
        at = found.end()
    if rest := reference[at:]:
        yield rest, ""


def first_link(reference: str) -> str:
    """Return the first address in a reference, or an empty text."""
    return next((address for _, address in linked(reference) if address), "")


def _address(number: str, section: str | None) -> str:
    base = f"https://www.rfc-editor.org/rfc/rfc{number}.html"
    if not section:
        return base
    return f"{base}#{'section' if section[0].isdigit() else 'appendix'}-{section}"

"""A passphrase from whoever sits at the terminal."""

import sys
from typing import Protocol

from sendwright.escape import printable


class Ask(Protocol):
    """Who may know a passphrase. ``new``: nothing is sealed with it yet, so a typing error would go unnoticed."""

    def __call__(self, what: str, /, *, new: bool) -> str | None:
        """Return it; None where there is nobody to ask."""
        ...


def at_terminal(what: str, /, *, new: bool) -> str | None:
    """Ask at the terminal, without showing what is typed, and twice for a new one; None where there is no terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    import click

    told: str = click.prompt(printable(what), hide_input=True, confirmation_prompt=new, err=True)
    return told

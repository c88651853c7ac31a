"""``sendwright dns``: the records by themselves."""

import click

from sendwright.cli.lazy import Lazy

# name -> (module, one line): the help must not import the modules.
_VERBS = {
    "undo": ("sendwright.cli.dns_undo", "Reverse what was applied to a zone; what others did since stays."),
    "export": ("sendwright.cli.dns_export", "Print what to paste where a provider has no API."),
}


@click.group("dns", cls=Lazy, verbs=_VERBS)
def command() -> None:
    """The records by themselves, without the hosts."""

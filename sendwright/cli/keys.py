"""``sendwright keys``: DKIM keys by themselves."""

import click

from sendwright.cli.lazy import Lazy

# name -> (module, one line): the help must not import the modules.
_VERBS = {
    "recover": ("sendwright.cli.keys_recover", "Make a lost state folder again of what hosts and DNS show."),
}


@click.group("keys", cls=Lazy, verbs=_VERBS)
def command() -> None:
    """DKIM keys by themselves."""

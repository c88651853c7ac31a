"""``sendwright keys``: DKIM keys by themselves."""

import click

from sendwright.cli.lazy import Lazy

# name -> (module, one line): the help must not import the modules.
_VERBS = {
    "list": ("sendwright.cli.keys_list", "List the keys, what becomes of each, and when it is due."),
    "generate": ("sendwright.cli.keys_generate", "Make the keys that are missing; publish nothing."),
    "import": ("sendwright.cli.keys_import", "Take over a private key under the selector that it is published at."),
    "export": ("sendwright.cli.keys_export", "Write a private key to a new file."),
    "recover": ("sendwright.cli.keys_recover", "Make a lost state folder again of what hosts and DNS show."),
}


@click.group("keys", cls=Lazy, verbs=_VERBS)
def command() -> None:
    """DKIM keys by themselves."""

"""Groups of verbs whose help does not import them."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class Lazy(click.Group):
    """Verbs that are imported when they are called, not when the help lists them.

    ``verbs``: name to module and one line of help; the module's ``command`` is the verb.
    """

    def __init__(self, *args: Any, verbs: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs in the order of the table."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and return a verb, or None if there is none of that name."""
        if cmd_name not in self.verbs:
            return None
        command: click.Command = importlib.import_module(self.verbs[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the help's list without importing a verb."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.verbs.items()])

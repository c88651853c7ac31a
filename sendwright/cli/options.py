"""Options and arguments that several verbs share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

inventory = click.argument("inventory", type=click.Path(path_type=Path))
limit = click.option(
    "--limit", multiple=True, metavar="HOST", help="Look at and change only this host; may be given again."
)
trust_new_hosts = click.option(
    "--trust-new-hosts", is_flag=True, help="Accept the SSH key of a host that the inventory gives no fingerprint for."
)
output_format = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For whom to print.",
)
detailed_exitcode = click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 when changes are pending.")
assume_yes = click.option("--yes", is_flag=True, help="Do not ask before carrying out the plan.")

"""Whether to go on: nobody is asked about what they were not shown."""

import sys

import click


def agreed(shown: str, *, yes: bool, quiet: bool) -> bool:
    """Show what is about to be done, and return whether a person agrees; UsageError where there is nobody to ask.

    ``yes``: it is agreed already; ``quiet``: standard output belongs to a document, so it is shown on standard error.
    """
    from sendwright.errors import UsageError

    asks = not yes and sys.stdin.isatty()
    if asks or not quiet:
        click.echo(shown, err=quiet)
    if yes:
        return True
    if not asks:
        raise UsageError("There is no terminal to ask on, so nothing was changed.", "Read the plan, then pass --yes.")
    return click.confirm("Carry this out?", err=True)

"""Options and arguments that several verbs share."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sendwright.provision import Settings
    from sendwright.saved import SavedPlan
    from sendwright.stack import Stack

FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)

FORM = "sendwright.form"
"""Where the context of a call remembers what ``--format`` asks for: errors are printed in that form too."""


def _remember(ctx: click.Context, _: click.Parameter, form: str) -> str:
    ctx.meta[FORM] = form
    return form


inventory = click.argument("inventory", type=click.Path(path_type=Path))
limit = click.option(
    "--limit",
    multiple=True,
    metavar="HOST",
    help="Look at and change only this host, and MX that points at it; may be given again.",
)
only_hosts = click.option(
    "--limit", multiple=True, metavar="HOST", help="Only this host's certificates; may be given again."
)
trust_new_hosts = click.option(
    "--trust-new-hosts", is_flag=True, help="Accept the SSH key of a host that the inventory gives no fingerprint for."
)


def format_of(*forms: str) -> Callable[[FC], FC]:
    """Return the option ``--format`` with these forms, the first one by default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        is_eager=True,
        callback=_remember,
        help="For whom to print.",
    )


output_format = format_of("text", "json")
detailed_exitcode = click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 when changes are pending.")
out = click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan, to be carried out as it is."
)
saved_plan = click.option(
    "--plan", "plan", type=click.Path(path_type=Path), metavar="FILE", help="Carry out this saved plan, or nothing."
)
allow_deletions = click.option(
    "--allow-deletions", is_flag=True, help="Withdraw even very much of what is ours in a zone at once."
)
wait = click.option(
    "--wait/--no-wait", default=True, help="Stay until published records may be relied on, or come back."
)
assume_yes = click.option("--yes", is_flag=True, help="Do not ask before carrying out the plan.")


def saved_as(verb: str, out: Path) -> str:
    """Return the line that says how a plan that was just saved is carried out."""
    from sendwright.escape import printable

    return printable(f"saved; carry it out with: {verb} --plan {shlex.quote(str(out))}")


def approved(plan: Path | None, limit: tuple[str, ...] = ()) -> "SavedPlan | None":
    """Return the saved plan that ``--plan`` names, if any; UsageError if it cannot be carried out, or not like this."""
    from sendwright import saved
    from sendwright.errors import UsageError

    if plan and limit:
        raise UsageError("--limit and --plan: a saved plan says itself for which hosts it is; nothing was tried.")
    return saved.read(plan) if plan else None


def settings(
    stack: "Stack", limit: tuple[str, ...], *, trust_new_hosts: bool, allow_deletions: bool, wait: bool = True
) -> "Settings":
    """Return what a run is asked for; UsageError names a ``--limit`` that is no host of the inventory."""
    from sendwright.provision import Settings

    hosts = hosts_of(stack, limit)
    return Settings(hosts, trust_new_hosts=trust_new_hosts, wait=wait, allow_deletions=allow_deletions)


def hosts_of(stack: "Stack", limit: tuple[str, ...]) -> frozenset[str]:
    """Return the names that ``--limit`` gives, empty for all hosts; UsageError for one that is no host."""
    from sendwright.errors import UsageError

    known = {host.name for host in stack.hosts}
    unknown = sorted(set(limit) - known)
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise UsageError(f"--limit {names}: no such host; nothing was tried.", f"Hosts: {', '.join(sorted(known))}.")
    return frozenset(limit)

"""``sendwright dns``: the records by themselves."""

import click

from sendwright.cli.lazy import Lazy

# name -> (module, one line): the help must not import the modules.
_VERBS = {
    "plan": ("sendwright.cli.dns_plan", "Show every change to keys and zones; look at no host, touch nothing."),
    "apply": ("sendwright.cli.dns_apply", "Show the plan of DNS alone, ask, carry it out."),
    "adopt": ("sendwright.cli.dns_adopt", "Make ours what stands in the zones as it is declared."),
    "undo": ("sendwright.cli.dns_undo", "Reverse what was applied to a zone; what others did since stays."),
    "export": ("sendwright.cli.dns_export", "Print what to paste where a provider has no API."),
}


@click.group("dns", cls=Lazy, verbs=_VERBS)
def command() -> None:
    """The records by themselves, without the hosts."""

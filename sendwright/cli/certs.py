"""``sendwright certs``: certificates by themselves."""

import click

from sendwright.cli.lazy import Lazy

# name -> (module, one line): the help must not import the modules.
_VERBS = {
    "list": ("sendwright.cli.certs_list", "List the certificates: days left, key, issuer, and where each is shown."),
    "issue": ("sendwright.cli.certs_issue", "Get the certificates that hosts do not have yet from their authority."),
    "renew": ("sendwright.cli.certs_renew", "Renew what is due; made for cron and CI."),
}


@click.group("certs", cls=Lazy, verbs=_VERBS)
def command() -> None:
    """Certificates by themselves."""

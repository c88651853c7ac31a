"""Verify what is published and what runs: the library's door is ``verify``."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sendwright.inventory import Inventory
    from sendwright.verify.finding import Report

__all__ = ["verify"]


def verify(
    domains: Iterable[str] = (),
    *,
    inventory: "Path | Inventory | None" = None,
    hosts: bool = False,
    selectors: Iterable[str] = (),
    resolver: str | None = None,
    timeout: float = 10.0,
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    trust: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> "Report":
    """Check domains of anybody, or those of an inventory and its servers; write nothing anywhere.

    Arguments: ``domains`` or ``inventory``, one of them; ``hosts``: look at the inventory's hosts over SSH too;
    ``selectors``: of DKIM, to look at in every domain; ``resolver``: ``ADDRESS[:PORT]`` or ``[v6]:PORT``, this
    machine's own if None; ``timeout``: in seconds, how long one server may take; ``only``, ``skip``: names of checks
    (``spf.lookups``) or of groups (``spf``); ``trust``: a file of authorities in PEM, OpenSSL's default if None (it
    honours ``SSL_CERT_FILE``); ``progress``: is told what is being done, in lines for people.

    Raises UsageError for what cannot be meant; SendwrightError when the resolver says nothing; BrokenChecks, with the
    report of all others, when a check has a bug.
    """
    from sendwright.verify.asked import asked
    from sendwright.verify.runner import run

    return run(
        asked(
            domains,
            inventory=inventory,
            hosts=hosts,
            selectors=selectors,
            resolver=resolver,
            timeout=timeout,
            only=only,
            skip=skip,
            trust=trust,
        ),
        progress or _quiet,
    )


def _quiet(line: str) -> None:
    del line

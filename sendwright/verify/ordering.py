"""The order of a report, and what servers are for in words. Pure."""

from collections.abc import Iterable, Sequence

from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import Finding, Subject
from sendwright.verify.target import Server

_PLACES = {name: place for place, name in enumerate(CHECKS)}
_NAMED = 2


def ordered(findings: Iterable[Finding], subjects: Sequence[Subject]) -> tuple[Finding, ...]:
    """Return findings by subject as they were asked for (others behind, by name), then as the catalogue has them.

    Those of one check and subject keep their order if they are of one target, and are sorted by it.
    """
    places = {subject: place for place, subject in reversed(list(enumerate(subjects)))}
    last = len(places)

    def place(finding: Finding) -> tuple[int, Subject, int, str]:
        return (places.get(finding.subject, last), finding.subject, _PLACES[finding.check], finding.target)

    return tuple(sorted(findings, key=place))


def described(servers: Iterable[Server]) -> tuple[tuple[Subject, str], ...]:
    """Return of each server what it is for: ``takes mail of a.example, b.example and 998 others``."""
    return tuple((server.subject, "; ".join(_purposes(server))) for server in servers)


def _purposes(server: Server) -> list[str]:
    said = []
    if server.takes:
        said.append(f"takes mail of {_listed(server.takes)}")
    if server.submits:
        said.append(f"takes submission on {' and '.join(map(str, server.submits))}")
    if server.host is not None:
        said.append("a host of the inventory")
    return said


def _listed(names: Sequence[str]) -> str:
    shown, others = names[:_NAMED], len(names) - _NAMED
    if others > 0:
        return f"{', '.join(shown)} and {others:,} {'other' if others == 1 else 'others'}"
    return " and ".join(shown)

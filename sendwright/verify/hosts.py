"""The checks of hosts from the inside, by name: what ``verify --hosts`` and ``tests/live`` judge by. Pure."""

from collections.abc import Callable, Iterator, Mapping

from sendwright.verify.finding import Finding
from sendwright.verify.inside import daemons as host_daemons
from sendwright.verify.inside import files as host_files
from sendwright.verify.inside import machine as host_machine
from sendwright.verify.inside import mail as host_mail
from sendwright.verify.inside.facts import Facts
from sendwright.verify.rules import hosts as rules

Rule = Callable[[Facts], Iterator[Finding]]

RULES: Mapping[str, Rule] = {
    rules.DAEMONS.name: host_daemons.daemons,
    rules.LOADED.name: host_daemons.loaded,
    rules.DESIRED.name: host_files.as_desired,
    rules.SETTINGS.name: host_mail.settings,
    rules.EGRESS.name: host_mail.egress,
    rules.OUTBOUND.name: host_mail.outbound,
    rules.EXPOSED.name: host_mail.exposed,
    rules.SECRETS.name: host_files.secrets,
    rules.RESOLVER.name: host_mail.resolver,
    rules.QUEUE.name: host_machine.queue,
    rules.CLOCK.name: host_machine.clock,
    rules.DISK.name: host_machine.disk,
    rules.EXPIRY.name: host_machine.expiry,
}
"""How each check of a host that can be looked at is judged, in the order of the catalogue."""


def judge(facts: Facts) -> Iterator[Finding]:
    """Yield the findings of every check about one host."""
    for rule in RULES.values():
        yield from rule(facts)

"""A zone whose answers DNSSEC takes for forged: ``dns.dnssec`` says so, and not each group that asks it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from sendwright.verify.finding import Check, Finding
from sendwright.verify.look import Answer, Dns, Look, Told
from sendwright.verify.rules.zone import DNSSEC
from sendwright.verify.target import Target

# Says nothing at all: the group that says it already, and those of what a domain may well not have.
_SILENT = frozenset({"dns", "mta-sts", "tls-rpt", "bimi"})


@dataclass
class _Noting:
    """A resolver that notes what it said of names at and below a domain. Plays `Dns`."""

    dns: Dns
    domain: str
    told: set[Told] = field(default_factory=set)

    def ask(self, name: str, rdtype: str, /) -> Answer:
        return self._noted(self.dns.ask(name, rdtype))

    def ask_all(self, questions: Sequence[tuple[str, str]], /) -> tuple[Answer, ...]:
        return tuple(map(self._noted, self.dns.ask_all(questions)))

    def _noted(self, answer: Answer) -> Answer:
        if f".{answer.name}".endswith(f".{self.domain}"):
            self.told.add(answer.told)
        return answer


def told(target: Target, look: Look) -> bool:
    """Whether the zone of a domain is bogus, and ``dns.dnssec`` was chosen to say it."""
    return look.wants([DNSSEC]) and look.dns.ask(target.domain, "SOA").told is Told.BOGUS


def once(
    checks: Sequence[Check], judge: Callable[[Target, Look], Iterable[Finding]], target: Target, look: Look
) -> Iterable[Finding]:
    """Return what a group finds; if all that it was told of the domain is bogus, that it says nothing.

    Arguments: ``checks``: of the group, the first of which says so, unless nobody would miss what they are about.
    """
    if not told(target, look):
        return judge(target, look)
    noting = _Noting(look.dns, target.domain)
    found = list(judge(target, replace(look, dns=noting)))
    if noting.told != {Told.BOGUS}:
        return found
    if checks[0].group in _SILENT:
        return ()
    return (checks[0].unknown(target.subject, "it says nothing while the zone is bogus: see dns.dnssec"),)

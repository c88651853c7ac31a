"""The tree walk: which policy record applies to a domain, and which domain is its organisation's (RFC 9989, 4.10)."""

from dataclasses import dataclass
from functools import cached_property

from sendwright.verify.look import Answer, Dns
from sendwright.verify.records.dmarc_record import is_policy, parse

# So many labels are asked for from below, so that nobody makes receivers ask more than eight times.
_MOST = 8


@dataclass(frozen=True)
class Step:
    """A domain on the way up, and the answer to the question for its policy record."""

    domain: str
    answer: Answer

    @cached_property
    def records(self) -> tuple[str, ...]:
        """Its policy records, which should be one; other TXT records are discarded."""
        return tuple(value for value in self.answer.values if is_policy(value))

    @property
    def record(self) -> str | None:
        """Its policy record; several are all discarded."""
        return self.records[0] if len(self.records) == 1 else None

    @property
    def psd(self) -> str:
        """Whether its record says that it is a public suffix: y, n or u."""
        return parse(self.record).psd if self.record else "u"


@dataclass(frozen=True)
class Walk:
    """A walk that ended; the first step is the domain itself."""

    steps: tuple[Step, ...]

    @property
    def domain(self) -> str:
        """Where it started."""
        return self.steps[0].domain

    @property
    def organisation(self) -> str:
        """The organisational domain (section 4.10.2)."""
        found = [step for step in self.steps if step.record]
        if not found:
            return self.domain
        # It stops at the first psd=n or psd=y, so only the last can have one.
        last = found[-1]
        if last.psd == "y" and last.domain != self.domain:
            return _below(self.domain, last.domain)
        return last.domain

    @property
    def suffix(self) -> str | None:
        """The public suffix whose record was found, or None."""
        last = self.steps[-1]
        return last.domain if last.psd == "y" and last.domain != self.domain else None

    @property
    def applies(self) -> Step | None:
        """Where the record stands that applies: of the domain, else its organisation, else the public suffix."""
        by_name = {step.domain: step for step in self.steps if step.record}
        wanted = (self.domain, self.organisation, self.suffix)
        return next((by_name[name] for name in wanted if name and name in by_name), None)

    @property
    def unheard(self) -> tuple[Answer, ...]:
        """Answers that tell nothing: what the walk comes to is not sure."""
        return tuple(step.answer for step in self.steps if not step.answer.known)


def walk(domain: str, dns: Dns) -> Walk:
    """Walk from a domain to the root, at most eight questions, asked at the same time."""
    names = path(domain)
    answers = dns.ask_all([(f"_dmarc.{name}", "TXT") for name in names])
    steps = [Step(name, answer) for name, answer in zip(names, answers, strict=True)]
    ends = next((i for i, step in enumerate(steps) if step.psd in {"y", "n"}), len(steps) - 1)
    return Walk(tuple(steps[: ends + 1]))


def path(domain: str) -> tuple[str, ...]:
    """Return the domains that a walk asks about, in order (section 4.10, steps 3, 4 and 7)."""
    labels = domain.split(".")
    first = 1 if len(labels) < _MOST else len(labels) - (_MOST - 1)
    return (domain, *(".".join(labels[i:]) for i in range(first, len(labels))))


def _below(domain: str, suffix: str) -> str:
    labels = domain.removesuffix(f".{suffix}").split(".")
    return f"{labels[-1]}.{suffix}"

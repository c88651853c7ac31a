"""Which zone a name lies in: by asking the server that keeps it, never by guessing from the name's form."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import dns.message

from sendwright.dns.answers import authoritative, rcode, record_set, soa
from sendwright.dns.transport import Ask, NoAnswer, Question, ask_all
from sendwright.errors import NotAllowed, ServerUnreachable

_SHOWN = 3


@dataclass(frozen=True)
class InZone:
    """The name lies in this zone."""

    zone: str


@dataclass(frozen=True)
class AskFor:
    """The answer does not say; the zone of this name is the zone of the other."""

    name: str


@dataclass(frozen=True)
class NotHere:
    """The server does not speak for the name; ``why`` in a phrase."""

    why: str


def read_zone(name: str, message: dns.message.Message) -> InZone | AskFor | NotHere:
    """Say what an authoritative server's answer to "SOA of that name?" means for where the name lies. Pure."""
    if not authoritative(message):
        code = rcode(message)
        return NotHere("it refers to other servers" if code == "NOERROR" else f"it answers {code}")
    if name and record_set(message, name, "CNAME"):
        # The answer then speaks of the alias' target; the alias itself lies where its parent does (RFC 1034, 3.6.2).
        return AskFor(name.partition(".")[2])
    found = soa(message)
    if found is None or not (name == found.zone or name.endswith("." + found.zone)):
        return NotHere("its answer names no zone")
    return InZone(found.zone)


_REACH = "Is it up, and reachable from here? Running again is safe."


def verdicts(names: Iterable[str], ask: Ask, server: str, title: str) -> dict[str, str | NotHere]:
    """Ask one server about every name, all at once, and return the zone of each or why it is not kept there.

    No question is asked twice. Arguments: ``title`` is how errors call the server. Raises ServerUnreachable.
    """
    names = sorted(set(names))
    said: dict[str, InZone | AskFor | NotHere] = {}
    subjects = names
    while subjects:
        answers = ask_all(ask, [Question(server, subject, "SOA") for subject in subjects])
        for subject, answer in zip(subjects, answers, strict=True):
            if isinstance(answer, NoAnswer):
                what = f"{title} does not answer: {answer}."
                raise ServerUnreachable(common_parent(names), what, _REACH)
            said[subject] = read_zone(subject, answer)
        subjects = sorted({v.name for v in said.values() if isinstance(v, AskFor)} - said.keys())
    return {name: _verdict(name, said) for name in names}


def _verdict(name: str, said: Mapping[str, InZone | AskFor | NotHere]) -> str | NotHere:
    verdict = said[name]
    while isinstance(verdict, AskFor):
        verdict = said[verdict.name]
    return verdict.zone if isinstance(verdict, InZone) else verdict


_PRIMARY = "Name the server that is primary for it under dns, or delegate the name to it."


def not_kept(failures: Mapping[str, str], title: str, hint: str = _PRIMARY) -> NotAllowed:
    """Return the one error about all names whose zone a provider does not keep, each with the reason in a phrase.

    It is about what the names have in common, and speaks of the uppermost of them: who declares a domain that is kept
    elsewhere reads the domain's name once, and not that of each of its records.
    """
    tops = [
        name for name in sorted(failures) if not any(above in failures for above in islice(ancestry(name), 1, None))
    ]
    shown = ", ".join(tops[:_SHOWN]) + (f" and {len(tops) - _SHOWN} more" if len(tops) > _SHOWN else "")
    below = len(failures) - len(tops)
    names = shown + (f", nor of {below} {'name' if below == 1 else 'names'} below" if below else "")
    reasons = list(dict.fromkeys(failures[name] for name in tops))
    why = reasons[0] if len(reasons) == 1 else f"of {tops[0]}, {reasons[0]}"
    return NotAllowed(
        common_parent(failures),
        f"{title} does not keep the zone of {names}: {why}.",
        hint,
    )


def common_parent(names: Collection[str]) -> str:
    """Return the longest name that all of these are or lie below; the first of them if that would be a whole TLD."""
    first, *others = sorted(names)
    for name in ancestry(first):
        if "." in name and all(other == name or other.endswith("." + name) for other in others):
            return name
    return first


def delegation_above(name: str, zone: str, delegated: Collection[str]) -> str | None:
    """Return which of the delegated names of a zone a name is or lies below, or None (RFC 1034 section 4.2.1)."""
    return next((n for n in ancestry(name) if n in delegated and n != zone), None)


def ancestry(name: str) -> Iterator[str]:
    """Yield a name and all names that it lies below, from the longest to the top-level domain."""
    while name:
        yield name
        name = name.partition(".")[2]


def owner(name: str) -> str:
    """Return the name that a name speaks of: without the labels in front that are no host's, as in ``_dmarc``."""
    labels = name.split(".")
    last = max((i for i, label in enumerate(labels) if label.startswith("_") or label == "*"), default=-1)
    return ".".join(labels[last + 1 :]) or name


def wildcards_above(name: str, zone: str) -> list[str]:
    """Return the wildcards of a zone that may answer for a name (RFC 4592 section 3.3)."""
    labels = name.removesuffix(zone).rstrip(".").split(".") if name != zone else []
    return [".".join(["*", *labels[i + 1 :], zone]) for i in range(len(labels))]

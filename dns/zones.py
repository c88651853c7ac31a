"""Which zone a name lies in: by asking the server that keeps it, never by guessing from the name's form."""

from collections.abc import Iterable
from dataclasses import dataclass

import dns.message

from sendwright.dns.answers import authoritative, rcode, record_set, soa
from sendwright.dns.transport import Ask, NoAnswer, Question, ask_all
from sendwright.errors import DnsError, NotAllowed, ServerUnreachable


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
    if record_set(message, name, "CNAME"):
        # The answer then speaks of the alias' target; the alias itself lies where its parent does (RFC 1034, 3.6.2).
        return AskFor(name.partition(".")[2])
    found = soa(message)
    if found is None or not (name == found.zone or name.endswith("." + found.zone)):
        return NotHere("its answer names no zone")
    return InZone(found.zone)


def locate(names: Iterable[str], ask: Ask, server: str, title: str) -> dict[str, str]:
    """Return the zone of every name, asking one server all at once; ``title`` is how errors call it.

    Raises ServerUnreachable, or NotAllowed if the server does not keep a name's zone.
    """
    names = sorted(set(names))
    questions = {name: name for name in names}
    zones: dict[str, str] = {}
    failures: dict[str, DnsError] = {}
    while questions:
        asked = list(questions.items())
        answers = ask_all(ask, [Question(server, subject, "SOA") for _, subject in asked])
        questions = {}
        for (name, subject), answer in zip(asked, answers, strict=True):
            if isinstance(answer, NoAnswer):
                raise ServerUnreachable(
                    subject, f"{title} does not answer: {answer}.", "Is it up, and reachable from here?"
                )
            match read_zone(subject, answer):
                case InZone(zone):
                    zones[name] = zone
                case AskFor(other):
                    questions[name] = other
                case NotHere(why):
                    failures[name] = NotAllowed(
                        name,
                        f"{title} does not keep the zone of {name}: {why}.",
                        "Name the server that is primary for it under dns, or delegate the name to it.",
                    )
    if failures:
        raise next(failures[name] for name in names if name in failures)
    return zones


def wildcards_above(name: str, zone: str) -> list[str]:
    """Return the wildcards of a zone that may answer for a name (RFC 4592 section 3.3)."""
    labels = name.removesuffix(zone).rstrip(".").split(".") if name != zone else []
    return [".".join(["*", *labels[i + 1 :], zone]) for i in range(len(labels))]

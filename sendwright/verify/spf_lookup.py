"""SPF's way to ask the DNS, through the resolver of a run: every question is asked once, whoever asks it."""

from sendwright.dns.spf import is_spf
from sendwright.dns.spf_lookup import NOTHING, Answer, Lookup, presented, valid_name
from sendwright.verify.look import Answer as Told
from sendwright.verify.look import Dns
from sendwright.verify.records.mx_record import exchange


def spf_records(answer: Told) -> tuple[str, ...]:
    """Return those of a name's TXT values that claim to be SPF records by their version (RFC 7208, 4.5)."""
    return tuple(value for value in answer.values if is_spf(value.encode("latin-1", "replace")))


def through(dns: Dns) -> Lookup:
    """Return what evaluates and counts records by a resolver (`dns.spf_check`, `dns.spf_cost`)."""

    def lookup(name: str, rdtype: str) -> Answer:
        if not valid_name(name):
            return NOTHING
        answer = dns.ask(presented(name), rdtype)
        return Answer(_values(answer)) if answer.known else Answer(failure=answer.why or answer.told.value)

    return lookup


def _values(answer: Told) -> tuple[str, ...]:
    """Return what SPF needs of an answer: of MX the names alone, the preferred first."""
    if answer.type != "MX":
        return answer.values
    return tuple(found.name for found in sorted(map(exchange, answer.values)))

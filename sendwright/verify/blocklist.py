"""Whether addresses and domains are on lists that receivers ask (RFC 5782): listed, not listed, or not to be told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sendwright.stack import Address
from sendwright.verify.finding import Check, Finding, Subject
from sendwright.verify.look import Answer, Look
from sendwright.verify.records.blocklists import LISTS, Blocklist, Reading, read
from sendwright.verify.reserved import reserved
from sendwright.verify.rules import blocklist as rules
from sendwright.verify.speaking.conversation import Conversation
from sendwright.verify.target import Server, Target
from sendwright.verify.wording import counted, listed, shown

_RESOLVER = "Ask through a resolver of your own (--resolver): lists refuse public ones, and those that ask too much."


@dataclass(frozen=True)
class Entry:
    """What may be on a list: the thing itself, and the name by which a list is asked about it."""

    what: str
    name: str


@dataclass(frozen=True)
class Heard:
    """What one list said of what was asked about; nothing if it is not to be believed."""

    blocklist: Blocklist
    readings: tuple[tuple[Entry, Reading], ...]

    @property
    def listings(self) -> tuple[tuple[Entry, Reading], ...]:
        """What is listed."""
        return tuple((entry, reading) for entry, reading in self.readings if reading.listed)

    @property
    def refused(self) -> str:
        """Why it cannot tell of something."""
        return next((reading.refused for _, reading in self.readings if reading.refused), "")


def check(target: Target, look: Look, lists: Sequence[Blocklist] = LISTS) -> Iterator[Finding]:
    """Look for a domain on lists of domains."""
    entry = Entry(target.domain, target.domain)
    asked = [(blocklist, [entry]) for blocklist in lists if not blocklist.families]
    yield from judge(rules.DOMAIN, target.subject, list(_heard(asked, look)), lenient=False)


def check_server(
    server: Server,
    talks: Sequence[Conversation],  # noqa: ARG001 - one shape for all checks of servers
    look: Look,
    lists: Sequence[Blocklist] = LISTS,
) -> Iterator[Finding]:
    """Look for the addresses that a declared host sends from, or at which others' servers take mail.

    Whether others' servers send is not known, so a listing by policy is a warning there.
    """
    addresses = server.host.addresses if server.host else server.addresses if server.takes else ()
    public = [address for address in addresses if not reserved(address)]
    asked = [(each, [_entry(a) for a in public if a.version in each.families]) for each in lists]
    asked = [(each, entries) for each, entries in asked if entries]
    yield from judge(rules.ADDRESS, server.subject, list(_heard(asked, look)), lenient=server.host is None)


def _entry(address: Address) -> Entry:
    # The same digits as in reverse DNS, without its two last labels (RFC 5782, 2.1 and 2.4).
    return Entry(str(address), address.reverse_pointer.rpartition(".")[0].rpartition(".")[0])


def _heard(asked: Sequence[tuple[Blocklist, Sequence[Entry]]], look: Look) -> Iterator[Heard]:
    names = [
        f"{name}.{blocklist.zone}"
        for blocklist, entries in asked
        for name in (*blocklist.tests, blocklist.clean, *(entry.name for entry in entries))
    ]
    answers = iter(look.dns.ask_all([(name, "A") for name in names]))
    for blocklist, entries in asked:
        tests = [_reading(blocklist, next(answers)) for _ in blocklist.tests]
        never = _reading(blocklist, next(answers))
        readings = [_reading(blocklist, next(answers)) for _ in entries]
        if why := _broken(blocklist, tests, never):
            readings = [Reading(refused=why) for _ in entries]
        yield Heard(blocklist, tuple(zip(entries, readings, strict=True)))


def _reading(blocklist: Blocklist, answer: Answer) -> Reading:
    if not answer.known:
        return Reading(refused=shown(answer.why or answer.told.value))
    return read(blocklist, answer.values)


def _broken(blocklist: Blocklist, tests: Sequence[Reading], never: Reading) -> str:
    """Return why a list is not to be believed: its own test entries are not as they must be (RFC 5782, 5 and 7)."""
    if never.listed:
        return f"it lists everything, even {blocklist.clean}.{blocklist.zone}, which no list may"
    if any(reading.listed for reading in tests):
        return never.refused
    refused = [reading.refused for reading in tests if reading.refused]
    return refused[0] if refused else f"it does not list its own test entry {blocklist.tests[0]}"


def judge(check: Check, subject: Subject, heard: Sequence[Heard], *, lenient: bool) -> Iterator[Finding]:
    """Judge what lists said: what is listed, each list that cannot tell of the rest once, what is on none. Pure."""
    for each in heard:
        yield from (_listed(check, subject, each.blocklist, *pair, lenient) for pair in each.listings)
        if each.refused:
            seen = f"{each.blocklist.title} cannot tell: {each.refused}."
            yield check.unknown(subject, seen, _RESOLVER, each.blocklist.zone)
    clean = [each for each in heard if not each.listings and not each.refused]
    if clean:
        things = dict.fromkeys(entry.what for each in clean for entry, _ in each.readings)
        titles = ", ".join(each.blocklist.title for each in clean)
        seen = f"{listed(things, 4)}: on none of {counted(len(clean), 'list')} ({titles})."
        yield check.passed(subject, seen)


def _listed(
    check: Check, subject: Subject, blocklist: Blocklist, entry: Entry, reading: Reading, lenient: bool
) -> Finding:
    reasons = listed(meaning.text for meaning in reading.listed)
    seen = f"{entry.what} is on {blocklist.title}: {reasons}."
    advice = f"Find and stop what caused it, then ask to be removed: {blocklist.delisting}"
    mild = all(meaning.mild for meaning in reading.listed) and (lenient or not blocklist.families)
    where = f"{entry.what} {blocklist.zone}"
    return (check.warned if mild else check.failed)(subject, seen, advice, where)

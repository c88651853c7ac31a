"""A primary name server that takes dynamic updates: RFC 2136 with TSIG (RFC 8945), each update conditional and atomic.

Each record set that an update touches is named in its prerequisites exactly as it was read (RFC 2136 section 2.4), so a
lost race is refused by the server, not silently overwritten.
"""

import base64
import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.tsig
import dns.update

from sendwright.dns.answers import authoritative, rcode, record_set, soa
from sendwright.dns.providers.atlas import FEW, Atlas
from sendwright.dns.providers.base import Edit, Key, RecordSet
from sendwright.dns.providers.parts import apply_parts, fewest
from sendwright.dns.providers.transfer import Bounds, Copy, transfer
from sendwright.dns.providers.update import absolute, require, round_trip, write
from sendwright.dns.transport import Ask, NoAnswer, Question, ask_all, query
from sendwright.dns.zones import wildcards_above
from sendwright.errors import DnsError, NotAllowed, SecretError, ServerUnreachable, WorldMoved
from sendwright.providers import Rfc2136
from sendwright.secrets import resolve

# An edit has at least two records of 12 octets, the prerequisite and the change (RFC 2136 sections 2.4 and 2.5).
_MOST_EDITS = 65535 // 24
_MOVED = {dns.rcode.YXDOMAIN, dns.rcode.YXRRSET, dns.rcode.NXRRSET, dns.rcode.NXDOMAIN}
# PowerDNS answers REFUSED whatever is wrong with a key; Knot says NOTAUTH, and in the TSIG record what it is.
_NOT_ALLOWED = {dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.BADSIG, dns.rcode.BADKEY, dns.rcode.BADTIME}
_WHY = {
    dns.rcode.NOTZONE: "a name does not lie in the zone as the server has it",
    dns.rcode.SERVFAIL: "the server itself failed (SERVFAIL); its own log says why",
    dns.rcode.NOTIMP: "the server takes no dynamic updates (NOTIMP)",
    dns.rcode.FORMERR: "the server does not understand the update (FORMERR)",
}


@dataclass(frozen=True)
class DynamicUpdate:
    """A server that takes updates. ``key`` never shows in a repr; ``ask`` puts the questions by which it is read.

    ``patience``: seconds in which an update has to be answered, and a transfer has to go on.
    """

    server: str
    port: int
    margin: int
    key: dns.tsig.Key = field(repr=False)
    ask: Ask = field(repr=False)
    patience: float = 20.0

    @cached_property
    def atlas(self) -> Atlas:
        """What the server said so far of its zones."""

        def fetch(zone: str, keep: Callable[[Key], bool]) -> Copy:
            return transfer(self.server, self.port, zone, self.key, keep, Bounds(silence=self.patience))

        return Atlas(self.server, self.title, self.ask, fetch)

    @classmethod
    def of(cls, config: Rfc2136, base: Path) -> "DynamicUpdate":
        """Return the server that the inventory describes; SecretError if its key has no value or is no base64."""
        name = config.tsig.name
        secret = resolve(config.tsig.secret, base, f"the secret of the TSIG key {name}")
        server = str(config.server)
        octets = _decoded(secret.strip())
        if octets is None:
            raise SecretError(
                f"The secret of the TSIG key {name} is not base64.",
                "Take the text between the quotes of the key's file.",
            )
        key = dns.tsig.Key(name, octets, config.tsig.algorithm)
        return cls(server, config.port, config.margin, key, partial(query, port=config.port))

    @property
    def title(self) -> str:
        """How errors and plans call it."""
        return f"the server {self.server}" + (f" port {self.port}" if self.port != 53 else "")

    def zones(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return the zone that each name lies in (see ``Provider``), many by the transfer that also reads them."""
        return self.atlas.locate(names)

    def read(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
        """Return those of the wanted record sets that exist (see ``Provider``).

        By one transfer of the zone, where the server allows it to the key; else by questions.
        """
        keep = {*wanted, *((name, "CNAME") for name, _ in wanted)}
        copy = self.atlas.taken(zone)
        if copy is None and len(wanted) > FEW:
            copy = self.atlas.transferred(zone, keep.__contains__)
        return self._asked(zone, wanted) if copy is None else copy.read(keep)

    def _asked(self, zone: str, wanted: Collection[Key]) -> tuple[RecordSet, ...]:
        found = self._answers(zone, wanted)
        # The server answers below a wildcard as if the name existed. Where both say the same, only an update's
        # prerequisite can tell: it speaks of what stands in the zone.
        wildcards = {key: [(w, key[1]) for w in wildcards_above(key[0], zone)] for key in found}
        covering = self._answers(zone, {w for above in wildcards.values() for w in above})
        return tuple(
            records
            for key, records in sorted(found.items())
            if not any(_same(records, covering.get(w)) for w in wildcards[key]) or self._stands(zone, records)
        )

    def apply(self, zone: str, edits: Collection[Edit]) -> None:
        """Apply all edits in one update, or none (see ``Provider``); over 64 KiB it takes several, each whole.

        Raises WorldMoved, NotAllowed, ServerUnreachable, or DnsError with what the server said.
        """
        self.atlas.taken(zone)
        ordered = sorted(edits, key=lambda e: (e.name, e.type))
        parts = fewest(ordered, lambda part: self._fits(zone, part), _MOST_EDITS)
        apply_parts(parts, len(ordered), lambda part: self._send(zone, part))

    def _answers(self, zone: str, wanted: Collection[Key]) -> dict[Key, RecordSet]:
        keys = sorted(wanted)
        found: dict[Key, RecordSet] = {}
        questions = [Question(self.server, name, rdtype) for name, rdtype in keys]
        for (name, rdtype), answer in zip(keys, ask_all(self.ask, questions), strict=True):
            if isinstance(answer, NoAnswer):
                raise ServerUnreachable(zone, f"{self.title} does not answer: {answer}.{self._hung}", _REACH)
            if not authoritative(answer) and not record_set(answer, name, "CNAME"):
                what = f"{self.title} does not speak for {name}: it answers {rcode(answer)}."
                raise NotAllowed(zone, what, "Name the server that is primary for the zone under dns.")
            here = [records for kind in {rdtype, "CNAME"} if (records := record_set(answer, name, kind))]
            if not here and (owner := soa(answer)) and owner.zone != zone:
                what = f"{self.title} has {name} in the zone {owner.zone or 'of the root'}, not in this one."
                raise NotAllowed(zone, what, "Name the server that is primary for the zone under dns.")
            found |= {records.key: records for records in here}
        return found

    def _stands(self, zone: str, records: RecordSet) -> bool:
        """Ask whether a record set stands in the zone, by an update that changes nothing."""
        message = self._update(zone)
        message.present(absolute(records.name), records.type)
        return self._exchange(zone, message) not in {dns.rcode.NXRRSET, dns.rcode.NXDOMAIN}

    def _fits(self, zone: str, edits: Sequence[Edit]) -> bool:
        try:
            self._message(zone, edits).to_wire()
        except dns.exception.TooBig:
            if len(edits) == 1:
                raise DnsError(zone, f"the record set of {edits[0].name} is too big for an update.") from None
            return False
        return True

    def _message(self, zone: str, edits: Sequence[Edit]) -> dns.update.UpdateMessage:
        message = self._update(zone)
        for edit in edits:
            require(message, edit)
        for edit in edits:
            write(message, edit)
        return message

    def _update(self, zone: str) -> dns.update.UpdateMessage:
        message = dns.update.UpdateMessage(absolute(zone))
        message.use_tsig(self.key)
        return message

    def _send(self, zone: str, edits: Sequence[Edit]) -> None:
        code = self._exchange(zone, self._message(zone, edits))
        if code in _MOVED:
            raise WorldMoved(
                zone,
                f"somebody else changed it since it was read; {self.title} refused the update, nothing was applied.",
                "Plan again and look at what is new.",
            )

    def _exchange(self, zone: str, message: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        """Send an update and return the response code: NOERROR, or that a prerequisite did not hold."""
        answer = self._answer(zone, message)
        code = answer.rcode()
        if code in _NOT_ALLOWED:
            raise self._refused(zone, dns.rcode.to_text(code))
        if code in _MOVED or code == dns.rcode.NOERROR:
            if not answer.had_tsig:
                raise DnsError(zone, f"{self.title} did not sign its answer, so it may be anybody's.", _UNKNOWN)
            return code
        why = _WHY.get(code, f"it answers {dns.rcode.to_text(code)}")
        raise DnsError(zone, f"{self.title} refused the update, nothing was applied: {why}.")

    def _answer(self, zone: str, message: dns.update.UpdateMessage) -> dns.message.Message:
        try:
            connection = socket.create_connection((self.server, self.port), self.patience)
        except OSError as error:
            what = f"{self.title} takes no connection over TCP: {_reason(error)}.{self._hung}"
            raise ServerUnreachable(zone, what, _REACH) from error
        try:
            with connection:
                answer = round_trip(connection, message, self.patience)
        except dns.tsig.PeerError as error:
            raise self._refused(zone, type(error).__name__.removeprefix("Peer").upper()) from None
        except (dns.tsig.BadSignature, dns.tsig.BadTime, dns.tsig.BadKey, dns.message.UnknownTSIGKey):
            raise DnsError(zone, f"{self.title} answered with another key or clock than ours.", _UNKNOWN) from None
        except (OSError, EOFError) as error:
            what = f"{self.title} took the update and gave no answer: {_reason(error)}.{self._hung}"
            raise ServerUnreachable(zone, what, _UNKNOWN) from error
        except dns.exception.DNSException as error:
            what = f"{self.title} answered with something that is no DNS message ({type(error).__name__})."
            raise DnsError(zone, what, _UNKNOWN) from error
        if answer.id != message.id or not answer.flags & dns.flags.QR:
            raise DnsError(zone, f"{self.title} answered another question than ours.", _UNKNOWN)
        return answer

    @property
    def _hung(self) -> str:
        return " Transfers by it (AXFR over TCP) hang, too; after the first, none was tried." if self.atlas.hung else ""

    def _refused(self, zone: str, said: str) -> NotAllowed:
        key = self.key.name.to_text(omit_final_dot=True)
        return NotAllowed(
            zone,
            f"{self.title} does not let the TSIG key {key} change the zone ({said}); nothing was applied.",
            "Check the key's name, secret and algorithm, both clocks, and that the server lets it update the zone.",
        )


_REACH = "Is it up, reachable from here over UDP and TCP, and the right address under dns? Running again is safe."
_UNKNOWN = "Whether the update was applied is unknown, whole or not at all; run again: what is there already is kept."


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _same(records: RecordSet, other: RecordSet | None) -> bool:
    return other is not None and set(records.values) == set(other.values)


def _decoded(text: str) -> bytes | None:
    """Return what base64 stands for, or None for what is none: a key that was cut would only be refused later."""
    try:
        octets = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    # Python takes more padding than there may be.
    return octets if len(base64.b64encode(octets)) == len(text) else None

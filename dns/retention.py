"""How long what is ours stays after nothing that is declared needs it any more. Pure.

Mail that was signed or sent before lies in queues, ours and others', and is judged by SPF and DKIM as they are then
(RFC 6376 section 3.6.1, RFC 7208 section 2.4). What servers are judged by (TLSA, MTA-STS) is remembered by caches only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sendwright.dns.plan import Held
from sendwright.dns.records import TTL
from sendwright.dns.slots import revokes, slot
from sendwright.dns.tls_records import TTL as TLS_TTL
from sendwright.stack import Mx, Stack
from sendwright.state.model import Claim

_TTL = timedelta(seconds=TTL)
# Caches may have asked a secondary that was a whole TTL behind.
_FORGOTTEN = {"MX": 2 * _TTL, "TLSA": 2 * timedelta(seconds=TLS_TTL)}
_ADDRESSES = ("A", "AAAA")


@dataclass(frozen=True)
class Clock:
    """The time, and how long each claim stays once its clock of withdrawal has started."""

    now: datetime
    retention: Callable[[Claim], timedelta]

    def due(self, claim: Claim) -> bool:
        """Whether what is no longer declared may be withdrawn."""
        keep = self.retention(claim)
        return not keep or (claim.left is not None and claim.left + keep <= self.now)

    def held(self, claim: Claim) -> Held:
        """Return until when it stays."""
        return Held(claim, claim.left + self.retention(claim) if claim.left else None)

    def forgotten(self, claim: Claim) -> bool:
        """Whether the claim on a value that was withdrawn may be struck.

        Mail follows a withdrawn MX until caches have forgotten it, and the ledger is what hosts take it by; so do
        senders take a host by the TLSA records that they remember.
        """
        lasting = _FORGOTTEN.get(claim.type)
        return lasting is None or (claim.left is not None and claim.left + lasting <= self.now)


def retention(stack: Stack, claims: Iterable[Claim]) -> Callable[[Claim], timedelta]:
    """Return how long each claim of a ledger outlives its declaration; zero: it goes as soon as nothing needs it."""
    # A name that is no longer declared says no more what it was: a host has addresses, a domain has a policy.
    names = {(c.name, c.type) for c in claims}
    # Unlike a host, the name of a policy has no SPF record.
    leading = {name for name, rdtype in names if rdtype in _ADDRESSES}
    policies = {name for name in leading if name.startswith("mta-sts.") and (name, "TXT") not in names}
    hosts = {name for name in leading - policies if (f"_dmarc.{name}", "TXT") not in names}
    declared, locked = {h.name for h in stack.hosts}, {d.name for d in stack.domains if not d.sends}
    going_on = {d.name for d in stack.domains if d.mx is not Mx.NONE}
    replaced = declared | policies
    known = {d.name for d in stack.domains if d.sends} | ((declared | hosts) - locked)
    queues = timedelta(days=stack.smtp.queue_days + stack.smtp.bounce_days)
    others = timedelta(days=stack.smtp.others_queue_days)

    def keep(claim: Claim) -> timedelta:
        if claim.type in _ADDRESSES:
            return timedelta() if claim.name in replaced else queues
        if claim.type == "TLSA":
            return _FORGOTTEN["TLSA"]
        if claim.type == "MX":
            # The last MX of a domain that goes on stays until there is another, whatever the time.
            return timedelta() if claim.name in going_on else queues + others + _TTL
        if claim.mechanism:
            return queues if claim.name in known else queues + others + _TTL
        return judging(claim)

    def judging(claim: Claim) -> timedelta:
        # What an alias leads to is read by whoever verifies what was signed under its name.
        alias = claim.type == "CNAME" and "._domainkey." in claim.name
        judged_by = alias or slot(claim.name, claim.type, claim.value) in {"DKIM", "DMARC"}
        if not judged_by or "._report._dmarc." in claim.name or revokes(claim.name, claim.type, claim.value):
            return timedelta()
        return queues + others + _TTL

    return keep

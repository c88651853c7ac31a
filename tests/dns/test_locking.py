"""A domain that sent stops, and is locked while its last mail is still on its way; and it starts again."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sendwright.dns import diff as planning
from sendwright.dns.edits import claims_of, edits, lefts_of, releases_of
from sendwright.dns.plan import Changes
from sendwright.dns.providers.base import RecordSet
from sendwright.dns.rdata import joined, txt
from sendwright.dns.records import desired
from sendwright.dns.retention import retention
from sendwright.plan import Stage
from sendwright.stack import DkimAlgorithm, Stack
from sendwright.state.model import Claim, DkimKey, KeyStage

ZONE = "example.org"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOST = {"name": "mx1.example.com", "ssh": {"hostname": "mx1"}, "egress": [{"public": "203.0.113.10"}]}
KEY = DkimKey(ZONE, "r1", DkimAlgorithm.RSA, "TUlJQg==", "00", NOW, KeyStage.SIGNING)
LOCK = {"sends": False}


@dataclass
class Zone:
    """A zone and the ledger of what is ours in it, with a clock of their own."""

    now: datetime = NOW
    sets: dict[tuple[str, str], RecordSet] = field(default_factory=dict)
    ledger: dict[tuple[str, str, str], Claim] = field(default_factory=dict)

    def plan(self, **domain: Any) -> Changes:
        """Plan for an inventory in which the zone's domain has these settings."""
        domains = [{"name": "example.com", "dns": "main"}, {"name": ZONE, "dns": "main", **domain}]
        stack = Stack.model_validate({"hosts": [HOST], "domains": domains})
        records = [r for r in desired(stack, [KEY]) if r.name.endswith(ZONE)]
        claims = tuple(self.ledger.values())
        served = list(self.sets.values())
        return planning.diff(ZONE, records, served, claims, now=self.now, retention=retention(stack, claims))

    def apply(self, **domain: Any) -> None:
        """Apply stage by stage, each after a look of its own."""
        for stage in (Stage.EXPAND, Stage.HOSTS, Stage.SWITCH, Stage.CONTRACT):
            changes = self.plan(**domain).at(stage)
            self._keep(claims_of(changes, self.now, "main"))
            struck = releases_of(changes, self.ledger.values())
            for edit in edits(changes, self.sets.values()):
                self.sets.pop((edit.name, edit.type), None)
                if edit.after:
                    self.sets[edit.name, edit.type] = edit.after
            for claim in struck:
                self.ledger.pop((claim.name, claim.type, claim.value), None)
            self._keep(lefts_of(changes, self.ledger.values(), self.now))

    def put(self, name: str, rdtype: str, *values: str) -> None:
        """Write as somebody else would."""
        self.sets[name, rdtype] = RecordSet(name, rdtype, 3600, values)

    def values(self, name: str, rdtype: str) -> tuple[str, ...]:
        """Return what stands at a name, TXT as its joined text."""
        found = self.sets.get((name, rdtype))
        values = found.values if found else ()
        return tuple(joined(v).decode() for v in values) if rdtype == "TXT" else values

    def _keep(self, claims: Collection[Claim]) -> None:
        self.ledger |= {(c.name, c.type, c.value): c for c in claims}


@pytest.fixture
def zone() -> Zone:
    """Return the zone of a domain that sends."""
    made = Zone()
    made.apply()
    return made


def test_nobody_new_may_send_at_once_and_mail_on_its_way_is_judged_as_before(zone: Zone) -> None:
    """Its address and its key stay; all else says that the domain sends nothing."""
    zone.apply(**LOCK)

    assert zone.values(ZONE, "TXT") == ("v=spf1 ip4:203.0.113.10 -all",)
    assert zone.values(KEY.record_name, "TXT")
    assert zone.values(f"_dmarc.{ZONE}", "TXT") == ("v=DMARC1; p=reject",)
    assert zone.values(f"*._domainkey.{ZONE}", "TXT") == ("v=DKIM1; p=",)
    assert zone.values(f"_submissions._tcp.{ZONE}", "SRV") == ()


def test_when_all_mail_has_arrived_nothing_but_the_lock_is_left(zone: Zone) -> None:
    """And then there is nothing more to do."""
    zone.apply(**LOCK, mx="none")
    zone.now += timedelta(days=15)
    zone.apply(**LOCK, mx="none")

    assert {key: zone.values(*key) for key in zone.sets} == {
        (ZONE, "TXT"): ("v=spf1 -all",),
        (ZONE, "MX"): ("0 .",),
        (f"_dmarc.{ZONE}", "TXT"): ("v=DMARC1; p=reject",),
        (f"*._domainkey.{ZONE}", "TXT"): ("v=DKIM1; p=",),
    }
    assert zone.plan(**LOCK, mx="none").empty


def test_a_null_mx_never_stands_beside_another(zone: Zone) -> None:
    """The one that led here goes in the same edit that brings it (RFC 7505 section 3)."""
    zone.apply(**LOCK, mx="none")
    assert zone.values(ZONE, "MX") == ("10 mx1.example.com.",)
    zone.now += timedelta(days=15)
    changes = zone.plan(**LOCK, mx="none")

    (edit,) = (e for e in edits(changes, zone.sets.values()) if e.type == "MX")

    assert edit.after is not None
    assert edit.after.values == ("0 .",)


def test_an_mx_that_leads_nowhere_else_stays_until_somebody_says_where_mail_goes(zone: Zone) -> None:
    """A locked domain may have readers still."""
    zone.apply(**LOCK)

    assert zone.values(ZONE, "MX") == ("10 mx1.example.com.",)
    assert "stays although it is no longer declared" in "".join(zone.plan(**LOCK).notes)


def test_a_domain_that_starts_to_send_again_has_no_lock_left(zone: Zone) -> None:
    """The key's own record hides the wildcard from the first moment."""
    before = {key: sorted(zone.values(*key)) for key in zone.sets}
    zone.apply(**LOCK, mx="none")

    zone.apply()

    assert {key: sorted(zone.values(*key)) for key in zone.sets} == before


def test_senders_that_somebody_else_declared_stay_and_people_hear_of_them() -> None:
    """Whether nobody needs them any more, only a person knows."""
    zone = Zone()
    zone.put(ZONE, "TXT", txt("v=spf1 include:_spf.example.net -all"))

    zone.apply(**LOCK)
    (note,) = zone.plan(**LOCK).notes

    assert zone.values(ZONE, "TXT") == ("v=spf1 include:_spf.example.net -all",)
    assert "declared to send nothing" in note
    assert "include:_spf.example.net" in note


def test_a_record_that_lets_nobody_send_needs_no_word() -> None:
    """Whoever wrote it."""
    zone = Zone()
    zone.put(ZONE, "TXT", txt("v=spf1 -all"))

    assert zone.plan(**LOCK).notes == ()


def test_submission_records_of_another_provider_are_never_mixed_with_ours() -> None:
    """Mail programs would try either; the hint says how to decide."""
    zone = Zone()
    theirs = "0 1 465 smtp.example.net."
    zone.put(f"_submissions._tcp.{ZONE}", "SRV", theirs)

    (conflict,) = zone.plan().conflicts
    zone.apply()

    assert "submission_srv" in conflict.hint
    assert zone.values(f"_submissions._tcp.{ZONE}", "SRV") == (theirs,)
    assert zone.values(f"_submission._tcp.{ZONE}", "SRV")
    assert zone.plan(submission_srv=False).conflicts == ()


def test_certificate_authorities_of_others_stay_beside_ours() -> None:
    """Each record allows one more."""
    zone = Zone()
    zone.put(ZONE, "CAA", '0 issue "pki.example"', '0 iodef "mailto:x@example.org"')

    zone.apply(caa=["letsencrypt.org"])

    assert set(zone.values(ZONE, "CAA")) == {
        '0 issue "pki.example"',
        '0 iodef "mailto:x@example.org"',
        '0 issue "letsencrypt.org"',
    }

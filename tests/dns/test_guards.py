"""The last look before a provider gets it does not trust the plan."""

from datetime import UTC, datetime

import pytest

from sendwright.dns.edits import edits
from sendwright.dns.guards import refuse_many_deletions
from sendwright.dns.plan import Changes, Create, Delete, Update
from sendwright.dns.providers.base import RecordSet
from sendwright.errors import DnsError
from sendwright.plan import Stage
from sendwright.state.model import Claim

ZONE = "example.com"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def _create(name: str, text: str, stage: Stage = Stage.EXPAND) -> Changes:
    return Changes(ZONE, (Create(name, "TXT", 60, text, "", stage),))


@pytest.mark.parametrize(
    ("name", "there", "text", "title"),
    [
        (ZONE, '"v=spf1 a"', '"v=spf1 -all"', "SPF"),
        (f"_dmarc.{ZONE}", '"v=DMARC1; p=none"', '"v=DMARC1; p=reject"', "DMARC"),
        (
            f"_smtp._tls.{ZONE}",
            '"v=TLSRPTv1; rua=mailto:a@b.example"',
            '"v=TLSRPTv1;rua=mailto:c@d.example"',
            "TLS-RPT",
        ),
        (f"r1._domainkey.{ZONE}", '"p=YQ=="', '"p=Yg=="', "DKIM"),
        (f"_mta-sts.{ZONE}", '"v=STSv1;id=1"', '"v=STSv1; id=2;"', "MTA-STS"),
    ],
)
def test_a_second_record_of_a_slot_is_never_written(name: str, there: str, text: str, title: str) -> None:
    """Receivers take two for an error, or for none (RFC 7208 section 3.2, RFC 9989 section 4.10)."""
    with pytest.raises(DnsError, match=f"refused to write a second {title} record"):
        edits(_create(name, text), [RecordSet(name, "TXT", 60, (there,))])


def test_an_empty_dkim_key_is_never_written_outside_revocation() -> None:
    """A lost public key must not revoke what signs (RFC 6376 section 3.6.1); a lock covers all selectors at once."""
    name = f"r1._domainkey.{ZONE}"

    with pytest.raises(DnsError, match="refused to write an empty DKIM key"):
        edits(_create(name, '"v=DKIM1; p= ; k=rsa"'), [])
    assert len(edits(_create(name, '"v=DKIM1; p="', Stage.CONTRACT), [])) == 1
    assert len(edits(_create(f"*._domainkey.{ZONE}", '"v=DKIM1; p="'), [])) == 1


def _claims(count: int) -> list[Claim]:
    return [Claim(ZONE, f"h{i}.{ZONE}", "TXT", f'"{i}"', NOW, "main") for i in range(count)]


def _deletes(count: int) -> tuple[Delete, ...]:
    return tuple(Delete(f"h{i}.{ZONE}", "TXT", "", Stage.CONTRACT, f'"{i}"') for i in range(count))


@pytest.mark.parametrize(("deleted", "ours", "refused"), [(11, 32, True), (11, 33, False), (10, 10, False)])
def test_many_withdrawals_at_once_need_a_second_look(deleted: int, ours: int, *, refused: bool) -> None:
    """More than ten, and more than a third of what is ours in the zone: a lost inventory looks like that."""
    changes = Changes(ZONE, _deletes(deleted))

    refuse_many_deletions(changes, _claims(ours), allowed=True)
    if refused:
        with pytest.raises(DnsError, match=f"{deleted} of the {ours} values .* --allow-deletions"):
            refuse_many_deletions(changes, _claims(ours), allowed=False)
    else:
        refuse_many_deletions(changes, _claims(ours), allowed=False)


def test_terms_of_spf_count_and_replacements_do_not() -> None:
    """A verdict or a foreign MX that is replaced is no loss; each term that goes is one."""
    terms = tuple(f"ip4:192.0.2.{i}" for i in range(8))
    ledger = [*_claims(4), *(Claim(ZONE, ZONE, "TXT", t, NOW, "main", mechanism=True) for t in terms)]
    spf = Update(ZONE, "TXT", 60, '"v=spf1 -all"', "", Stage.CONTRACT, "", 60, ("-all",), (*terms, "~all"))
    foreign = Delete(ZONE, "MX", "", Stage.HOSTS, "10 mx.example.net.")

    refuse_many_deletions(Changes(ZONE, (*_deletes(2), spf, foreign)), ledger, allowed=False)
    with pytest.raises(DnsError, match="11 of the 12 values"):
        refuse_many_deletions(Changes(ZONE, (*_deletes(3), spf, foreign)), ledger, allowed=False)

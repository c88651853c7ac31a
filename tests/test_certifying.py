"""Have what hosts lack: with which key, under which names, and what happens when it cannot be had."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sendwright import certs, issuing, tlsa
from sendwright.acme.proof import Prove
from sendwright.certifying import NOTHING, Asked, Certifier, pending
from sendwright.errors import AuthorityRefused, AuthorityUnreachable, NotShown, SendwrightError, ServerUnreachable
from sendwright.inventory import Inventory
from sendwright.publication import INTERNET, Internet
from sendwright.renewal import Known
from sendwright.report.progress import Progress
from sendwright.stack import Stack
from sendwright.state.folder import StateFolder

URL = "https://acme.example/dir"
MX1 = "mx1.example.com"
POLICY = "mta-sts.example.com"


@dataclass
class Authority:
    """Issues what it is asked for, for ninety days; ``fails``: instead, at the order of that certificate's number.

    ``hidden``: names whose answers cannot be shown to it.
    """

    fails: dict[int, SendwrightError] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    asked: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    suggested: datetime | None = None
    url: str = URL
    life: timedelta = timedelta(days=90)

    def issue(
        self,
        host: str,
        number: int,
        names: Sequence[str],
        key_pem: bytes,
        prove: Prove,
        kind_of: Callable[[str], str],
        /,
    ) -> str:
        """Sign it with a key that nobody else has."""
        del host, prove
        assert {kind_of(name) for name in names} == {"dns-01"}
        self.asked.append((number, tuple(names)))
        if number in self.fails:
            raise self.fails[number]
        if hidden := self.hidden & {*names}:
            raise NotShown(hidden, ServerUnreachable("example.com", "ns2 does not have it yet."))
        now = datetime.now(UTC).replace(microsecond=0)
        key: Any = serialization.load_pem_private_key(key_pem, None)
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority")])
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(len(self.asked))
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + self.life)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=True)
            .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def window(self, host: str, chain: str, /) -> datetime | None:
        """Return what was set."""
        del host, chain
        return self.suggested


@dataclass
class Dns:
    """Knows what it was told of hosts."""

    known: Known = field(default_factory=Known)
    internet: Internet = INTERNET

    def tlsa_known(self, host: str, /) -> Known:
        """Return the same for each host."""
        assert host == MX1
        return self.known


@pytest.fixture
def site(tmp_path: Path) -> "Site":
    """Return a host in acme mode that has begun with a self-signed certificate."""
    return Site.new(tmp_path)


@dataclass
class Site:
    """An inventory, its state folder, and what answers."""

    declared: Inventory
    folder: StateFolder
    authority: Authority = field(default_factory=Authority)
    dns: Dns = field(default_factory=Dns)
    begun: list[None] = field(default_factory=list)

    @classmethod
    def new(cls, path: Path, **tls: str) -> "Site":
        """Return one; ``tls``: further settings of the host's."""
        egress = [{"public": "203.0.113.10"}]
        host = {"name": MX1, "ssh": {"hostname": MX1}, "egress": egress, "tls": {"mode": "acme", **tls}}
        stack = Stack.model_validate(
            {
                "hosts": [host],
                "domains": [{"name": "example.com", "dns": "main"}],
                "dns": {
                    "main": {
                        "provider": "rfc2136",
                        "server": "192.0.2.53",
                        "tsig": {"name": "any", "secret": {"env": "ANY"}},
                    }
                },
                "acme": {"directory": URL},
                "key_store": {"unencrypted": "I know that anybody who reads this folder can sign as us"},
            }
        )
        declared = Inventory(stack=stack, folder=path, state_dir=path / "state")
        found = cls(declared, StateFolder.of(declared))
        issuing.renew_certificate(stack.hosts[0], found.folder, path, datetime.now(UTC))
        return found

    def run(self, asked: Asked = NOTHING) -> Certifier:
        """Obtain what is lacking."""
        certifier = Certifier(
            *(self.declared, self.folder, self.dns, Progress(held=True), self.authority),
            *(lambda _: nullcontext(), asked, lambda: self.begun.append(None)),
        )
        certifier.obtain([MX1])
        return certifier

    @property
    def spki(self) -> str:
        """The digest of the key that the host has by now."""
        certificate = self.folder.load().certificate_of(MX1)
        assert certificate is not None
        return tlsa.spki_of_chain(certificate.chain)

    @property
    def mode(self) -> str:
        """How its certificate was got."""
        certificate = self.folder.load().certificate_of(MX1)
        assert certificate is not None
        return certificate.mode

    def tell(self, *, fresh: timedelta, served: bool = True) -> str:
        """Make the next key, and let senders know of both: from when on it may be used; return its digest."""
        host = self.declared.stack.hosts[0]
        coming = issuing.make_next(host, self.folder, datetime.now(UTC))
        self.folder.save_next_key(replace(coming, fresh_at=datetime.now(UTC) + fresh), None)
        behind = "" if served else "ns2.example.net does not have it yet"
        self.dns.known = Known(
            told=True, served=frozenset({self.spki, *([coming.spki] if served else [])}), behind=behind
        )
        return coming.spki


def test_the_first_certificate_of_the_authority_has_the_key_that_the_host_began_with(site: Site) -> None:
    """So TLSA records hold for both, and it names the host and its policies."""
    before = site.spki

    done = site.run()

    assert (site.spki, site.mode) == (before, "acme")
    assert site.authority.asked == [(0, (MX1, POLICY))]
    assert [(each.what, each.number) for each in done.done] == [("issued", 0)]
    assert done.errors == []


def test_a_second_time_orders_nothing_and_writes_nothing(site: Site) -> None:
    """It is not due."""
    site.run()
    site.begun.clear()

    done = site.run()

    assert len(site.authority.asked) == 1
    assert [each.what for each in done.done] == ["kept"]
    assert site.begun == []


def test_a_certificate_near_its_end_is_renewed_with_its_key(site: Site) -> None:
    """A third of its own life is left: two days of six."""
    site.authority.life = timedelta(seconds=1)
    site.run()
    before = site.spki
    site.authority.life = timedelta(days=6)

    done = site.run()

    assert [each.what for each in done.done] == ["renewed"]
    assert site.spki == before


def test_what_the_authority_suggests_is_followed_where_somebody_wants_to_hear_it(site: Site) -> None:
    """RFC 9773: before a mass revocation it suggests an earlier time."""
    site.run()
    site.authority.suggested = datetime.now(UTC) - timedelta(minutes=1)

    assert [each.what for each in site.run().done] == ["kept"]
    assert [each.what for each in site.run(Asked(suggestions=True)).done] == ["renewed"]


@pytest.mark.parametrize(
    "error", [AuthorityRefused(MX1, "it refused the order."), AuthorityUnreachable(MX1, "it does not answer.")]
)
def test_a_certificate_that_cannot_be_had_leaves_the_one_that_there_is(site: Site, error: SendwrightError) -> None:
    """And is said."""
    site.authority.fails = {0: error}
    before = site.spki

    done = site.run()

    assert done.errors == [error]
    assert (site.spki, site.mode) == (before, "self-signed")


def test_a_host_gets_its_certificate_without_the_names_that_cannot_be_proven(site: Site) -> None:
    """Each is said, and ordered again by the next run, which leaves the certificate alone where it fails again."""
    site.authority.hidden = frozenset({POLICY})

    first, second = site.run(), site.run()
    site.authority.hidden = frozenset()
    third = site.run()

    assert site.authority.asked == [(0, (MX1, POLICY)), (0, (MX1,)), (0, (MX1, POLICY)), (0, (MX1, POLICY))]
    assert [[each.what for each in run.done] for run in (first, second, third)] == [["issued"], [], ["renewed"]]
    assert [str(error) for error in (*first.errors, *second.errors)] == [
        f"{POLICY}: zone example.com: ns2 does not have it yet."
    ] * 2
    assert third.errors == []


def test_a_name_is_lost_only_when_the_certificate_would_be_otherwise(site: Site) -> None:
    """While there is time its servers may be mended; near the end all other names go on without it."""
    site.authority.life = timedelta(minutes=19)  # of 79: the renewal has begun, half of its time is left
    site.run()
    site.authority.hidden = frozenset({POLICY})

    early = site.run()
    site.authority.hidden, site.authority.life = frozenset(), timedelta(seconds=30)
    site.run(Asked(force=True))
    site.authority.hidden = frozenset({POLICY})
    late = site.run()

    assert (len(early.errors), early.done) == (1, [])
    assert (len(late.errors), [each.what for each in late.done]) == (1, ["renewed"])
    assert site.authority.asked[-2:] == [(0, (MX1, POLICY)), (0, (MX1,))]


def test_a_host_s_own_name_is_never_left_out(site: Site) -> None:
    """Mail is taken by it."""
    site.authority.hidden = frozenset({MX1})

    done = site.run()

    assert (len(done.errors), done.done, site.mode) == (1, [], "self-signed")


def test_another_key_is_used_once_senders_know_it(site: Site) -> None:
    """And the one after it is made in the same breath."""
    site.run()
    coming = site.tell(fresh=-timedelta(seconds=1))

    done = site.run(Asked(new_key=True))

    assert site.spki == coming
    assert [each.what for each in done.done] == ["new key"]
    after = site.folder.load().next_of(MX1)
    assert after is not None
    assert after.spki != coming


@pytest.mark.parametrize(
    ("fresh", "served", "words"),
    [
        (timedelta(minutes=5), True, "caches may hold TLSA records without its next key until"),
        (-timedelta(minutes=5), False, "ns2.example.net does not have it yet"),
    ],
)
def test_another_key_waits_until_every_sender_knows_it(
    site: Site, fresh: timedelta, words: str, *, served: bool
) -> None:
    """Nothing is ordered, the old one stays, and the run says what it waits for."""
    site.run()
    before = site.spki
    site.tell(fresh=fresh, served=served)

    done = site.run(Asked(new_key=True))

    assert site.spki == before
    assert len(site.authority.asked) == 1
    assert words in done.waiting[0]
    assert done.errors == []
    # The last word about a certificate is what the run goes by: it stays for this one.
    assert [(one.what, one.until is not None) for one in done.done if one.number == 0] == [("waiting", served)]


def test_an_authority_that_refuses_in_the_middle_of_a_key_change_changes_no_key(site: Site) -> None:
    """The next key stays the next one."""
    site.run()
    before, coming = site.spki, site.tell(fresh=-timedelta(seconds=1))
    site.authority.fails = {0: AuthorityRefused(MX1, "it refused the order.")}

    done = site.run(Asked(new_key=True))

    assert done.errors
    kept = site.folder.load().next_of(MX1)
    assert kept is not None
    assert (site.spki, kept.spki) == (before, coming)


def test_a_certificate_does_not_end_because_its_other_key_cannot_be_had(site: Site) -> None:
    """A customer's zone that stays broken keeps the key from changing, and nothing else."""
    site.authority.life = timedelta(seconds=30)
    site.run()
    before = site.spki
    site.tell(fresh=-timedelta(seconds=1))
    site.authority.hidden, site.authority.life = frozenset({POLICY}), timedelta(days=90)

    done = site.run(Asked(new_key=True))

    assert site.spki == before
    assert [each.what for each in done.done] == ["renewed"]
    assert POLICY in str(done.errors[0])


def test_another_key_that_cannot_be_had_orders_nothing_that_is_not_due(site: Site) -> None:
    """Authorities count."""
    site.run()
    site.tell(fresh=-timedelta(seconds=1))
    site.authority.fails = {0: AuthorityRefused(MX1, "it refused the order.")}

    done = site.run(Asked(new_key=True))

    assert (len(site.authority.asked), len(done.errors)) == (2, 1)
    assert [each.what for each in done.done] == ["kept"]


def test_a_host_that_wants_rsa_gets_another_key(site: Site) -> None:
    """Nobody was told of any: at once."""
    site.run()
    host = site.declared.stack.hosts[0]
    rsa = host.model_copy(update={"tls": host.tls.model_copy(update={"key": "rsa"})})
    site.declared = replace(site.declared, stack=site.declared.stack.model_copy(update={"hosts": (rsa,)}))

    site.run()

    certificate = site.folder.load().certificate_of(MX1)
    assert certificate is not None
    assert certs.kind_of(certificate.chain) == "rsa"


def test_a_plan_says_what_will_be_ordered_and_why(site: Site) -> None:
    """Without asking anybody."""
    stack, host = site.declared.stack, site.declared.stack.hosts[0]

    assert list(pending(stack, site.folder.load(), host, URL, datetime.now(UTC), told=False)) == [
        (0, "there is none of the authority's yet")
    ]
    site.run()
    assert list(pending(stack, site.folder.load(), host, URL, datetime.now(UTC), told=False)) == []

"""Debian's Pebble takes our orders, and refuses those that it has to, in sentences that a person can act on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from sendwright import certs
from sendwright.acme.authority import Authority
from sendwright.acme.limits import Patience
from sendwright.acme.proof import Challenge, Prove
from sendwright.errors import AuthorityRefused, AuthorityUnreachable
from sendwright.lab import Lab, LabSpec
from sendwright.stack import AcmeAuthority, KeyStore
from sendwright.state.folder import StateFolder
from tests.lab.acme import pebble
from tests.lab.acme.pebble import BLOCKED, HMAC, KID, LIFE, Pebble

pytestmark = pytest.mark.lab

HOST = "mx1.example.com"
NAMES = (HOST, "mta-sts.example.com", "mta-sts.example.org")
UNENCRYPTED = KeyStore(unencrypted="I know that anybody who reads this folder can sign as us")
PATIENCE = Patience(silence=5, request=10, proof=60, issuance=60)


@dataclass(frozen=True)
class Customer:
    """Somebody with a state folder. ``said``: the lines of progress."""

    pebble: Pebble
    place: Path
    said: list[str]

    def authority(self, **settings: object) -> Authority:
        """Return the authority as a run that begins now sees it."""
        given = {
            "directory": self.pebble.directory,
            "trust": str(self.pebble.trust),
            "external_account": {"kid": KID, "hmac": {"file": "hmac"}},
            **settings,
        }
        folder = StateFolder(self.place / "state", UNENCRYPTED)
        return Authority(AcmeAuthority.model_validate(given), self.place, folder, self.said.append, PATIENCE)

    def issue(
        self,
        names: tuple[str, ...] = NAMES,
        key: bytes | None = None,
        prove: Prove | None = None,
        kind_of: Callable[[str], str] = lambda _: "dns-01",
    ) -> str:
        """Have one certificate issued in a run of its own, at the controller's place."""
        key = key or certs.new_key("ecdsa")
        with self.pebble.lab.inside():
            chain = self.authority().issue(HOST, 0, names, key, prove or self.pebble.prove, kind_of)
        # As whoever keeps a certificate does.
        StateFolder(self.place / "state", UNENCRYPTED).forget_order(HOST, 0)
        return chain


@pytest.fixture(scope="module")
def authority(lab_machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:  # noqa: ARG001
    """Pebble in a lab without hosts."""
    lab = Lab.up(LabSpec(f"acme-{os.getpid()}"), print)
    try:
        yield pebble.start(lab, tmp_path_factory.mktemp("pebble"))
    finally:
        lab.down()


@pytest.fixture
def customer(authority: Pebble, tmp_path: Path) -> Customer:
    """A customer whom it knows, and who has no account yet."""
    (tmp_path / "hmac").write_text(HMAC)
    return Customer(authority, tmp_path, [])


@contextmanager
def _nothing(_: tuple[Challenge, ...]) -> Iterator[None]:
    yield


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_a_certificate_of_many_names_comes_by_either_challenge(customer: Customer, kind: str) -> None:
    """Its chain leads to the authority's root, and a second order needs no second account; a third of nonces is bad."""
    key = certs.new_key("rsa" if kind == "rsa" else "ecdsa")

    def kind_of(name: str) -> str:
        return "http-01" if name == HOST else "dns-01"

    chains = [customer.issue(key=key, kind_of=kind_of) for _ in range(2)]

    assert chains[0] != chains[1]
    assert sum("opening an account" in line for line in customer.said) == 1
    root = x509.load_pem_x509_certificate(customer.pebble.root().encode())
    for chain in chains:
        leaf, issuer = x509.load_pem_x509_certificates(chain.encode())
        leaf.verify_directly_issued_by(issuer)
        issuer.verify_directly_issued_by(root)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert set(names.get_values_for_type(x509.DNSName)) == set(NAMES)
        assert abs(leaf.not_valid_after_utc - leaf.not_valid_before_utc - LIFE).total_seconds() < 60
        assert certs.kind_of(chain) == kind


def test_a_hundred_names_fit_in_one_certificate(customer: Customer) -> None:
    """As many as the one of a host holds."""
    names = tuple(f"mta-sts.d{number}.example" for number in range(100))

    leaf = x509.load_pem_x509_certificate(customer.issue(names).encode())

    alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert len(alternative.get_values_for_type(x509.DNSName)) == 100


_RUN = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from tests.lab.acme.pebble import Pebble
from tests.lab.acme.test_pebble import Customer
from sendwright.lab import Lab

lab, trust, place, moment = sys.argv[1:]
pebble = Pebble(Lab.load(lab), Path(trust))

def die():
    os.kill(os.getpid(), signal.SIGKILL)

@contextmanager
def prove(challenges):
    if moment == "ordered":
        die()
    with pebble.prove(challenges):
        yield
    if moment == "proven":
        die()

customer = Customer(pebble, Path(place), [])
customer.issue(key=(Path(place) / "key.pem").read_bytes(), prove=prove)
"""


@pytest.mark.parametrize("moment", ["ordered", "proven"])
def test_an_order_outlives_the_process_that_began_it(customer: Customer, moment: str) -> None:
    """Killed between order and proof, and between proof and finalization: there the next run proves nothing at all."""
    key = certs.new_key("ecdsa")
    (customer.place / "key.pem").write_bytes(key)
    lab, trust = customer.pebble.lab.name, customer.pebble.trust
    command = [sys.executable, "-c", _RUN, lab, str(trust), str(customer.place), moment]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    shown: list[Challenge] = []

    @contextmanager
    def prove(challenges: tuple[Challenge, ...]) -> Iterator[None]:
        shown.extend(challenges)
        with customer.pebble.prove(challenges):
            yield

    assert customer.issue(key=key, prove=prove)

    assert f"{HOST}: going on with the order that an earlier run began" in customer.said
    assert not any("ordering" in line for line in customer.said)
    assert len(shown) == (len(NAMES) if moment == "ordered" else 0)


def test_an_authority_that_forgot_everything_gets_the_same_key_again(customer: Customer) -> None:
    """Pebble does each time it starts; while it is away, that is said."""
    customer.issue()
    kept = sorted((customer.place / "state/accounts").glob("*.key"))

    customer.pebble.stop()
    try:
        with pytest.raises(AuthorityUnreachable, match="cannot be reached: Connection refused"):
            customer.issue()
    finally:
        customer.pebble.start()

    assert customer.issue()
    assert sorted((customer.place / "state/accounts").glob("*.key")) == kept


def test_an_authority_that_hangs_is_given_up(customer: Customer) -> None:
    """In less time than a person has patience."""
    began = time.monotonic()

    with customer.pebble.frozen(), pytest.raises(AuthorityUnreachable, match="gives no answer in time"):
        customer.issue()

    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("kind", "words"),
    [("dns-01", "No TXT records found.*_acme-challenge"), ("http-01", ".*did not match this challenge.*port 80")],
)
def test_a_name_that_is_not_believed_is_told_in_the_authoritys_words(customer: Customer, kind: str, words: str) -> None:
    """And where to look."""
    with pytest.raises(AuthorityRefused, match=f"does not accept the proof .{kind}. for {HOST}; it says: {words}"):
        customer.issue((HOST,), prove=_nothing, kind_of=lambda _: kind)


def test_a_name_that_it_never_issues_for_is_told(customer: Customer) -> None:
    """With what a person can do."""
    with pytest.raises(AuthorityRefused, match=f"forbidden by policy.*{BLOCKED}.*take it out of the inventory"):
        customer.issue((HOST, BLOCKED))


@pytest.mark.parametrize(
    ("external", "words"),
    [
        (None, "only for customers of its own"),
        ({"kid": "customer-8", "hmac": {"file": "hmac"}}, "key that is not known"),
        ({"kid": KID, "hmac": {"file": "other"}}, "verification error"),
    ],
)
def test_a_stranger_is_told_what_it_takes(customer: Customer, external: object, words: str) -> None:
    """External account binding, which some authorities want (RFC 8555 section 7.3.4); the key itself is never told."""
    (customer.place / "other").write_text(HMAC[::-1])
    authority = customer.authority(external_account=external)

    with (
        customer.pebble.lab.inside(),
        pytest.raises(AuthorityRefused, match=f"{words}.*acme › external_account") as refused,
    ):
        authority.issue(HOST, 0, NAMES, certs.new_key("ecdsa"), customer.pebble.prove, lambda _: "dns-01")

    assert HMAC[::-1] not in str(refused.value)


def test_a_contact_may_change(customer: Customer) -> None:
    """Its account stays."""
    for number, contact in enumerate((["mailto:tls@example.com"], ["mailto:other@example.com"], [])):
        with customer.pebble.lab.inside():
            authority = customer.authority(contact=contact)
            assert authority.issue(
                HOST, number, (HOST,), certs.new_key("ecdsa"), customer.pebble.prove, lambda _: "dns-01"
            )
    assert sum("opening an account" in line for line in customer.said) == 1

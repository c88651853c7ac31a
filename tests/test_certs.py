"""TLS certificates: what clients and receivers will accept, judged by OpenSSL and by cryptography's verifier."""

import base64
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import DNSName
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendwright import certfile, certs, tlsa
from sendwright.errors import AuthorityError, SecretError, StateError, UsageError
from sendwright.service import Sealed
from sendwright.stack import CertificateFile, Egress, Host, Ssh
from sendwright.state.model import Certificate
from tests import foreign

NOW = datetime(2026, 11, 21, 12, 0, 0, 987654, tzinfo=UTC)
AUTHORITY = certs.new_authority(NOW)


def host(tls: dict[str, Any] | None = None, name: str = "mx1.example.com") -> Host:
    """Return a host that declares these TLS settings."""
    egress = (Egress.model_validate({"public": "203.0.113.10"}),)
    return Host.model_validate(
        {"name": name, "ssh": Ssh(hostname=name), "egress": egress, "tls": tls or {"mode": "self-signed"}}
    )


INTERNAL = host({"mode": "internal-ca"})


def leaf(certificate: Certificate) -> x509.Certificate:
    """Return the parsed leaf."""
    return x509.load_pem_x509_certificate(certificate.chain.encode())


def test_a_self_signed_certificate_says_what_it_is_for() -> None:
    """SAN, key usage, extended key usage, constraints and lifetime (RFC 5280 section 4.2)."""
    made, pem = certs.issue(host(), NOW)

    found = leaf(made)
    extensions = found.extensions
    assert extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(DNSName) == [
        "mx1.example.com"
    ]
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert [*extensions.get_extension_for_class(x509.ExtendedKeyUsage).value] == [x509.OID_SERVER_AUTH]
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    assert made.not_before == NOW.replace(microsecond=0) - timedelta(hours=1)
    assert made.not_after == NOW.replace(microsecond=0) + timedelta(days=365)
    assert isinstance(found.public_key(), ec.EllipticCurvePublicKey)
    assert serialization.load_pem_private_key(pem, None).public_key() == found.public_key()
    found.verify_directly_issued_by(found)


def test_a_strict_client_accepts_what_the_internal_authority_signs() -> None:
    """cryptography's verifier builds the chain as web clients do."""
    made, _ = certs.issue(INTERNAL, NOW, AUTHORITY)
    store = Store([x509.load_pem_x509_certificate(AUTHORITY.certificate.encode())])
    verifier = PolicyBuilder().store(store).time(NOW).build_server_verifier(DNSName("mx1.example.com"))

    assert len(verifier.verify(leaf(made), [])) == 2

    other = PolicyBuilder().store(store).time(NOW).build_server_verifier(DNSName("mx2.example.com"))
    with pytest.raises(VerificationError):
        other.verify(leaf(made), [])


@pytest.mark.parametrize("mode", ["self-signed", "internal-ca"])
def test_openssl_accepts_it_strictly(tmp_path: Path, mode: str) -> None:
    """Postfix, Dovecot and the mail programs that people use verify through OpenSSL."""
    made, _ = certs.issue(host({"mode": mode}), NOW, AUTHORITY)
    (tmp_path / "leaf.pem").write_text(made.chain)
    (tmp_path / "trusted.pem").write_text(AUTHORITY.certificate if mode == "internal-ca" else made.chain)
    command = ["openssl", "verify", "-attime", str(int(NOW.timestamp())), "-purpose", "sslserver"]
    command += ["-verify_hostname", "mx1.example.com", "-CAfile", "trusted.pem"]
    # A self-signed leaf is no authority, which -x509_strict asks of every issuer: RFC 5280 has no such certificates.
    command += ["-x509_strict"] if mode == "internal-ca" else []

    done = subprocess.run([*command, "leaf.pem"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout == "leaf.pem: OK\n", done.stderr


def test_the_authority_signs_hosts_and_nothing_below_them() -> None:
    """Path length 0: a stolen host key makes no further certificates."""
    found = x509.load_pem_x509_certificate(AUTHORITY.certificate.encode())

    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = found.extensions.get_extension_for_class(x509.KeyUsage)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    assert found.not_valid_after_utc - found.not_valid_before_utc == timedelta(days=3650, hours=1)


def test_no_certificate_outlives_its_authority() -> None:
    """A chain is valid as long as its shortest part; the leaf should say so itself."""
    late = NOW + timedelta(days=3649)

    made, _ = certs.issue(INTERNAL, late, AUTHORITY)

    assert made.not_after <= x509.load_pem_x509_certificate(AUTHORITY.certificate.encode()).not_valid_after_utc


def test_an_opened_authority_shows_no_key() -> None:
    """Its repr may end up in a log."""
    assert AUTHORITY.key_pem.splitlines()[1].decode() not in repr(AUTHORITY)


def test_a_renewal_can_keep_its_key() -> None:
    """TLSA 3 1 1 records stay true across renewals."""
    first, pem = certs.issue(host(), NOW)

    second, same = certs.issue(host(), NOW + timedelta(days=300), existing_key=pem)

    assert same == pem
    assert second.key == first.key
    assert leaf(second).serial_number != leaf(first).serial_number


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_a_key_of_either_kind_is_kept(kind: str) -> None:
    """Which kind is declared is a matter for the next key: senders may know this one."""
    other = certs.new_key(kind)

    made, pem = certs.issue(host(), NOW, existing_key=other)

    assert pem == other
    assert certs.kind_of(made.chain) == certs.kind_of(pem) == kind
    leaf(made).verify_directly_issued_by(leaf(made))


def test_a_key_of_no_kind_of_ours_is_not_kept() -> None:
    """A host that leaves ``file`` mode may have had an Ed25519 key, which receivers do not take."""
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

    made, _ = certs.issue(host(), NOW, existing_key=other)

    assert certs.kind_of(other) == "other"
    assert certs.kind_of(made.chain) == "ecdsa"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 825), st.integers(0, 900 * 86400))
def test_a_certificate_is_due_when_less_than_a_third_of_its_life_is_left(days: int, seconds: int) -> None:
    """Early enough for three tries, never while it is young, and never "due" on the day it was made."""
    declared = host({"mode": "self-signed", "days": days})
    made, _ = certs.issue(declared, NOW)
    when = NOW + timedelta(seconds=seconds)

    reason = certs.due(made, declared, when)

    life = made.not_after - made.not_before
    assert (reason is not None) == (made.not_after - when < life / 3)
    assert certs.due(made, declared, NOW) is None


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (host({"mode": "internal-ca"}), "the inventory says internal-ca, it is self-signed"),
        (host(name="mx2.example.com"), "does not name mx2.example.com"),
    ],
)
def test_a_certificate_is_due_when_the_inventory_says_something_else(declared: Host, words: str) -> None:
    """Mode and name are compared, not only dates."""
    made, _ = certs.issue(host(), NOW)

    assert words in (certs.due(made, declared, NOW) or "")
    assert certs.due(None, declared, NOW) == "there is none yet"


def test_a_new_authority_makes_every_certificate_of_the_old_one_due() -> None:
    """Clients trust the one that is there now."""
    made, _ = certs.issue(INTERNAL, NOW, AUTHORITY)

    assert certs.due(made, INTERNAL, NOW, AUTHORITY.certificate) is None
    assert certs.due(made, INTERNAL, NOW, certs.new_authority(NOW).certificate) == "it is from another authority"
    assert certs.authority_due(AUTHORITY.certificate, NOW) is None
    assert certs.authority_due(AUTHORITY.certificate, NOW + timedelta(days=2500)) is not None
    assert certs.authority_due(None, NOW) is not None


def test_a_damaged_certificate_is_due_and_no_traceback() -> None:
    """The state folder travels through git; whatever arrives there is mended by issuing again."""
    made, _ = certs.issue(INTERNAL, NOW, AUTHORITY)
    damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

    assert certs.due(replace(made, chain=damaged), INTERNAL, NOW) is not None
    assert certs.due(made, INTERNAL, NOW, damaged) == "it is from another authority"
    assert certs.authority_due(damaged, NOW) == "it is damaged"


def test_a_host_name_longer_than_a_common_name_gets_a_certificate() -> None:
    """A common name holds 64 characters, a host name 253."""
    name = ".".join(["a" * 50] * 4 + ["example"])

    made, _ = certs.issue(host(name=name), NOW)

    assert certs.due(made, host(name=name), NOW) is None


def written(folder: Path, names: list[str], *, kind: str = "ec", days: int = 30) -> Host:
    """Write a chain and key as somebody else's tool would, and return the host that declares them."""
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "made elsewhere")])
    alternative = x509.SubjectAlternativeName([DNSName(text) for text in names])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    traditional = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (folder / "chain.pem").write_bytes(b"# from elsewhere\n" + made.public_bytes(serialization.Encoding.PEM) * 2)
    (folder / "key.pem").write_bytes(traditional)
    return host({"mode": "file", "certificate": "chain.pem", "key": {"file": "key.pem"}})


@pytest.mark.parametrize("names", [["mx1.example.com"], ["*.example.com"], ["other.example.com", "MX1.example.com"]])
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_chain_and_key_from_files_are_taken_in_one_form(tmp_path: Path, names: list[str], kind: str) -> None:
    """Whatever wrote them, hosts get the chain in PEM and the key in PKCS#8."""
    declared = written(tmp_path, names, kind=kind)

    made, pem = certs.issue(declared, NOW, base=tmp_path)

    assert made.mode == "file"
    assert made.chain.startswith("-----BEGIN CERTIFICATE-----\n")
    assert made.chain.count("BEGIN") == 2
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert isinstance(declared.tls, CertificateFile)
    assert certs.due(made, declared, NOW, declared_chain=certfile.read_chain("mx1", declared.tls, tmp_path)) is None


@pytest.mark.parametrize("names", [["mx2.example.com"], ["*.mx1.example.com"], ["*.com"], ["example.com"]])
def test_a_file_that_does_not_name_the_host_is_refused(tmp_path: Path, names: list[str]) -> None:
    """A wildcard stands for one whole label (RFC 6125 section 6.4.3)."""
    with pytest.raises(UsageError, match="does not name this host"):
        certs.issue(written(tmp_path, names), NOW, base=tmp_path)


def test_files_that_do_not_fit_are_refused_in_a_sentence(tmp_path: Path) -> None:
    """Expired, not a pair, no certificate, no key, no file: each is said before anything is tried."""
    names = ["mx1.example.com"]
    with pytest.raises(UsageError, match="not now"):
        certs.issue(written(tmp_path, names, days=-1), NOW, base=tmp_path)

    declared = written(tmp_path, names)
    before = (tmp_path / "key.pem").read_bytes()
    written(tmp_path, names)
    (tmp_path / "key.pem").write_bytes(before)
    with pytest.raises(UsageError, match="is not the certificate of the declared key"):
        certs.issue(declared, NOW, base=tmp_path)

    (tmp_path / "key.pem").write_bytes(before[:100])
    with pytest.raises(UsageError, match="no unencrypted private key") as refused:
        certs.issue(declared, NOW, base=tmp_path)
    assert before[40:90].decode() not in str(refused.value)

    (tmp_path / "chain.pem").write_text("nothing\n")
    with pytest.raises(UsageError, match="no certificate in PEM"):
        certs.issue(declared, NOW, base=tmp_path)

    (tmp_path / "chain.pem").unlink()
    with pytest.raises(SecretError, match="there is no file"):
        certs.issue(declared, NOW, base=tmp_path)


def test_another_file_makes_a_certificate_due(tmp_path: Path) -> None:
    """Somebody else renewed it: that is the only reason in file mode."""
    declared = written(tmp_path, ["mx1.example.com"])
    made, _ = certs.issue(declared, NOW, base=tmp_path)
    written(tmp_path, ["mx1.example.com"])
    assert isinstance(declared.tls, CertificateFile)

    now_there = certfile.read_chain("mx1.example.com", declared.tls, tmp_path)

    assert certs.due(made, declared, NOW, declared_chain=now_there) == "the declared file holds another one"
    assert certs.due(made, declared, NOW + timedelta(days=29)) is None


MX1, POLICY = "mx1.example.com", "mta-sts.example.com"
KEY = certs.new_key("ecdsa")
SEALED = Sealed("tls/x.key", "0" * 64)


def taken(chain: str, names: tuple[str, ...] = (MX1,)) -> Certificate:
    """Take a chain for KEY."""
    return certs.from_chain(MX1, chain, SEALED, tlsa.spki_of_key(KEY), names, number=2, issuer="https://acme.example/")


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_a_request_says_the_names_in_the_san_alone(tmp_path: Path, kind: str) -> None:
    """OpenSSL reads key and request, as certbot on hosts and authorities do; the signature is the key's own."""
    key = certs.new_key(kind)
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "request.pem").write_bytes(certs.csr(key, [MX1, POLICY]))

    done = subprocess.run(
        ["openssl", "req", "-in", "request.pem", "-noout", "-text", "-verify"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"DNS:{MX1}, DNS:{POLICY}" in done.stdout
    assert {"Subject: ", "Subject:"} & {line.strip(" ") + " " * line.endswith(" ") for line in done.stdout.splitlines()}
    assert "verify OK" in done.stderr
    assert certs.kind_of(key) == certs.kind_of(key.decode()) == kind
    bits = subprocess.run(
        ["openssl", "pkey", "-in", "key.pem", "-noout", "-text"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"ecdsa": "P-256", "rsa": "(2048 bit"}[kind] in bits.stdout


def test_a_chain_from_elsewhere_is_taken_as_pem_and_nothing_else() -> None:
    """Line ends and text around it are as the authority likes; what goes to hosts is not."""
    chain = foreign.signed(KEY, [MX1.upper(), POLICY], NOW)
    decorated = "subject=/CN=x\r\n" + chain.replace("\n", "\r\n") + "\r\nsmtpd_relay_restrictions = permit\n"

    made = taken(decorated, (MX1, POLICY))

    assert made.chain == chain
    assert (made.host, made.mode, made.number, made.issuer) == (MX1, "acme", 2, "https://acme.example/")
    assert made.key == SEALED
    assert made.not_after == NOW.replace(microsecond=0) + timedelta(days=90)
    found = certs.held(made)
    assert found.names == {MX1, POLICY}
    assert (found.spki, found.kind, found.mode) == (tlsa.spki_of_key(KEY), "ecdsa", "acme")
    assert (found.not_before, found.not_after, found.issuer) == (made.not_before, made.not_after, made.issuer)


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ("", "is no certificate chain in PEM"),
        ("<html>503</html>", "is no certificate chain in PEM"),
        ("\ud800", "is no certificate chain in PEM"),
        (foreign.signed(certs.new_key("ecdsa"), [MX1], NOW), "is of another key"),
        (foreign.signed(KEY, [POLICY], NOW), f"does not name {MX1}"),
        (foreign.signed(KEY, ["*.example.com"], NOW), f"does not name {MX1}"),
        (foreign.signed(KEY, [], NOW), "names nothing"),
        (foreign.signed(KEY, [MX1], NOW) * 6, "holds 12 certificates"),
        (foreign.signed(KEY, [MX1], NOW) + "x" * 200_000, "is too long"),
    ],
)
def test_a_chain_that_is_not_as_ordered_is_refused_in_a_sentence(chain: str, words: str) -> None:
    """What the host has stays: an authority or a host may hand over anything."""
    with pytest.raises(AuthorityError) as refused:
        taken(chain)

    assert refused.value.what.startswith(f"{MX1}: what came as its certificate {words}")
    assert refused.value.hint == "The one that it has stays."


_GOOD = foreign.signed(KEY, [MX1], NOW)
_DER = x509.load_pem_x509_certificate(_GOOD.encode()).public_bytes(serialization.Encoding.DER)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(_DER) - 1), st.integers(0, 255), st.integers(0, 20))
@example(10, 1, 0)  # a version that no certificate has
def test_no_byte_of_a_certificate_can_make_a_traceback(place: int, byte: int, more: int) -> None:
    """It is taken, or refused in a sentence; what was taken can be judged."""
    changed = _DER[:place] + bytes([byte]) * (1 + more) + _DER[place + 1 + more :]
    text = base64.encodebytes(changed).decode()

    try:
        made = taken(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")
    except AuthorityError:
        return

    assert MX1 in certs.held(made).names


@given(st.text())
def test_no_text_makes_a_traceback_either(text: str) -> None:
    """Nor what stands around a chain."""
    try:
        assert taken(text + _GOOD + text).chain == _GOOD
    except AuthorityError:
        return


def test_a_damaged_certificate_of_ours_is_named() -> None:
    """The state folder travels through git."""
    made, _ = certs.issue(host(), NOW)

    with pytest.raises(StateError, match=r"mx1\.example\.com in the state folder is no certificate"):
        certs.held(replace(made, chain="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))

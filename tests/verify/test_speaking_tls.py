from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from sendwright.errors import UsageError
from sendwright.verify.speaking.conversation import EXPIRED, SELF_SIGNED, Parameters
from sendwright.verify.target import Server as Target
from tests.verify.certificates import Made, made, root
from tests.verify.servers import Server, context
from tests.verify.spoken import HERE, MX1, spoken


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Path]:
    """An authority, and the file by which it is trusted."""
    made_here = root()
    path = tmp_path_factory.mktemp("trust") / "ca.pem"
    path.write_text(made_here.pem)
    return made_here, path


def test_a_good_server_is_asked_everything_in_few_connections(authority: tuple[Made, Path]) -> None:
    """One to talk, one to offer old TLS and three to offer weak TLS; nothing but RCPT ever comes near a message."""
    ca, trust = authority
    server = Server(tls=context(made(MX1, issuer=ca)))

    (talk,) = spoken({25: server}, trust=trust)

    assert (talk.silence, talk.why, talk.tls_failure, talk.unasked) == (None, "", "", "")
    assert str(talk.greeting) == "220 mx1.example.com ESMTP"
    assert talk.named == MX1
    assert "STARTTLS" in talk.before
    assert dict(talk.inside) == {"PIPELINING": ""}
    assert talk.tls is not None
    assert (talk.tls.version, talk.tls.old, talk.tls.trusted, talk.tls.unasked) == ("TLSv1.3", "", "", "")
    assert len(talk.tls.chain) == 2
    assert {a: r.code for a, r in talk.recipients.items()} == {"postmaster@example.com": 250, "abuse@example.com": 250}
    assert {s: r.code for s, r in talk.relay.items()} == {"<>": 554, "<postmaster@example.com>": 554}
    assert server.connections == 5
    assert talk.parameters == Parameters((), 0, static=False, compresses=False, renegotiates=True)
    assert not [command for command in server.heard if command.upper().startswith(("DATA", "BDAT"))]


@pytest.mark.parametrize(
    ("days", "named", "why"),
    [((-100, -1), True, EXPIRED), ((1, 100), True, EXPIRED), ((-10, 80), False, SELF_SIGNED)],
    ids=["ended", "not yet", "self-signed"],
)
def test_a_chain_is_seen_whatever_is_wrong_with_it(
    authority: tuple[Made, Path], days: tuple[int, int], named: bool, why: str
) -> None:
    """Expired and untrusted certificates are shown too, each with its reason."""
    ca, trust = authority
    shown = made(MX1, issuer=ca if named else None, begins=timedelta(days[0]), ends=timedelta(days[1]))

    (talk,) = spoken({25: Server(tls=context(shown))}, trust=trust)

    assert talk.tls is not None
    assert talk.tls.trusted == why
    assert talk.tls.chain == shown.chain


def test_the_systems_authorities_can_be_named_as_openssl_has_them_named(
    authority: tuple[Made, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``SSL_CERT_FILE``: how containers and test benches bring their own."""
    ca, path = authority
    server = Server(tls=context(made(MX1, issuer=ca)))

    (before,) = spoken({25: server})
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    (after,) = spoken({25: server})

    assert before.tls is not None
    assert before.tls.trusted == "its authority is not trusted here"
    assert after.tls is not None
    assert after.tls.trusted == ""


def test_an_issuer_that_was_not_sent_is_missed(authority: tuple[Made, Path]) -> None:
    """Servers that forget the intermediate certificate are the most common mistake of all."""
    ca, trust = authority
    middle = made(issuer=ca, authority=True, common="a middle")
    whole = made(MX1, issuer=middle)

    (good,) = spoken({25: Server(tls=context(whole))}, trust=trust)
    (bad,) = spoken({25: Server(tls=context(Made(whole.certificate, whole.key)))}, trust=trust)

    assert good.tls is not None
    assert good.tls.trusted == ""
    assert bad.tls is not None
    assert bad.tls.trusted == "its issuer is not known"


def test_old_tls_is_found_beside_new() -> None:
    """A server that speaks both is asked for each; one that speaks nothing newer is seen as well."""
    shown = made(MX1)
    both = Server(tls=context(shown, least=SSL.TLS1_VERSION))
    older = Server(tls=context(shown, least=SSL.TLS1_VERSION, most=SSL.TLS1_VERSION))

    (talk,) = spoken({25: both})
    (ancient,) = spoken({25: older}, wanted=frozenset({"tls.protocols"}))

    assert talk.tls is not None
    assert (talk.tls.version, talk.tls.old) == ("TLSv1.3", "TLSv1.1")
    assert ancient.tls is not None
    assert (ancient.tls.version, ancient.tls.old) == ("TLSv1", "TLSv1")
    assert older.connections == 1


def test_submission_speaks_tls_first_on_465_and_later_on_587() -> None:
    """RFC 8314 section 3.3: keywords are seen inside TLS, and outside where there is an outside."""
    tls = context(made(MX1))
    implicit = Server(tls=tls, implicit=True, inside=("AUTH PLAIN",))
    explicit = Server(tls=tls, inside=("AUTH=LOGIN", "AUTH PLAIN"))

    first, second = spoken({465: implicit, 587: explicit}, Target(MX1, HERE, submits=(465, 587)))

    assert (dict(first.before), dict(first.inside)) == ({}, {"AUTH": "PLAIN"})
    assert second.inside["AUTH"] == "LOGIN PLAIN"
    assert first.tls is not None
    assert (first.tls.old, first.tls.unasked) == ("", "")


@pytest.mark.parametrize(
    ("starttls", "why"),
    [("220 Go ahead", "closed|wrong version|no TLS|packet"), ("454 4.7.0 not now", "STARTTLS was answered 454")],
)
def test_without_tls_a_server_is_still_asked_for_recipients(starttls: str, why: str) -> None:
    """STARTTLS that ends in garbage costs its connection; the next one goes without."""
    (talk,) = spoken({25: Server(starttls=starttls)})

    assert talk.tls is None
    assert any(part in talk.tls_failure for part in why.split("|"))
    assert talk.silence is None
    assert len(talk.recipients) == 2


def test_a_server_without_starttls_is_spoken_to_in_the_clear() -> None:
    """Nothing failed: TLS is not offered."""
    (talk,) = spoken({25: Server(before=("8BITMIME",))})

    assert (talk.tls, talk.tls_failure, talk.silence) == (None, "", None)
    assert len(talk.recipients) == 2


def test_weak_keys_are_agreed_to_so_that_they_are_seen() -> None:
    """A client that refuses them would see that TLS fails, and not why."""
    weak = made(MX1, key=rsa.generate_private_key(65537, 1024))  # noqa: S505 - it is what must be found

    (talk,) = spoken({25: Server(tls=context(weak))})

    assert talk.tls is not None
    assert talk.tls.chain == weak.chain


def test_a_trust_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Before any server is spoken to."""
    with pytest.raises(UsageError):
        spoken({25: Server()}, trust=tmp_path / "none.pem")

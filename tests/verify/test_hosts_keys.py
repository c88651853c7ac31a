"""What a host signs with is what DNS serves: keys at rest, and signatures of the running signers."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from sendwright import dkim
from sendwright.deploys.opendkim import instance_paths, key_path
from sendwright.deploys.probe import Signed
from sendwright.signers import host_seen
from sendwright.stack import DkimAlgorithm, Domain
from sendwright.state.model import DkimKey, KeyStage
from sendwright.verify.finding import Finding, Status
from sendwright.verify.inside import check as inside
from sendwright.verify.inside.keys import Signer, author, matches, named, probed, signers_of
from sendwright.verify.look import Answer, Told
from tests.verify.host_world import LATER, MX1, NOW, facts, material, observed, services, stack, state

Judge = Callable[[Signer, Domain, Mapping[str, Answer]], Iterator[Finding]]
SAMPLE = inside.message(NOW)
(RSA, RSA_PEM), (ED, ED_PEM) = material()
DOMAIN: Domain = stack().domains[0]


@cache
def signed(selector: str, algorithm: str, pem: bytes) -> str:
    """Return the value of a DKIM-Signature as a signer would add it."""
    plain = SAMPLE.signed(author(DOMAIN), "x").split(b"\r\n", 1)[1]
    private = pem if algorithm == "rsa" else dkim_ed25519(pem)
    field = dkimpy.sign(
        plain,
        selector.encode(),
        DOMAIN.name.encode(),
        private,
        canonicalize=(b"relaxed", b"relaxed"),
        signature_algorithm=f"{algorithm}-sha256".encode(),
    )
    return str(field.decode().partition(":")[2].strip().replace("\r\n", "\n"))


def dkim_ed25519(pem: bytes) -> bytes:
    """Return an Ed25519 key as dkimpy takes it: the base64 of its seed."""
    private = load_pem_private_key(pem, None)
    return base64.b64encode(private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))


def answers(*keys: DkimKey, **texts: str) -> Mapping[str, Answer]:
    """Return what DNS says of keys; ``texts``: what it says instead at a selector."""
    found = {}
    for key in keys or (RSA, ED):
        text = texts.get(key.selector, dkim.live_text(key))
        told = Told.FOUND if text else Told.NO_NAME
        found[key.record_name] = Answer(key.record_name, "TXT", told, (text,) if text else ())
    return found


def signer(**changes: object) -> Signer:
    """Return what signs on a host that is as it should be."""
    live = {
        "rsa": {author(DOMAIN): Signed("a", (signed(RSA.selector, "rsa", RSA_PEM),))},
        "ed25519": {author(DOMAIN): Signed("a", (signed(ED.selector, "ed25519", ED_PEM),))},
    }
    found = facts()
    whole = Signer(found, host_seen(found.observation, found.services, found.state.keys), live, SAMPLE)
    return replace(whole, **changes)  # type: ignore[arg-type]


def alive(algorithm: str, *values: str, verdict: str = "a") -> Signer:
    """Return signers of which one answers something else."""
    whole = signer()
    return replace(whole, signed={**whole.signed, algorithm: {author(DOMAIN): Signed(verdict, values)}})


def said(judge: Judge, of: Signer, known: Mapping[str, Answer]) -> list[tuple[str, Status, str]]:
    """Return target, status and words of each finding."""
    found = list(judge(of, DOMAIN, known))
    assert len({f.identity for f in found}) == len(found)
    return [(f.target, f.status, f.seen) for f in found]


def failed(judge: Judge, of: Signer, known: Mapping[str, Answer]) -> str:
    """Return the words of the one finding that fails."""
    (seen,) = [seen for _, status, seen in said(judge, of, known) if status is Status.FAIL]
    return seen


def test_keys_that_dns_serves_pass_at_rest_and_in_use() -> None:
    """A finding for each record and host, and for each signer and host."""
    assert [(target, status) for target, status, _ in said(matches, signer(), answers())] == [
        (f"{ED.record_name} @ {MX1}", Status.PASS),
        (f"{RSA.record_name} @ {MX1}", Status.PASS),
    ]
    assert [(target, status) for target, status, _ in said(probed, signer(), answers())] == [
        (f"rsa @ {MX1}", Status.PASS),
        (f"ed25519 @ {MX1}", Status.PASS),
    ]


def test_a_record_is_compared_as_a_key_and_not_as_text() -> None:
    """Other tags, other white space, other order: the same key."""
    known = answers(RSA, ED, **{RSA.selector: f"k=rsa;  p={RSA.public[:40]} {RSA.public[40:]} ; t=s;"})

    assert {status for _, status, _ in said(matches, signer(), known)} == {Status.PASS}
    assert {status for _, status, _ in said(probed, signer(), known)} == {Status.PASS}


def test_a_key_that_dns_does_not_have_fails() -> None:
    """Everything that the host sends fails DKIM."""
    known = answers(RSA, ED, **{RSA.selector: ""})

    assert failed(matches, signer(), known) == "the host signs with this key, and DNS has no record of it"
    assert "does not verify" in failed(probed, signer(), known)


@pytest.mark.parametrize(
    "text", ["v=DKIM1; k=rsa; p=", "v=DKIM1; k=rsa; p=QUJD", "nonsense", "v=DKIM1; h=sha1; p=QQ=="]
)
def test_another_key_in_dns_fails(text: str) -> None:
    """Revoked, replaced, or broken."""
    known = answers(RSA, ED, **{RSA.selector: text})

    assert "DNS has another" in failed(matches, signer(), known)
    assert "does not verify" in failed(probed, signer(), known)


def test_another_private_key_on_the_host_fails_though_its_name_is_right() -> None:
    """Neither tables nor DNS show it: the file's digest does, and so does the signature."""
    _, other = dkim.generate(DOMAIN.name, DkimAlgorithm.ED25519, NOW)
    of = alive("ed25519", signed(ED.selector, "ed25519", other))
    paths = of.facts.observation.paths
    paths = {**paths, key_path(ED): replace(paths[key_path(ED)], sha256="0" * 64)}
    of = replace(of, facts=replace(of.facts, observation=replace(of.facts.observation, paths=paths)))

    assert "holds another private key" in failed(matches, of, answers())
    assert "does not verify" in failed(probed, of, answers())


def test_a_private_key_that_is_gone_from_the_host_fails() -> None:
    """The signer goes on until it loads anew, and then nothing is signed."""
    whole = signer()
    paths = {p: s for p, s in whole.facts.observation.paths.items() if p != key_path(RSA)}
    of = replace(whole, facts=replace(whole.facts, observation=replace(whole.facts.observation, paths=paths)))

    assert "does not lie on the host" in failed(matches, of, answers())


def test_a_signer_that_still_has_an_older_key_loaded_is_judged_by_that_key() -> None:
    """Tables say one thing, the running process another: both keys are compared, and the old one is not in DNS."""
    old, pem = dkim.generate(DOMAIN.name, DkimAlgorithm.ED25519, NOW, taken={ED.selector})
    known_key = replace(old, stage=KeyStage.REVOKED)
    of = alive("ed25519", signed(old.selector, "ed25519", pem))
    of = replace(of, facts=replace(of.facts, state=replace(state(), keys=(*state().keys, known_key))))
    known = {**answers(), **answers(old, **{old.selector: "v=DKIM1; k=ed25519; p="})}

    assert "DNS has another" in failed(matches, of, known)
    assert f"s={old.selector}" in failed(probed, of, known)


def test_a_key_that_nobody_remembers_fails() -> None:
    """The tables on the host were written by somebody else."""
    of = alive("rsa", signed("stranger", "rsa", RSA_PEM))
    key = replace(RSA, selector="stranger")

    assert "does not know" in failed(matches, of, {**answers(), **answers(key)})


def test_dns_that_does_not_answer_is_unknown_once_and_a_bogus_record_fails() -> None:
    """The probe is silent then."""
    silent = {name: Answer(name, "TXT", Told.FAILED, why="timeout") for name in answers()}
    bogus = {name: Answer(name, "TXT", Told.BOGUS, why="signature expired") for name in answers()}

    assert {status for _, status, _ in said(matches, signer(), silent)} == {Status.UNKNOWN}
    assert {status for _, status, _ in said(matches, signer(), bogus)} == {Status.FAIL}
    assert said(probed, signer(), silent) == said(probed, signer(), bogus) == []


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("", "does not answer"), ("t", "refuses"), ("y", "refuses"), ("a", "pass unsigned"), ("c", "pass unsigned")],
)
def test_a_signer_that_does_not_sign_fails(verdict: str, words: str) -> None:
    """Silent, refusing, or letting mail through as it is."""
    assert words in failed(probed, alive("rsa", verdict=verdict), answers())


def test_a_signature_of_another_domain_is_no_signature_of_this_one() -> None:
    """It verifies, and nothing is aligned with it."""
    other = DOMAIN.model_copy(update={"name": "example.net"})
    of = replace(
        signer(), signed={name: {author(other): found[author(DOMAIN)]} for name, found in signer().signed.items()}
    )

    found = list(probed(of, other, answers()))

    assert [f.status for f in found] == [Status.FAIL, Status.FAIL]


def test_tables_that_nobody_can_read_leave_what_the_signature_shows() -> None:
    """Without either, it cannot be told."""
    whole = signer()
    path = instance_paths(DkimAlgorithm.RSA)[2]
    paths = {**whole.facts.observation.paths, path: replace(whole.facts.observation.paths[path], changed=LATER)}
    look = replace(whole.facts.observation, paths=paths)
    unread = replace(whole, seen=host_seen(look, whole.facts.services, state().keys))

    assert unread.seen.signs is None
    assert {status for _, status, _ in said(matches, unread, answers())} == {Status.PASS}
    assert [status for _, status, _ in said(matches, replace(unread, signed={}), answers())] == [Status.UNKNOWN]


def test_a_domain_without_a_proven_key_fails_once() -> None:
    """Its mail waits on the host; that its signers sign nothing is no further news."""
    unproven = replace(state(), keys=tuple(replace(key, proven_on=()) for key in state().keys))
    found = replace(facts(), state=unproven, services=services(unproven), observation=observed(services(unproven)))
    waiting = {name: {author(DOMAIN): Signed("t")} for name in ("rsa", "ed25519")}
    of = Signer(found, host_seen(found.observation, found.services, unproven.keys), waiting, SAMPLE)

    assert said(matches, of, {}) == [(MX1, Status.FAIL, f"{MX1}: no key is proven on this host yet")]
    assert said(probed, of, {}) == []


def test_a_signer_whose_key_waits_for_its_proof_need_not_sign_yet() -> None:
    """An Ed25519 key joins when it is proven; mail leaves by RSA until then."""
    waiting = replace(state(), keys=(RSA, replace(ED, stage=KeyStage.PUBLISHED, proven_on=())))
    found = replace(facts(), state=waiting, services=services(waiting), observation=observed(services(waiting)))
    seen = host_seen(found.observation, found.services, waiting.keys)
    of = replace(alive("ed25519", verdict="a"), facts=found, seen=seen)

    assert [target for target, _, _ in said(matches, of, answers())] == [f"{RSA.record_name} @ {MX1}"]
    assert [(target, status) for target, status, _ in said(probed, of, answers())] == [(f"rsa @ {MX1}", Status.PASS)]


def test_the_sockets_that_are_asked_are_those_that_postfix_asks() -> None:
    """By the algorithms of the host's domains."""
    folder = "/var/spool/postfix/opendkim"

    assert signers_of(stack(), stack().host(MX1)) == {a: f"{folder}/{a}.sock" for a in ("rsa", "ed25519")}


@settings(max_examples=50)
@given(st.lists(st.text(), max_size=3), st.text(max_size=3), st.text())
def test_whatever_a_host_says_it_signed_is_judged_without_a_crash(values: list[str], verdict: str, text: str) -> None:
    """And what is no signature never passes."""
    of = alive("rsa", *values, verdict=verdict)
    known = {
        name: Answer(name, "TXT", Told.FOUND, (text.encode("latin-1", "replace").decode("latin-1"),))
        for name in (*of.records(DOMAIN), *answers())
    }

    for finding in (*matches(of, DOMAIN, known), *probed(of, DOMAIN, known)):
        assert finding.status is not Status.PASS or not finding.target.startswith("rsa @")
    assert all(isinstance(named(value), str) for value in values)

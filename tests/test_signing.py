"""Which key signs what, where: "never unsigned, never unproven" as sentences."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sendwright import signing
from sendwright.stack import DkimAlgorithm, Domain, Host, Stack
from sendwright.state.model import DkimKey, KeyStage

NOW = datetime(2026, 11, 1, tzinfo=UTC)
BOTH = ("mx1.example.com", "mx2.example.com")


def _host(name: str, last: int) -> Host:
    return Host.model_validate({"name": name, "ssh": {"hostname": name}, "egress": [{"public": f"203.0.113.{last}"}]})


def _stack(algorithms: tuple[str, ...] = ("rsa", "ed25519")) -> Stack:
    domain = Domain.model_validate({"name": "example.com", "dns": "main", "dkim": {"algorithms": algorithms}})
    return Stack(hosts=(_host(BOTH[0], 10), _host(BOTH[1], 11)), domains=(domain,))


def _key(
    algorithm: DkimAlgorithm,
    stage: KeyStage = KeyStage.SIGNING,
    proven_on: tuple[str, ...] = BOTH,
    selector: str = "",
    age: int = 1,
) -> DkimKey:
    name = selector or f"{algorithm.value[0]}202611"
    return DkimKey("example.com", name, algorithm, "AAAA", "0" * 64, NOW - timedelta(age), stage, None, proven_on)


RSA, ED = _key(DkimAlgorithm.RSA), _key(DkimAlgorithm.ED25519)
algorithms, stages = st.sampled_from(DkimAlgorithm), st.sampled_from(KeyStage)
places = st.sets(st.sampled_from(BOTH)).map(lambda names: tuple(sorted(names)))
keys = st.lists(
    st.builds(_key, algorithms, stages, places, st.sampled_from(["a1", "a2", "a3", "a4"]), st.integers(0, 3)),
    max_size=6,
)


@given(keys)
def test_an_unproven_key_never_signs(held: list[DkimKey]) -> None:
    """Whatever is remembered: what signs on a host was proven on that very host, and is meant to sign."""
    stack = _stack()

    for host in stack.hosts:
        for key in signing.signing(stack.domains[0], host, held):
            assert host.name in key.proven_on
            assert key.stage is KeyStage.SIGNING


@given(keys)
def test_a_domain_is_live_only_where_an_rsa_key_that_signs_was_proven(held: list[DkimKey]) -> None:
    """Live on a host means: mail leaves with the signature that every receiver can verify."""
    stack = _stack()

    for host in stack.hosts:
        proven = {k.algorithm for k in held if k.stage is KeyStage.SIGNING and host.name in k.proven_on}
        assert bool(signing.live(stack, host, held)) == (DkimAlgorithm.RSA in proven)


def test_one_host_s_proof_says_nothing_about_another() -> None:
    """mx2 may hold the wrong file, or a signer that does not run: only its own probe tells."""
    stack = _stack()
    held = [replace(RSA, proven_on=BOTH[:1]), replace(ED, proven_on=BOTH[:1])]

    assert [bool(signing.live(stack, host, held)) for host in stack.hosts] == [True, False]


def test_an_algorithm_that_is_switched_on_for_a_living_domain_holds_nothing_back() -> None:
    """Until its key is proven, which takes as long as caches remember, RSA signs alone as it did before."""
    stack = _stack()
    new = _key(DkimAlgorithm.ED25519, KeyStage.PUBLISHED, ())

    assert signing.live(stack, stack.hosts[0], [RSA, new]) == stack.domains
    assert signing.signing(stack.domains[0], stack.hosts[0], [RSA, new]) == (RSA,)


def test_ed25519_alone_is_not_enough() -> None:
    """Many receivers verify RSA and nothing else: to them such mail would be unsigned."""
    stack = _stack()

    assert signing.live(stack, stack.hosts[0], [ED]) == ()


def test_an_algorithm_that_is_switched_off_leaves_and_the_domain_stays_live() -> None:
    """Ed25519 switched off: its key is installed nowhere, RSA goes on, submission stays open."""
    stack = _stack(("rsa",))
    domain, host = stack.domains[0], stack.hosts[0]

    assert signing.installed(domain, [RSA, ED]) == (RSA,)
    assert signing.live(stack, host, [RSA, ED]) == (domain,)


def test_an_algorithm_that_is_switched_on_again_signs_with_the_key_it_had() -> None:
    """Its record never left DNS and its proof stands, so nothing has to be waited for."""
    stack = _stack()

    assert signing.signing(stack.domains[0], stack.hosts[0], [ED, RSA]) == (RSA, ED)


def test_of_two_keys_of_a_kind_the_newer_one_signs() -> None:
    """A message carries one signature an algorithm: that of the key which is to stay."""
    stack = _stack()
    newer = _key(DkimAlgorithm.RSA, selector="r202611b", age=0)

    assert signing.signing(stack.domains[0], stack.hosts[0], [newer, RSA, ED])[0] == newer


@given(keys)
def test_revoked_and_removed_keys_lie_on_no_host(held: list[DkimKey]) -> None:
    """A key that was given up is taken off the hosts, so that it cannot sign by mistake."""
    domain = _stack().domains[0]

    gone = {KeyStage.REVOKED, KeyStage.REMOVED}
    assert gone.isdisjoint(k.stage for k in signing.installed(domain, held))

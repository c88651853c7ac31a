"""A renewal touches what shows a certificate, and only where nothing else of that is to be changed."""

from dataclasses import replace

from sendwright import certs, needs
from sendwright.bearers import bearers, chains_alone, in_place, undeclared
from sendwright.deploys.base import TLS, chain_path, key_path, tls_folder
from sendwright.observation import Observation, Stray
from sendwright.state.model import State
from tests.verify.host_world import MX1, NOW, observed, services, stack, state

CERTIFICATE = state().certificates[0]


def rekeyed() -> State:
    """What is remembered once the host's certificate has another key."""
    certificate, _ = certs.issue(stack().host(MX1), NOW)
    return replace(state(), certificates=(certificate,))


def seen(of: State) -> Observation:
    """Look at a host that is as it should be by what is remembered there."""
    folder = tls_folder(of.certificates[0])
    return replace(observed(services(of)), entries=(Stray(folder), Stray(f"{folder}/key.pem")))


def found(of: State, now: Observation) -> tuple[str, ...]:
    """Return what is not as declared."""
    return undeclared(stack(), stack().host(MX1), of, now)


def test_only_services_that_load_a_certificate_are_touched() -> None:
    """The signers and the resolver go on as they are."""
    assert [service.name for service in bearers(services())] == ["postfix"]


def test_a_host_that_is_as_declared_differs_in_nothing() -> None:
    """Whatever its certificate."""
    assert found(state(), seen(state())) == ()


def test_a_host_with_the_key_before_this_one_differs_in_nothing_else() -> None:
    """A run that died after the new key was stored goes on: main.cf there names the folder of the old key."""
    assert found(rekeyed(), seen(state())) == ()


def test_a_file_that_differs_for_another_reason_is_named() -> None:
    """The inventory has changed since the host was provisioned, or somebody edited it: a plan shows that first."""
    now = seen(state())
    path = "/etc/postfix/recipients"
    changed = replace(now, paths={**now.paths, path: replace(now.paths[path], sha256="0" * 64)})

    assert found(state(), changed) == (path,)
    assert found(rekeyed(), changed) == (path,)


def test_a_missing_file_is_named() -> None:
    """It is no certificate's."""
    now = seen(state())
    changed = replace(now, paths={p: s for p, s in now.paths.items() if p != "/etc/postfix/main.cf"})

    assert found(state(), changed) == ("/etc/postfix/main.cf",)


def test_strange_folders_beside_the_keys_are_no_keys() -> None:
    """Their names reach no path."""
    now = replace(seen(state()), entries=(Stray(f"{TLS}/../../x"), Stray(f"{TLS}/" + "a" * 17), Stray(f"{TLS}/a b")))

    assert found(state(), now) == ()


def test_what_else_of_a_host_is_not_as_declared_is_no_failure_of_a_renewal() -> None:
    """From cron it would be told each day after an upgrade, though the certificate is there and nothing is due."""
    now = seen(state())

    def without(path: str) -> Observation:
        return replace(now, paths={p: s for p, s in now.paths.items() if p != path})

    assert in_place(services(), without("/etc/postfix/main.cf"))
    assert not in_place(services(), without(f"{tls_folder(state().certificates[0])}/chain.pem"))


def renewed() -> State:
    """What is remembered once the host's certificate was renewed with its key."""
    old = state().certificates[0]
    return replace(state(), certificates=(replace(old, chain=f"{old.chain}{old.chain}"),))


def test_a_renewed_chain_comes_to_a_host_of_which_something_else_is_not_as_declared() -> None:
    """One file, and a reload: else every upgrade of sendwright would stop renewals until somebody provisions."""
    (postfix,) = chains_alone(services(renewed()), seen(state()))

    assert {file.path for file in postfix.files} == {key_path(CERTIFICATE), chain_path(CERTIFICATE)}
    assert (postfix.name, postfix.units, postfix.packages) == ("postfix", (), ())
    assert needs.load(postfix, seen(state())) is needs.Load.RELOAD


def test_another_key_does_not_come_alone() -> None:
    """The configuration has to name its folder."""
    assert chains_alone(services(rekeyed()), seen(state())) == ()

"""What hosts have renewed by themselves: read back and judged, so that nobody puts the older certificate back."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sendwright import certs, sts, tlsa
from sendwright.connections import Fleet
from sendwright.deploys import renewed
from sendwright.deploys.base import chain_path
from sendwright.errors import AuthorityError
from sendwright.observation import Observation
from sendwright.service import File
from sendwright.ssh import Connection
from sendwright.stack import AcmeTls, Stack
from sendwright.state.model import Certificate, State


def taken_over(stack: Stack, state: State, seen: Mapping[str, Observation], fleet: Fleet) -> tuple[Certificate, ...]:
    """Return the certificates that hosts have renewed since, one more remote command for each of those.

    Arguments: ``seen``: looks at hosts. What is not for the same key and names, or ends earlier, is not taken over: a
    provision puts back what was there.
    """
    changed = [name for name in seen if renews(stack, name) and _differs(state.certificates_of(name), seen[name])]
    chains = fleet.each(changed, _read)
    return tuple(made for name, found in chains.items() for made in newer(stack, state.certificates_of(name), found))


def with_certificates(state: State, renewed_ones: Iterable[Certificate]) -> State:
    """Return the state with certificates in the place of those of their hosts and numbers."""
    taken = {(c.host, c.number): c for c in renewed_ones}
    return replace(state, certificates=tuple(taken.get((c.host, c.number), c) for c in state.certificates))


def renews(stack: Stack, name: str) -> bool:
    """Return whether a host renews its certificates by itself."""
    tls = stack.host(name).tls
    return isinstance(tls, AcmeTls) and tls.renewal == "host"


def _differs(certificates: Iterable[Certificate], seen: Observation) -> bool:
    for certificate in certificates:
        lies = seen.paths.get(chain_path(certificate))
        if lies is not None and lies.sha256 != File(chain_path(certificate), certificate.chain).sha256:
            return True
    return False


def _read(connection: Connection) -> dict[str, str]:
    result = connection.run(renewed.command())
    return renewed.parse(connection.host.name, result.stdout)


def newer(stack: Stack, certificates: Iterable[Certificate], chains: Mapping[str, str]) -> Iterable[Certificate]:
    """Yield what is better of the chains that lie on a host, by their paths, than its remembered certificates.

    It has to have the names of before, but for those that nobody declares any more: a host leaves them out.
    """
    for old in certificates:
        chain = chains.get(chain_path(old))
        if chain is None or chain == old.chain:
            continue
        names = certs.held(old).names.intersection(sts.names(stack, stack.host(old.host)))
        try:
            found = certs.from_chain(
                *(old.host, chain, old.key, tlsa.spki_of_chain(old.chain), names),
                mode=old.mode, number=old.number, issuer=old.issuer,
            )  # fmt: skip
        except AuthorityError:
            continue  # it is no better than what was there, and is put back
        if found.not_after > old.not_after:
            yield found

"""Prove keys by real signatures: each host signs a probe with each, and live DNS has to verify what it signed."""

import secrets
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sendwright.connections import Fleet
from sendwright.deploys.probe import parse_probes, send_probes_command, send_probes_input
from sendwright.errors import HostError
from sendwright.judges import Lookup, signatures
from sendwright.signing import probe_address
from sendwright.ssh import Connection
from sendwright.state.model import DkimKey

# A loaded host takes a while to start its signers, and after that to deliver each probe.
_SECONDS = 30.0
_SECONDS_EACH = 0.5
# For the connection, on top of what the host takes.
_SLACK = 60.0
_LOOKUPS = 16


@dataclass(frozen=True)
class Proofs:
    """What probes showed: the hosts that proved each key, by record name, and an error for each host with others."""

    hosts: Mapping[str, frozenset[str]]
    errors: tuple[HostError, ...] = ()


Signed = Mapping[str, bytes | None]
"""What a host's signer made of each probe, by the record name of its key; None where nothing came."""


def probe(fleet: Fleet, keys: Mapping[str, tuple[DkimKey, ...]], lookup: Lookup) -> Proofs:
    """Have hosts sign probes, one remote command each, and see what verifies.

    Arguments: ``keys``: what each host is to prove, by host name; ``lookup``: answers TXT by live DNS. A host that
    cannot send probes at all is given up.
    """
    signed = fleet.each(keys, lambda connection: _signed(connection, keys[connection.host.name]))
    return judged({name: keys[name] for name in signed}, signed, lookup)


def judged(keys: Mapping[str, tuple[DkimKey, ...]], signed: Mapping[str, Signed], lookup: Lookup) -> Proofs:
    """Say which keys the signed probes prove on which hosts; one key that fails takes nothing from the others.

    Arguments: ``keys`` and ``signed``: by host name; ``lookup`` is asked about each key once, many at the same time.
    """
    delivered = {record for found in signed.values() for record, message in found.items() if message}
    with ThreadPoolExecutor(_LOOKUPS) as pool:
        answers = dict(zip(delivered, pool.map(lookup, delivered), strict=True))
    proofs: dict[str, frozenset[str]] = {}
    errors = []
    for name, wanted in keys.items():
        held = [k.record_name for k in wanted if proves(signed[name].get(k.record_name), k, answers.get)]
        proofs |= {record: proofs.get(record, frozenset()) | {name} for record in held}
        if failed := [k.record_name for k in wanted if k.record_name not in held]:
            errors.append(_unproven(name, failed))
    return Proofs(proofs, tuple(errors))


def proves(message: bytes | None, key: DkimKey, lookup: Lookup) -> bool:
    """Tell whether a message carries a valid signature made with this very key."""
    wanted = (key.domain, key.selector)
    return any(s.valid for s in signatures(message, lookup, wanted)) if message else False


def _signed(connection: Connection, keys: Iterable[DkimKey]) -> dict[str, bytes | None]:
    host = connection.host
    tokens = {secrets.token_hex(16): key for key in keys}
    senders = {token: probe_address(key) for token, key in tokens.items()}
    most = _SECONDS + _SECONDS_EACH * len(tokens)
    order = send_probes_input(host, senders, _SECONDS, most)
    result = connection.run(send_probes_command(), order.encode(), timeout=most + _SLACK)
    if not result.ok:
        raise HostError(host.name, "it could not send probes.", "Look at `journalctl -u 'postfix*'` on it.")
    delivered = parse_probes(host, result.stdout.decode(errors="replace"), senders)
    return {tokens[token].record_name: message for token, message in delivered.items()}


def _unproven(host: str, records: list[str]) -> HostError:
    shown = ", ".join(records[:3]) + (f" and {len(records) - 3} more" if len(records) > 3 else "")
    return HostError(
        host,
        f"a probe signed with its key does not verify through live DNS: {shown}.",
        "No mail leaves under it until it does. Does the host hold the published key, and does it sign?",
    )

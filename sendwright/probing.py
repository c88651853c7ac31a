"""Prove keys by real signatures: each host signs a probe with each, and live DNS has to verify what it signed."""

import secrets
from collections.abc import Iterable, Mapping

from sendwright.connections import Fleet
from sendwright.deploys.probe import parse_probes, send_probes_command, send_probes_input
from sendwright.errors import HostError
from sendwright.judges import Lookup, signatures
from sendwright.signing import probe_address
from sendwright.ssh import Connection
from sendwright.state.model import DkimKey

# A loaded host takes a while to start its signers.
_SECONDS = 30


def probe(fleet: Fleet, keys: Mapping[str, tuple[DkimKey, ...]], lookup: Lookup) -> dict[str, frozenset[str]]:
    """Have hosts sign probes, one remote command each; return the hosts that proved each key, by record name.

    Arguments: ``keys``: what each host is to prove, by host name; ``lookup``: answers TXT by live DNS. A host that
    does not sign, or whose signature does not verify, is given up with a sentence that says which key.
    """
    signed = fleet.each(keys, lambda connection: _signed(connection, keys[connection.host.name]))
    proofs: dict[str, set[str]] = {}
    for name, messages in signed.items():
        failed = []
        for key in keys[name]:
            if proves(messages.get(key.record_name), key, lookup):
                proofs.setdefault(key.record_name, set()).add(name)
            else:
                failed.append(key.record_name)
        if failed:
            fleet.give_up(_unproven(name, failed))
    return {record: frozenset(hosts) for record, hosts in proofs.items()}


def proves(message: bytes | None, key: DkimKey, lookup: Lookup) -> bool:
    """Tell whether a message carries a valid signature made with this very key."""
    wanted = (key.domain, key.selector)
    return any(s.valid and (s.domain, s.selector) == wanted for s in signatures(message, lookup)) if message else False


def _signed(connection: Connection, keys: Iterable[DkimKey]) -> dict[str, bytes | None]:
    host = connection.host
    tokens = {secrets.token_hex(16): key for key in keys}
    senders = {token: probe_address(key) for token, key in tokens.items()}
    result = connection.run(send_probes_command(), send_probes_input(host, senders, _SECONDS).encode())
    if not result.ok:
        raise HostError(host.name, "it could not send probes.", "Look at `journalctl -u 'postfix*'` on it.")
    delivered = parse_probes(host, result.stdout.decode(errors="replace"), senders)
    return {tokens[token].record_name: message for token, message in delivered.items()}


def _unproven(host: str, records: list[str]) -> HostError:
    shown = ", ".join(records[:3]) + (f" and {len(records) - 3} more" if len(records) > 3 else "")
    return HostError(
        host,
        f"a probe signed with its key does not verify through live DNS: {shown}.",
        "Nothing signs with it and submission stays closed. Does the host hold the published key, and does it sign?",
    )

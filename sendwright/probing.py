"""Prove keys by real signatures: each host signs a probe with each, and live DNS has to verify what it signed."""

import base64
import binascii
import json
import secrets
from collections.abc import Iterable, Mapping

from sendwright.connections import Fleet
from sendwright.deploys.probe import SIGN
from sendwright.deploys.receiving import probe_mailbox
from sendwright.errors import HostError
from sendwright.judges import Lookup, signatures
from sendwright.signing import probe_address
from sendwright.ssh import Connection
from sendwright.state.model import DkimKey


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
            if proves(messages.get(key.record_name, b""), key, lookup):
                proofs.setdefault(key.record_name, set()).add(name)
            else:
                failed.append(key.record_name)
        if failed:
            fleet.give_up(_unproven(name, failed))
    return {record: frozenset(hosts) for record, hosts in proofs.items()}


def proves(message: bytes, key: DkimKey, lookup: Lookup) -> bool:
    """Tell whether a message carries a valid signature made with this very key."""
    wanted = (key.domain, key.selector)
    return any(s.valid and (s.domain, s.selector) == wanted for s in signatures(message, lookup)) if message else False


def _signed(connection: Connection, keys: Iterable[DkimKey]) -> dict[str, bytes]:
    mark = secrets.token_hex(8)
    asked = {
        "mailbox": probe_mailbox(connection.host),
        "senders": {f"{mark}.{key.record_name}": probe_address(key) for key in keys},
    }
    result = connection.run(SIGN, json.dumps(asked).encode())
    try:
        answer = json.loads(result.stdout)
        return {str(k).partition(".")[2]: base64.b64decode(v, validate=True) for k, v in answer.items()}
    except (ValueError, AttributeError, TypeError, binascii.Error):
        said = result.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise HostError(
            connection.host.name,
            f"it could not sign probes ({''.join(said)[:200] or 'no answer'}).",
            "Look at `journalctl -u 'postfix*' -u 'sendwright-opendkim*'` on it.",
        ) from None


def _unproven(host: str, records: list[str]) -> HostError:
    shown = ", ".join(records[:3]) + (f" and {len(records) - 3} more" if len(records) > 3 else "")
    return HostError(
        host,
        f"a probe signed with its key does not verify through live DNS: {shown}.",
        "Nothing signs with it and submission stays closed. Does the host hold the published key, and does it sign?",
    )

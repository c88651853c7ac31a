"""The rehearsal's inventory: the declared one with its own provider, state and trust, and nothing else changed.

Pure. Production secrets are never read: every reference to one is replaced, not resolved.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pprint import pformat
from typing import Any

from pydantic import BaseModel

from sendwright.providers import Rfc2136
from sendwright.stack import AcmeAuthority, AcmeTls, Address, Domain, Host, KeyStore, Rehearsal, SelfSigned, Ssh, Stack

_UNENCRYPTED = "I know that anybody who reads this folder can sign as us"


@dataclass(frozen=True)
class LabFacts:
    """What a rehearsal needs to know of its lab: trust, resolver, name server; paths are the lab's own.

    ``directory`` and ``root``: the URL of its certificate authority and the file with its root, empty if it has none.
    """

    ssh_key: str
    known_hosts: str
    fingerprints: Mapping[str, str]
    server: Address
    tsig_name: str
    tsig_file: str
    root_hints: str
    trust_anchor: str
    inbox: str
    directory: str = ""
    root: str = ""


def rehearsed(stack: Stack, lab: LabFacts) -> Stack:
    """Return the stack as it is rehearsed: same names, addresses and settings; the lab's provider, keys and roots."""
    return stack.model_copy(
        update={
            "hosts": tuple(_host(host, lab) for host in stack.hosts),
            "domains": writable(stack),
            "dns": {name: _provider(lab) for name in stack.dns},
            # The state of a rehearsal dies with its lab.
            "key_store": KeyStore(unencrypted=_UNENCRYPTED),
            # An account of production's stays there, too.
            "acme": _authority(stack, lab),
            "smtp": stack.smtp.model_copy(update={"probe_mx": f"mx.{lab.inbox}"}),
            "state_dir": None,
            "rehearsal": Rehearsal(root_hints=lab.root_hints, trust_anchor=lab.trust_anchor),
        }
    )


def _host(host: Host, lab: LabFacts) -> Host:
    ssh = Ssh(
        hostname=str(host.addresses[0]),
        user=host.ssh.user,
        sudo=host.ssh.sudo,
        key=lab.ssh_key,
        host_key=lab.fingerprints[host.name],
        # For the stock command, which would look into the user's own and add to it.
        known_hosts=lab.known_hosts,
    )
    # A certificate of production stays in production; its place is taken by one of our own.
    tls = SelfSigned() if host.tls.mode == "file" else host.tls
    return host.model_copy(update={"ssh": ssh, "tls": tls})


def _authority(stack: Stack, lab: LabFacts) -> AcmeAuthority:
    if not lab.directory:
        return AcmeAuthority()
    return AcmeAuthority(directory=lab.directory, contact=stack.acme.contact, trust=lab.root)


def asks_authority(stack: Stack) -> bool:
    """Return whether a host of a stack gets its certificate from an authority, for which its lab has to have one."""
    return any(isinstance(host.tls, AcmeTls) for host in stack.hosts)


def writable(stack: Stack) -> tuple[Domain, ...]:
    """Return the domains of a stack as if each zone were ours to write: nobody else publishes anything in a lab."""
    dns = next(iter(stack.dns), None)
    return tuple(d if d.dns else d.model_copy(update={"dns": dns}) for d in stack.domains)


def _provider(lab: LabFacts) -> Rfc2136:
    return Rfc2136.model_validate(
        {
            "provider": "rfc2136",
            "server": str(lab.server),
            "tsig": {"name": lab.tsig_name, "secret": {"file": lab.tsig_file}},
            # Two name servers, no anycast: nothing is hidden from us.
            "margin": 0,
        }
    )


def inventory_files(stack: Stack) -> dict[str, str]:
    """Return an inventory folder's files (path -> text) that load as this very stack, for us and for pyinfra."""
    senders = [(host.name, _host_data(host)) for host in stack.hosts]
    data = _plain(stack, exclude={"hosts", "domains"})
    data["domains"] = {d.name: _plain(d, exclude={"name"}) for d in stack.domains}
    return {
        "inventory.py": f"senders = {pformat(senders, sort_dicts=False)}\n",
        "group_data/all.py": "".join(
            f"{key} = {pformat(value, sort_dicts=False)}\n" for key, value in data.items() if value is not None
        ),
    }


def _host_data(host: Host) -> dict[str, Any]:
    ssh = _plain(host.ssh, exclude={"host_key", "known_hosts", "sudo"})
    data = {f"ssh_{key}": value for key, value in ssh.items()}
    data |= {"ssh_host_key": host.ssh.host_key, "ssh_known_hosts_file": host.ssh.known_hosts}
    data |= {"_sudo": host.ssh.sudo} | _plain(host, exclude={"name", "ssh"})
    # These are told apart by settings that are defaults: a certificate's mode, an address that is not bound.
    data["egress"] = [e.model_dump(mode="json") for e in host.egress]
    data["tls"] = host.tls.model_dump(mode="json")
    return {key: value for key, value in data.items() if value is not None}


def _plain(model: BaseModel, exclude: set[str]) -> dict[str, Any]:
    plain: dict[str, Any] = model.model_dump(mode="json", exclude=exclude, exclude_defaults=True)
    return plain

"""A first inventory folder, commented for people; ``inventories/example`` is what this writes for example.com."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from string import Template

from sendwright import names
from sendwright.errors import UsageError
from sendwright.escape import plain

_INVENTORY = Template("""\
# The hosts that send: a group is a list, as in pyinfra. Each name is a host's HELO name, its PTR, and its A and AAAA.
#
#   sendwright rehearse .    try all of this on this machine first; nothing leaves it
#   sendwright plan .        what would change; touches nothing
#   sendwright provision .   shows the plan, asks, carries it out, verifies

senders = [
    (
        "$host",
        {
            # The addresses that receivers see. Behind 1:1 NAT add "bind": the private address.
            # Without an IPv6 address the host sends over IPv4 only.
            "egress": [$egress],
            # A certificate of Let's Encrypt, renewed with its key kept; TLSA records and MTA-STS follow by themselves.
            # Without it the host signs its own, which is enough for other servers, and not for mail programs.
            # "tls": "acme",
            # How to reach and trust it, once it is a real host:
            # "ssh_user": "admin",
            # "_sudo": True,
            # "ssh_key": "~/.ssh/id_ed25519",
            # "ssh_host_key": "SHA256:…",  # ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, on the host
        },
    ),
]
""")

_ALL = Template("""\
# Everything that is not a host. Secrets are only named here: {"env": NAME}, {"file": PATH} or {"command": [ARGV]}.

# Where DNS records are published: a primary name server that takes dynamic updates (RFC 2136) signed with TSIG.
dns = {
    "main": {
        "provider": "rfc2136",
        "server": "$server",
        "tsig": {"name": "sendwright", "secret": {"env": "SENDWRIGHT_TSIG"}},
    },
}

# The domains that send. Everything has a default: RSA and Ed25519 signatures, SPF, DMARC that only watches
# (policy "none") with reports to dmarc@ the domain, MX here for bounces, postmaster@ and abuse@.
domains = {
    "$domain": {
        "dns": "main",
        # "receive": {"forward": "you@example.net"},    # else kept in a Maildir on the host
        # "mx": "elsewhere",                            # its mail is received by somebody else
        # "dmarc": {"policy": "quarantine"},            # once the reports look right
        # "mta_sts": {"mode": "enforce"},               # the same; needs "tls": "acme"
    },
    # "old.example": {"dns": "main", "sends": False},   # sends no mail: locked, so that nobody can send as it
}

# Who issues certificates for hosts with "tls": "acme". Try the staging authority first: it is patient, and nobody
# trusts what it issues.
# acme = {"directory": "staging", "contact": ["mailto:you@example.net"]}

# Private keys rest in state/, encrypted with a passphrase from this variable (the default):
# key_store = {"passphrase": {"env": "SENDWRIGHT_PASSPHRASE"}}
""")


def scaffold(
    folder: Path, domain: str, host: str, addresses: Sequence[str], server: str = "192.0.2.53"
) -> tuple[Path, ...]:
    """Write a commented inventory for a first domain and host; return the files written.

    Arguments: ``addresses``: the host's public ones; ``server``: the primary name server that takes updates.
    Raises UsageError when a name is none, or when there is something already: nothing is overwritten.
    """
    domain, host = _name(domain, "domain"), _name(host, "host")
    if host != domain and not host.endswith("." + domain):
        raise UsageError(f"the host {host} does not lie in {domain}.", f"Name it mx1.{domain}, for example.")
    egress = ", ".join(f'{{"public": "{address}"}}' for address in _egress(addresses))
    files = {
        folder / "inventory.py": _INVENTORY.substitute(host=host, egress=egress),
        folder / "group_data" / "all.py": _ALL.substitute(domain=domain, server=_address(server)),
    }
    taken = [str(path) for path in files if path.exists()]
    if taken:
        raise UsageError(f"{' and '.join(taken)}: there already.", "Name a new folder; nothing is overwritten.")
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}.", "Name a folder that can be written.") from None
    return tuple(files)


def _name(text: str, what: str) -> str:
    try:
        return names.domain_name(text)
    except ValueError as error:
        raise UsageError(f"“{plain(text)}” is no {what} name: {error}.") from None


def _egress(texts: Sequence[str]) -> list[IPv4Address | IPv6Address]:
    """Return the addresses if an inventory takes them; UsageError."""
    addresses = [_address(text, names.public_address) for text in texts]
    if not addresses:
        raise UsageError("the host has no address.", "Give at least the IPv4 address that it sends from.")
    versions = [address.version for address in addresses]
    if len(set(versions)) < len(versions):
        raise UsageError(
            "a host sends from one IPv4 and one IPv6 address at most.", "Postfix binds one address a family."
        )
    return addresses


def _address(
    text: str, fit: Callable[[IPv4Address | IPv6Address], IPv4Address | IPv6Address] = lambda address: address
) -> IPv4Address | IPv6Address:
    try:
        return fit(names.ip_address(text))
    except ValueError as error:
        raise UsageError(f"“{plain(text)}”: {error}.") from None

"""Addresses that nobody on the Internet reaches (RFC 6890). Those for documentation are left out: labs live on them.

So are those of a lab's own servers, which no other network routes either.
"""

from ipaddress import IPv4Network, IPv6Network, ip_network

from sendwright.stack import Address

_NETWORKS: dict[str, str] = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private use",
    "100.64.0.0/10": "the inside of a provider (CGNAT)",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local use",
    "172.16.0.0/12": "private use",
    "192.0.0.0/24": "protocols",
    "192.168.0.0/16": "private use",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "future use",
    "::/127": "loopback",
    "::ffff:0:0/96": "IPv4 in disguise",
    "64:ff9b:1::/48": "local translation",
    "100::/64": "discarding",
    "fc00::/7": "private use",
    "fe80::/10": "link-local use",
    "fec0::/10": "private use",
    "ff00::/8": "multicast",
}
_RESERVED: tuple[tuple[IPv4Network | IPv6Network, str], ...] = tuple(
    (ip_network(network), what) for network, what in _NETWORKS.items()
)
# Where the servers of a lab lie (`sendwright.lab.spec`), importing which would take longer than a look.
_LABS = (ip_network("198.18.0.0/15"), ip_network("fd53:656e:6477::/64"))


def reserved(address: Address) -> str:
    """Return what an address is reserved for, or nothing for one that is public."""
    if any(address in network for network in _LABS):
        return ""
    return next((what for network, what in _RESERVED if address in network), "")

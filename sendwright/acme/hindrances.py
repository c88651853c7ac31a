"""What keeps a name from being proven, as the inventory and its name servers have it."""

from ipaddress import ip_address

from sendwright.acme import lookup
from sendwright.acme.provable import Kind, answering, writable
from sendwright.dns.transport import Ask
from sendwright.errors import DnsError, NotProvable
from sendwright.stack import Host, Stack


def hindrance(stack: Stack, host: Host, name: str, kind: Kind, ask: Ask, resolver: str) -> NotProvable | None:
    """Return why a name of a host's certificate cannot be proven that way, or None."""
    if kind == "dns-01":
        return None if writable(stack, name) else not_writable(host.name, name, "its zone is not ours to write")
    try:
        return _by_http(stack, host, name, ask, resolver)
    except DnsError as error:
        return NotProvable(host.name, f"{name} cannot be proven by http-01: {error.what}", error.hint)


def not_writable(host: str, name: str, why: str) -> NotProvable:
    """Return the error about a name of a host's whose challenge cannot be written. ``why``: a phrase."""
    hint = "Set challenge to 'http-01', or name who keeps that zone, and takes changes to it, under dns."
    return NotProvable(host, f"{name} cannot be proven by dns-01: {why}.", hint)


def _by_http(stack: Stack, host: Host, name: str, ask: Ask, resolver: str) -> NotProvable | None:
    hosts = answering(stack, name)
    ours = {address for each in hosts for address in each.addresses}
    led = lookup.leads_to(name, ask, resolver)
    if others := sorted({ip_address(text) for text in led.addresses} - ours, key=str):
        whose = " and ".join(each.name for each in hosts) or "any host of ours"
        what = f"it leads to {', '.join(map(str, others))}, which is no address of {whose}"
        hint = f"Let it lead to {', '.join(map(str, sorted(ours, key=str)))} only." if ours else ""
        return NotProvable(host.name, f"{name} cannot be proven by http-01: {what}.", hint)
    if led.lacking or not led.addresses:
        where = ", ".join(map(str, led.lacking)) or "any of its name servers"
        what = f"{name} cannot be proven by http-01: it has no address at {where}."
        return NotProvable(host.name, what, "Publish its A and AAAA records, and wait until every server has them.")
    return None

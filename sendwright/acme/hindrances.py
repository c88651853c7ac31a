"""What keeps a name from being proven, as its name servers have it."""

from ipaddress import ip_address

from sendwright.acme import lookup
from sendwright.acme.provable import Kind, answering, writable
from sendwright.dns.transport import Ask
from sendwright.errors import DnsError, NotProvable
from sendwright.stack import Host, Stack


def hindrance(stack: Stack, host: Host, name: str, kind: Kind, ask: Ask, resolver: str) -> NotProvable | None:
    """Return why a name of a host's certificate cannot be proven that way, or None."""
    try:
        if kind == "http-01":
            return _by_http(stack, host, name, ask, resolver)
        return None if _led_to_us(stack, f"_acme-challenge.{name}", ask, resolver) else not_writable(host.name, name)
    except DnsError as error:
        return NotProvable(host.name, f"{name} cannot be proven by {kind}: {error.what}", error.hint)


def alias(name: str, ask: Ask, resolver: str) -> str | None:
    """Return what a name is an alias of, by every server that speaks for it; DnsError if they do not agree."""
    found = {one.server: one.alias for one in lookup.said(name, ("CNAME",), ask, resolver)}
    if len({*found.values()}) > 1:
        led = "; ".join(f"at {server} to {target or 'nothing'}" for server, target in sorted(found.items()))
        raise DnsError(name, f"its name servers do not agree where it leads: {led}.", "Wait until they do.")
    return next(iter(found.values()))


def not_writable(host: str, name: str) -> NotProvable:
    """Return the error about a name of a host's whose challenge cannot be written."""
    what = f"{name} cannot be proven by dns-01: its zone is not ours to write."
    hint = (
        "Leave challenge out or set it to 'http-01', name who keeps the zone under dns, or have its owner make "
        f"_acme-challenge.{name} an alias (CNAME) of a name in a zone of ours."
    )
    return NotProvable(host, what, hint)


def _led_to_us(stack: Stack, name: str, ask: Ask, resolver: str) -> bool:
    """Follow what the owner of a zone may have led to us, once and for all."""
    seen: set[str] = set()
    at: str | None = name
    while at and at not in seen and len(seen) < lookup.LONGEST_CHAIN:
        if writable(stack, at):
            return True
        seen.add(at)
        at = alias(at, ask, resolver)
    return False


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

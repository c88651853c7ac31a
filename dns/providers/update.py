"""The message of a dynamic update, and its way to the server and back (RFC 2136 sections 2.4, 2.5 and 3)."""

import socket

import dns.exception
import dns.message
import dns.name
import dns.update

from sendwright.dns.providers.base import Edit
from sendwright.dns.rdata import rdata


def absolute(name: str) -> dns.name.Name:
    """Return a name as dnspython has it."""
    return dns.name.from_text(name)


def require(message: dns.update.UpdateMessage, edit: Edit) -> None:
    """Make an update depend on a record set being exactly as the edit found it."""
    name = absolute(edit.name)
    if edit.before is not None:
        message.present(name, *(rdata(edit.type, text) for text in edit.before.values))
        return
    message.absent(name, edit.type)
    if edit.type != "CNAME":
        # A server silently ignores what is added beside an alias (RFC 2136 section 3.4.2.2).
        message.absent(name, "CNAME")


def write(message: dns.update.UpdateMessage, edit: Edit) -> None:
    """Put into an update what the edit changes, value by value: what stays is not mentioned."""
    name = absolute(edit.name)
    before, after = edit.before, edit.after
    old = before.values if before else ()
    new = after.values if after else ()
    if before and after and before.ttl != after.ttl:
        # RFC 2136 section 3.4.2.2 lets a TTL be changed by adding the data again; Knot 3.2 then keeps the old TTL.
        message.delete(name, edit.type)
        old = ()
    for text in old:
        if text not in new:
            message.delete(name, rdata(edit.type, text))
    for text in new:
        if after and text not in old:
            message.add(name, after.ttl, rdata(edit.type, text))


def round_trip(connection: socket.socket, message: dns.update.UpdateMessage) -> dns.message.Message:
    """Send a message over TCP and return the answer, whose signature is verified if it has one (``had_tsig``).

    Raises OSError or EOFError if there is none, DNSException if it is not well-formed or wrongly signed.
    """
    wire = message.to_wire()
    connection.sendall(len(wire).to_bytes(2, "big") + wire)
    with connection.makefile("rb") as stream:
        length = int.from_bytes(stream.read(2), "big")
        answer = stream.read(length)
    if not answer or len(answer) < length:
        raise EOFError("it closed the connection")
    try:
        return dns.message.from_wire(answer, keyring=message.keyring, request_mac=message.mac)
    except dns.exception.FormError:
        # PowerDNS refuses a wrong key without a signature, for which dnspython calls the answer malformed.
        return dns.message.from_wire(answer)

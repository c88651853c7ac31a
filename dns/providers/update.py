"""The message of a dynamic update, and its way to the server and back (RFC 2136 sections 2.4, 2.5 and 3)."""

import socket
import time

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
    """Put into an update what the edit changes. What stays is mentioned only where the whole set has to be written."""
    name = absolute(edit.name)
    before, after = edit.before, edit.after
    old = before.values if before else ()
    new = after.values if after else ()
    # RFC 2136 section 3.4.2.2 lets a TTL be changed by adding the data again; Knot 3.2 then keeps the old TTL.
    other_ttl = before and after and before.ttl != after.ttl
    # PowerDNS 4.7 loses a name's place among its neighbours when one value of several goes: its NSEC denies the rest.
    shrinks = any(text not in new for text in old) and any(text in new for text in old)
    if other_ttl or shrinks:
        message.delete(name, edit.type)
        old = ()
    for text in old:
        if text not in new:
            message.delete(name, rdata(edit.type, text))
    for text in new:
        if after and text not in old:
            message.add(name, after.ttl, rdata(edit.type, text))


def round_trip(connection: socket.socket, message: dns.update.UpdateMessage, seconds: float) -> dns.message.Message:
    """Send a message over TCP and return the answer, whose signature is verified if it has one (``had_tsig``).

    Arguments: ``seconds``: how long that may take. Raises OSError or EOFError if there is no answer, DNSException if it
    is not well-formed or wrongly signed.
    """
    send(connection, message)
    answer = received(connection, time.monotonic() + seconds, seconds)
    try:
        return dns.message.from_wire(answer, keyring=message.keyring, request_mac=message.mac)
    except dns.exception.FormError:
        # PowerDNS refuses a wrong key without a signature, for which dnspython calls the answer malformed.
        return dns.message.from_wire(answer)


def send(connection: socket.socket, message: dns.message.Message) -> None:
    """Send a message over TCP (RFC 1035 section 4.2.2); OSError if that fails."""
    wire = message.to_wire()
    connection.sendall(len(wire).to_bytes(2, "big") + wire)


def received(connection: socket.socket, deadline: float, silence: float) -> bytes:
    """Return the next message of a TCP connection, unread.

    Arguments: ``deadline``: until when it has to be whole, by the monotonic clock; ``silence``: how many seconds the
    server may say nothing meanwhile. Raises OSError or EOFError.
    """
    return _octets(connection, int.from_bytes(_octets(connection, 2, deadline, silence), "big"), deadline, silence)


def _octets(connection: socket.socket, count: int, deadline: float, silence: float) -> bytes:
    octets = bytearray()
    while len(octets) < count:
        # A server that sends an octet now and then would never be silent.
        if (left := deadline - time.monotonic()) <= 0:
            raise TimeoutError("no whole answer in time")
        connection.settimeout(min(silence, left))
        if not (part := connection.recv(count - len(octets))):
            raise EOFError("it closed the connection")
        octets += part
    return bytes(octets)

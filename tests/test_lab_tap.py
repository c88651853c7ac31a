"""What a tap on a lab's network makes of packets."""

import struct

import dns.message
import dns.update

from sendwright.lab.tap import Connecting, Dns, Tap, read

IPV4, IPV6 = 0x0800, 0x86DD
NAME = "s1._domainkey.example.com"


def v4(protocol: int, body: bytes) -> bytes:
    """Return an IPv4 packet with an option, from 198.18.0.1 to 198.18.0.53."""
    addresses = bytes((198, 18, 0, 1, 198, 18, 0, 53))
    return struct.pack("!BBHHHBBH", 0x46, 0, 24 + len(body), 0, 0, 64, protocol, 0) + addresses + bytes(4) + body


def v6(protocol: int, body: bytes) -> bytes:
    """Return an IPv6 packet from fd00::1 to fd00::53."""
    return (
        struct.pack("!IHBB", 6 << 28, len(body), protocol, 64)
        + b"\xfd"
        + bytes(14)
        + b"\1\xfd"
        + bytes(14)
        + b"S"
        + body
    )


def udp(source: int, target: int, data: bytes) -> bytes:
    """Return a UDP datagram."""
    return struct.pack("!HHHH", source, target, 8 + len(data), 0) + data


def tcp(source: int, target: int, flags: int, data: bytes = b"") -> bytes:
    """Return a TCP segment with a timestamp option."""
    return struct.pack("!HHIIBBHHH", source, target, 0, 0, 8 << 4, flags, 0, 0, 0) + bytes(12) + data


def test_a_question_and_its_answer_are_told_apart() -> None:
    """Over either family, whatever the case of the name; an answer says how much it found."""
    question = dns.message.make_query(NAME.upper(), "TXT")
    answer = dns.message.make_response(question)

    asked = read(IPV4, v4(17, udp(40000, 53, question.to_wire())))
    answered = read(IPV6, v6(17, udp(53, 40000, answer.to_wire())))

    assert asked == [Dns("198.18.0.1", "198.18.0.53", NAME, "TXT", None)]
    assert answered == [Dns("fd00::1", "fd00::53", NAME, "TXT", 0)]
    assert Tap([*asked, *answered]).asked(NAME) == asked


def test_a_question_over_tcp_is_heard_with_or_without_its_length() -> None:
    """Senders write the length in a packet of its own, or not (RFC 7766 section 8)."""
    wire = dns.message.make_query(NAME, "TXT").to_wire()
    framed = len(wire).to_bytes(2) + wire

    for data in (wire, framed):
        assert read(IPV4, v4(6, tcp(40000, 53, 0x18, data))) == [Dns("198.18.0.1", "198.18.0.53", NAME, "TXT", None)]


def test_only_the_first_packet_of_a_connection_counts() -> None:
    """Its answer and what follows are no connections of their own."""
    assert read(IPV4, v4(6, tcp(40000, 22, 0x02))) == [Connecting("198.18.0.1", "198.18.0.53", 22)]
    assert read(IPV4, v4(6, tcp(22, 40000, 0x12))) == []
    assert read(IPV4, v4(6, tcp(40000, 22, 0x10, b"SSH-2.0-x\r\n"))) == []


def test_what_is_no_question_is_not_heard() -> None:
    """An update, a transfer, rubbish, a cut packet, another protocol."""
    update = dns.update.UpdateMessage("example.com")
    transfer = dns.message.make_query("example.com", "AXFR")

    for packet in (
        v4(17, udp(40000, 53, update.to_wire())),
        v4(6, tcp(40000, 53, 0x18, transfer.to_wire())),
        v4(17, udp(40000, 53, b"\xff" * 40)),
        v4(17, udp(40000, 5353, dns.message.make_query(NAME, "TXT").to_wire())),
        v4(17, b"\0")[:30],
        v4(1, b"\x08\0ping"),
        b"",
    ):
        assert read(IPV4, packet) == []
    assert read(0x0806, b"arp") == []

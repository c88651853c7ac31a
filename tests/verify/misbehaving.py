"""Mail servers that take a client's time and memory: each serves one connection, badly."""

import socket
import time


def endless_banner(sock: socket.socket) -> None:
    """A greeting that never ends."""
    while True:
        sock.sendall(b"220-and on\r\n" * 1000)


def endless_line(sock: socket.socket) -> None:
    """A line that never ends."""
    while True:
        sock.sendall(b"220 and on " * 1000)


def drip(sock: socket.socket) -> None:
    """One octet at a time, for ever."""
    while True:
        sock.sendall(b"2")
        time.sleep(0.02)


def silent(sock: socket.socket) -> None:
    """Nothing at all."""
    sock.recv(1)


def no_smtp(sock: socket.socket) -> None:
    """Another protocol, with a control sequence in it."""
    sock.sendall(b"HTTP/1.1 400 \x1b[2JBad Request\r\n\r\n")


def gone(_sock: socket.socket) -> None:
    """Hang up at once."""
    return


def deaf(sock: socket.socket) -> None:
    """Half a reply."""
    sock.sendall(b"220 mx\r\n")
    sock.recv(1000)
    sock.sendall(b"250-mx\r\n")
    time.sleep(3)


def tls_that_never_ends(sock: socket.socket) -> None:
    """A handshake of which octets come one at a time, for ever."""
    sock.sendall(b"220 mx ESMTP\r\n")
    sock.recv(1000)
    sock.sendall(b"250-mx\r\n250 STARTTLS\r\n")
    sock.recv(1000)
    sock.sendall(b"220 Go\r\n")
    sock.recv(10000)
    # A handshake record of a length that never comes.
    sock.sendall(b"\x16\x03\x03\x3f\xff\x02")
    while True:
        sock.sendall(b"\x00")
        time.sleep(0.02)


def flood_in_handshake(sock: socket.socket) -> None:
    """Text before the handshake, and then warnings without end."""
    sock.sendall(b"220 mx ESMTP\r\n")
    sock.recv(1000)
    sock.sendall(b"250-mx\r\n250 STARTTLS\r\n")
    sock.recv(1000)
    sock.sendall(b"220 Go\r\n220 injected before TLS\r\n")
    sock.recv(10000)
    while True:
        sock.sendall(b"\x15\x03\x03\x00\x02\x01\x00" * 1000)

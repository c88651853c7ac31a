"""Servers of ill will: they greet without end, stop in the middle of TLS, compress, or say one octet a second."""

from sendwright.lab import Lab
from tests.lab.verify.servers import BAD

# The address of each, and what it does.
PEERS = {
    "half-tls": ("198.51.100.92", "tls"),
    "drip": ("198.51.100.93", "drip"),
    "endless": ("198.51.100.94", "endless"),
    "garbage": ("198.51.100.95", "garbage"),
    "crime": ("198.51.100.96", "crime"),
}
DOMAINS = (*(f"{name}.{BAD}" for name in PEERS), *(f"{n}.{BAD}" for n in ("huge", "control", "circle", "loop")))
_PROGRAM = r"""
import socket, sys, threading, time

def tls(peer):
    peer.sendall(b"220 mx ESMTP\r\n"); peer.recv(512)
    peer.sendall(b"250-mx\r\n250 STARTTLS\r\n"); peer.recv(512)
    peer.sendall(b"220 go\r\n\x16\x03\x03"); time.sleep(300)

def drip(peer):
    for octet in b"220 " + b"x" * 300:
        peer.sendall(bytes([octet])); time.sleep(1)

def endless(peer):
    while True:
        peer.sendall(b"220-" + b"y" * 1000 + b"\r\n")

def garbage(peer):
    peer.sendall(b"220 \x1b[31m<script>alert(1)</script>\r\n"); peer.recv(512)
    peer.sendall(b"250-\x1b]0;owned\x07\r\n250 STARTTLS\r\n"); peer.recv(512)
    peer.sendall(b"220 go\r\n" + bytes(range(256)) * 100); time.sleep(5)

def crime(peer):
    # Whatever is offered, it takes the first suite, and compression, and knows nothing of RFC 5746.
    peer.sendall(b"220 mx ESMTP\r\n"); peer.recv(512)
    peer.sendall(b"250-mx\r\n250 STARTTLS\r\n"); peer.recv(512)
    peer.sendall(b"220 go\r\n")
    hello = peer.recv(4096)
    place = 44 + hello[43]
    suite = hello[place + 2 : place + 4]
    body = b"\x03\x03" + bytes(32) + b"\x00" + suite + b"\x01"
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    peer.sendall(b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message); time.sleep(1)

def serve(address, behave):
    listener = socket.create_server((address, 25))
    while True:
        peer = listener.accept()[0]
        threading.Thread(target=attempt, args=(behave, peer), daemon=True).start()

def attempt(behave, peer):
    try:
        with peer:
            behave(peer)
    except OSError:
        pass

for address, behave in zip(sys.argv[1::2], sys.argv[2::2]):
    threading.Thread(target=serve, args=(address, globals()[behave])).start()
"""


def start(lab: Lab) -> None:
    """Start them, on the machine that serves the lab's DNS."""
    for address, _ in PEERS.values():
        lab.world.run(["ip", "address", "replace", f"{address}/32", "dev", "eth0"])
    asked = [word for peer in PEERS.values() for word in peer]
    unit = ["systemd-run", "--quiet", "--collect", "--unit=hostile"]
    lab.world.run([*unit, "python3", "-c", _PROGRAM, *asked])

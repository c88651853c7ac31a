"""Send one probe a key through the local sendmail command, and print the signed messages as they were delivered.

Run by sendwright on a host, as root, from templates/probe/send.py: never installed. Reads
{"recipient": address, "probes": {token: From address}, "seconds": how long to wait for the next one to arrive, "most":
seconds for all of it} from standard input and prints {token: base64 of the delivered message, or null if it did not
arrive in time}.
"""

import base64
import json
import re
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path

_NEW = Path("/var/mail/sendwright/probe/new")
_ADDRESS = re.compile(r"[a-z0-9._+=-]+@[a-z0-9.-]+")
_MESSAGE_ID = re.compile(rb"^Message-ID: <([a-z0-9-]{8,64})@([a-z0-9.-]+)>$", re.MULTILINE)
_TOKEN = re.compile(r"[a-z0-9-]{8,64}")


def send(token: str, author: str, recipient: str) -> None:
    """Hand one probe to Postfix."""
    host = recipient.partition("@")[2]
    message = (
        f"From: {author}\nTo: {recipient}\nSubject: sendwright probe\nDate: {formatdate()}\n"
        f"Message-ID: <{token}@{host}>\nMIME-Version: 1.0\nContent-Type: text/plain\n\n"
        "This message proves that a key signs on this host. Nobody has to read it.\n"
    )
    command = ["/usr/sbin/sendmail", "-i", "-f", recipient, "--", recipient]
    subprocess.run(command, input=message.encode("ascii"), check=True)


def collect(new: Path, tokens: set[str], host: str, seen: set[str]) -> dict[str, str]:
    """Take delivered probes out of the Maildir; ``seen`` are the files that were read already, and grows."""
    found = {}
    for path in new.glob("*"):
        if path.name in seen:
            continue
        seen.add(path.name)
        message = path.read_bytes()
        named = _MESSAGE_ID.search(message)
        token = named[1].decode("ascii") if named and named[2].decode("ascii") == host else None
        if token in tokens:
            found[token] = base64.b64encode(message).decode("ascii")
            path.unlink()
    return found


def main() -> None:
    """Send, wait, print."""
    order = json.load(sys.stdin)
    probes, recipient = order["probes"], order["recipient"]
    if not all(_TOKEN.fullmatch(t) and _ADDRESS.fullmatch(a) for t, a in {**probes, "recipient": recipient}.items()):
        sys.exit("a token or an address is malformed")
    end = time.monotonic() + order["most"]
    for token, author in probes.items():
        if time.monotonic() < end:
            send(token, author, recipient)
    found: dict[str, str] = {}
    seen: set[str] = set()
    moved = time.monotonic()
    while True:
        arrived = collect(_NEW, set(probes) - set(found), recipient.partition("@")[2], seen)
        found.update(arrived)
        now = time.monotonic()
        moved = now if arrived else moved
        if len(found) == len(probes) or now > min(moved + order["seconds"], end):
            break
        time.sleep(0.1)
    print(json.dumps({token: found.get(token) for token in probes}))


if __name__ == "__main__":
    main()

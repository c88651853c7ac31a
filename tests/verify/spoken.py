"""What ``speaking`` hears of servers that tests run on loopback."""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from sendwright.verify.catalogue import CHECKS
from sendwright.verify.speaking.conversation import Conversation
from sendwright.verify.speaking.speak import speak
from sendwright.verify.target import Server as Target
from tests.verify.servers import Serve, serving

HERE = (ip_address("127.0.0.1"),)
MX1 = "mx1.example.com"
MX = Target(MX1, HERE, ("example.com",))


def spoken(
    ports: Mapping[int, Serve],
    target: Target = MX,
    trust: Path | None = None,
    timeout: float = 5.0,
    wanted: frozenset[str] = frozenset(CHECKS),
    helo: str = "verify.example.net",
) -> tuple[Conversation, ...]:
    """What a server says that runs for the time of the conversation."""
    with serving(ports) as connect:
        return speak(target, timeout=timeout, trust=trust, wanted=wanted, helo=helo, opened=connect)

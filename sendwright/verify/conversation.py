"""What a mail server said when it was spoken to: gathered by ``speaking``, judged by the checks of servers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sendwright.stack import Address


class Silence(StrEnum):
    """Why a server could not be spoken to. Only what is surely the server's own doing is a failure of it."""

    FILTERED = "filtered"  # nothing came back: a firewall, its own or one on the way (many clouds and CI runners)
    NO_ROUTE = "no route"  # this machine cannot reach that family or network
    REFUSED = "refused"
    BROKEN = "broken"  # it answered, and then hung up, fell silent or said what is no SMTP


@dataclass(frozen=True)
class Endpoint:
    """One address and port of a server, and the name by which it was found."""

    name: str
    address: Address
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Reply:
    """An SMTP reply (RFC 5321, 4.2). ``text``: its lines, joined by spaces, hostile."""

    code: int
    text: str


@dataclass(frozen=True)
class Handshake:
    """TLS as a server speaks it. ``chain``: certificates in DER as they were sent, the server's own first.

    ``version`` as in ``TLSv1.3``; ``old``: the newest version below 1.2 that it agreed to when offered nothing else, or
    empty; ``trusted``: empty if the chain leads to an authority that this machine trusts, else why not.
    """

    version: str
    cipher: str
    chain: tuple[bytes, ...]
    old: str = ""
    trusted: str = ""


@dataclass(frozen=True)
class Conversation:
    """What one endpoint said. Everything is empty where it could not be asked.

    ``silence`` and ``why``: it could not be spoken to, or broke off; ``greeting``; ``before`` and ``inside``: keywords
    of EHLO outside and inside TLS, upper case, each with its parameters; ``tls`` None: not offered or failed, then
    ``tls_failure`` says why it failed; ``recipients``: what it said to each recipient that it must take
    (``postmaster@example.com``); ``relay``: what it said to recipients elsewhere, by the envelope sender tried.
    """

    endpoint: Endpoint
    silence: Silence | None = None
    why: str = ""
    greeting: Reply | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, str] = field(default_factory=dict)
    tls: Handshake | None = None
    tls_failure: str = ""
    recipients: Mapping[str, Reply] = field(default_factory=dict)
    relay: Mapping[str, Reply] = field(default_factory=dict)

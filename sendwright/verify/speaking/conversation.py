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

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


@dataclass(frozen=True)
class Handshake:
    """TLS as a server speaks it. ``chain``: certificates in DER as they were sent, the server's own first.

    ``version`` as in ``TLSv1.3``; ``old``: the newest version below 1.2 that it agreed to when offered nothing else, or
    empty, and then ``unasked`` says why it was not asked, if it was not; ``trusted``: empty if the chain leads to an
    authority that this machine trusts and all of it is valid now, else why not: `EXPIRED` if the dates of the server's
    own certificate are all that is wrong.
    """

    version: str
    cipher: str
    chain: tuple[bytes, ...]
    old: str = ""
    trusted: str = ""
    unasked: str = ""


EXPIRED = "the server's certificate is not valid now"
"""``Handshake.trusted`` of a chain that would be trusted within its dates."""
SELF_SIGNED = "self-signed"
"""``Handshake.trusted`` of a certificate that its own key signed."""


@dataclass(frozen=True)
class Parameters:
    """What a server agrees to when it is offered nothing better, as its first flight of TLS 1.2 tells in the clear.

    None: not asked, and then ``unasked`` says why, or nobody wanted to know. ``weak``: names of suites that do not
    protect, of each weakness the one that it took; ``group``: bits of its prime for finite-field Diffie-Hellman, 0 if
    it has none; ``static``: of ordinary suites it took one without forward secrecy; ``compresses`` and
    ``renegotiates`` (securely, RFC 5746): None too if it refuses TLS 1.2, and then ``refused``.
    """

    weak: tuple[str, ...] | None = None
    group: int | None = None
    static: bool | None = None
    compresses: bool | None = None
    renegotiates: bool | None = None
    refused: bool = False
    unasked: str = ""


@dataclass(frozen=True)
class Conversation:
    """What one endpoint said. Everything is empty where it could not be asked.

    ``silence`` and ``why``: it could not be spoken to; only ``why``: it broke off later; ``greeting``; ``named``: what
    it calls itself in reply to EHLO; ``before`` and ``inside``: keywords of EHLO outside and inside TLS, upper case,
    each with its parameters; ``tls`` None: not offered or failed, then ``tls_failure`` says why it failed;
    ``parameters``: what else of TLS it agrees to, None where nobody asked; ``recipients``: what it said to each
    recipient that it must take (``postmaster@example.com``), and ``unasked`` why there are none of some; ``relay``:
    what it said to recipients elsewhere, by the envelope sender tried; ``own``: it was asked from its own address, as a
    machine that it may trust.
    """

    endpoint: Endpoint
    silence: Silence | None = None
    why: str = ""
    greeting: Reply | None = None
    named: str = ""
    before: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, str] = field(default_factory=dict)
    tls: Handshake | None = None
    tls_failure: str = ""
    parameters: Parameters | None = None
    recipients: Mapping[str, Reply] = field(default_factory=dict)
    unasked: str = ""
    relay: Mapping[str, Reply] = field(default_factory=dict)
    own: bool = False

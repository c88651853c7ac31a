"""What servers said, for tests of the checks that judge it: all is well, but for what a test says."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from sendwright.verify.look import Dns, Look
from sendwright.verify.speaking.conversation import Conversation, Endpoint, Handshake, Reply
from sendwright.verify.target import Server
from tests.verify.certificates import NOW, Made
from tests.verify.worlds import look_at

MX1 = "mx1.example.com"
ADDRESS = "192.0.2.1"
UNSIGNED = f"{MX1}. IN A {ADDRESS}"


def server(*submits: int, **more: Any) -> Server:
    """Return the MX of example.com."""
    return Server(
        **{"name": MX1, "addresses": (ip_address(ADDRESS),), "takes": ("example.com",), "submits": submits} | more
    )


def look_now(world: str | Dns = UNSIGNED, *, validates: bool = True) -> Look:
    """Return a look of this moment, of which certificates in tests are made."""
    return replace(look_at(world), now=NOW, validates=validates)


def talk(port: int = 25, shown: Made | None = None, address: str = ADDRESS, **more: Any) -> Conversation:
    """Return a conversation with a good server; with a certificate that it shows, TLS is trusted."""
    tls = Handshake("TLSv1.3", "TLS_AES_256_GCM_SHA384", shown.chain) if shown else None
    usual: dict[str, Any] = {
        "endpoint": Endpoint(MX1, ip_address(address), port),
        "greeting": Reply(220, f"{MX1} ESMTP"),
        "named": MX1,
        "before": {} if port == 465 else {"STARTTLS": ""},
        "inside": {} if port == 25 else {"AUTH": "PLAIN"},
        "tls": tls,
    }
    return Conversation(**usual | more)


def with_tls(said: Conversation, **changes: Any) -> Conversation:
    """Return the same with other TLS."""
    assert said.tls is not None
    return replace(said, tls=replace(said.tls, **changes))


def silent(silence: Any, port: int = 25, address: str = ADDRESS, why: str = "nothing came back") -> Conversation:
    """Return an endpoint that could not be spoken to."""
    return Conversation(Endpoint(MX1, ip_address(address), port), silence, why)


def replies(said: Mapping[str, int]) -> Mapping[str, Reply]:
    """Return replies by their codes."""
    return {who: Reply(code, "said so") for who, code in said.items()}

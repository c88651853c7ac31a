"""How a name is proven to an authority: what it asks, and what somebody does about it while it looks."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Challenge:
    """What the authority wants to find for one name (RFC 8555 section 8).

    ``kind``: ``http-01`` or ``dns-01``; ``token``: base64url; ``authorization``: the key authorization, what is served.
    """

    name: str
    kind: str
    token: str
    authorization: str = field(repr=False)

    @property
    def record_name(self) -> str:
        """Where the TXT record of ``dns-01`` belongs (section 8.4)."""
        return f"_acme-challenge.{self.name}"

    @property
    def record_text(self) -> str:
        """What it says."""
        digest = hashlib.sha256(self.authorization.encode()).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    @property
    def path(self) -> str:
        """The path at which ``http-01`` looks (section 8.3)."""
        return f"/.well-known/acme-challenge/{self.token}"


#: Shows all of an order's challenges at once, and takes them away at the end, whatever happened. It is entered when
#: every answer can be found; raises AuthorityError, DnsError or HostError when that cannot be.
Prove = Callable[[tuple[Challenge, ...]], AbstractContextManager[None]]


def both(by_dns: Prove, by_http: Prove) -> Prove:
    """Return what shows each challenge in the way that it asks for: ``dns-01`` by the first, all others by the second.

    HTTP comes first: it is quick, and what fails there needs no wait for name servers.
    """

    @contextmanager
    def shown(challenges: tuple[Challenge, ...]) -> Iterator[None]:
        with ExitStack() as stack:
            for prove, mine in (
                (by_http, tuple(c for c in challenges if c.kind != "dns-01")),
                (by_dns, tuple(c for c in challenges if c.kind == "dns-01")),
            ):
                if mine:
                    stack.enter_context(prove(mine))
            yield

    return shown

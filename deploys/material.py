"""What a host's services are rendered from, besides the Stack."""

from dataclasses import dataclass

from sendwright.stack import Host
from sendwright.state.model import Certificate, Claim, DkimKey, State, User


@dataclass(frozen=True)
class Material:
    """The remembered things that end up on one host: keys with their stages, its certificate, the users.

    ``certificate``: the one that mail is taken with; ``further``: those beside it, for policy names that it has no room
    for; ``lingering``: domains whose MX of ours others may still follow to this host, declared or not; ``claims``: the
    ledger's MX, which policies go by.
    """

    certificate: Certificate
    keys: tuple[DkimKey, ...] = ()
    users: tuple[User, ...] = ()
    lingering: frozenset[str] = frozenset()
    further: tuple[Certificate, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """All certificates of the host, by their numbers."""
        return (self.certificate, *self.further)

    @classmethod
    def of(cls, host: Host, certificate: Certificate, state: State) -> "Material":
        """Return what is remembered for a host.

        The ledger keeps a withdrawn MX until caches have forgotten it: until then mail comes (RFC 5321 section 5.1).
        """
        claims = tuple(c for c in state.claims if c.type == "MX")
        pointing = frozenset(c.name for c in claims if c.value.split()[-1].rstrip(".") == host.name)
        further = tuple(c for c in state.certificates_of(host.name) if c.number)
        return cls(certificate, state.keys, state.users, pointing, further, claims)

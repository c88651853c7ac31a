"""What a host's services are rendered from, besides the Stack."""

from dataclasses import dataclass

from sendwright.stack import Host
from sendwright.state.model import Certificate, DkimKey, State, User


@dataclass(frozen=True)
class Material:
    """The remembered things that end up on one host: keys with their stages, its certificate, the users.

    ``lingering``: domains whose MX of ours others may still follow to this host, declared or not.
    """

    certificate: Certificate
    keys: tuple[DkimKey, ...] = ()
    users: tuple[User, ...] = ()
    lingering: frozenset[str] = frozenset()

    @classmethod
    def of(cls, host: Host, certificate: Certificate, state: State) -> "Material":
        """Return what is remembered for a host.

        The ledger keeps a withdrawn MX until caches have forgotten it: until then mail comes (RFC 5321 section 5.1).
        """
        pointing = (c.name for c in state.claims if c.type == "MX" and c.value.split()[-1].rstrip(".") == host.name)
        return cls(certificate, state.keys, state.users, frozenset(pointing))

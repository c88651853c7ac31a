"""What a host's services are rendered from, besides the Stack."""

from dataclasses import dataclass

from sendwright.state.model import Certificate, DkimKey, User


@dataclass(frozen=True)
class Material:
    """The remembered things that end up on one host: keys with their stages, its certificate, the users."""

    certificate: Certificate
    keys: tuple[DkimKey, ...] = ()
    users: tuple[User, ...] = ()

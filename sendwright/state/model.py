"""The state folder's contents as frozen data; private material only ever by reference."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sendwright.service import Sealed
from sendwright.stack import DkimAlgorithm


class KeyStage(StrEnum):
    """The life of a DKIM key, in order (design.md)."""

    GENERATED = "generated"
    PUBLISHED = "published"
    PROVEN = "proven"
    SIGNING = "signing"
    RETIRING = "retiring"
    REVOKED = "revoked"
    REMOVED = "removed"


@dataclass(frozen=True)
class DkimKey:
    """A DKIM key: its public part and its story.

    ``public``: the base64 text of the ``p=`` tag (RFC 6376 section 3.6.1, RFC 8463 section 4); ``pem_sha256``: hex
    digest of the unencrypted PEM as it is installed on hosts; ``served_since``: when every authoritative server was
    first seen to serve it without a break since; ``proven_on``: hosts whose probe signature verified through live DNS.
    """

    domain: str
    selector: str
    algorithm: DkimAlgorithm
    public: str
    pem_sha256: str
    created: datetime
    stage: KeyStage = KeyStage.GENERATED
    served_since: datetime | None = None
    proven_on: tuple[str, ...] = ()

    @property
    def record_name(self) -> str:
        """The name of its TXT record, without a final dot."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def sealed(self) -> Sealed:
        """The private part, by reference."""
        return Sealed(f"keys/{self.domain}/{self.selector}.pem", self.pem_sha256)


@dataclass(frozen=True)
class Certificate:
    """A host's certificate: ``chain`` is PEM text, leaf first; the private key is a reference."""

    host: str
    mode: str
    chain: str
    key: Sealed
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class User:
    """A submission credential: ``password_hash`` is Argon2id in PHC form; ``send_as`` holds domains and addresses."""

    login: str
    password_hash: str
    send_as: tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """One value that we wrote: ours = in the ledger *and* seen. ``value`` is the record data in master-file text."""

    zone: str
    name: str
    type: str
    value: str
    since: datetime


@dataclass(frozen=True)
class State:
    """All that is remembered."""

    keys: tuple[DkimKey, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    users: tuple[User, ...] = ()
    claims: tuple[Claim, ...] = ()

    def keys_of(self, domain: str) -> tuple[DkimKey, ...]:
        """Return a domain's keys, oldest first."""
        return tuple(sorted((k for k in self.keys if k.domain == domain), key=lambda k: (k.created, k.selector)))

    def certificate_of(self, host: str) -> Certificate | None:
        """Return a host's certificate, or None."""
        return next((c for c in self.certificates if c.host == host), None)

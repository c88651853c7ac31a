"""The state folder's contents as frozen data; private material only ever by reference.

What is kept in files is annotated with the alphabets of ``names``: they are checked when a file is read back, because a
folder that travels through git is as foreign as any other input.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field

from sendwright.names import (
    AuthorityUrl,
    Base64Text,
    Base64UrlText,
    DomainName,
    Identifier,
    Login,
    PasswordHash,
    RecordData,
    RecordName,
    RecordType,
    Selector,
    Sha256Hex,
    domain_name,
    mail_address,
)
from sendwright.service import Sealed
from sendwright.stack import DkimAlgorithm


def sender(text: str) -> str:
    """Return what a login may send as, in lower case: an address, or a domain for all of it; else ValueError."""
    return mail_address(text) if "@" in text else domain_name(text)


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
    first seen to serve it without a break since; ``proven_on``: hosts whose probe signature verified through live DNS;
    ``former``: those of which that was so, in whose queues may lie what they signed.
    ``signing_since``: when it was chosen to sign, or was imported from where it did; ``last_signed``: when every
    host was seen not to sign with it any more, None while its clock stands; ``lifetime``: the longest that a host
    was seen since to keep a message and its bounce, in seconds; ``drained``: when none of our queues held a message
    any more that it may have signed; ``revoked``: when every server was seen to say so; ``removed``: when its
    record went, or was to go and may stand yet; ``leaked``: somebody else may have it; ``disclosed``: its private part,
    as it is published: PKCS #8 in base64url; ``target``: the name that its own is an alias of (a delegated selector).
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    domain: DomainName
    selector: Selector
    algorithm: DkimAlgorithm
    public: Base64Text
    pem_sha256: Sha256Hex
    created: AwareDatetime
    stage: KeyStage = KeyStage.GENERATED
    served_since: AwareDatetime | None = None
    proven_on: tuple[DomainName, ...] = ()
    former: tuple[DomainName, ...] = ()
    signing_since: AwareDatetime | None = None
    last_signed: AwareDatetime | None = None
    lifetime: int = 0
    drained: AwareDatetime | None = None
    revoked: AwareDatetime | None = None
    removed: AwareDatetime | None = None
    leaked: AwareDatetime | None = None
    disclosed: Base64UrlText | None = None
    target: RecordName | None = None

    @property
    def record_name(self) -> str:
        """The name that verifiers ask for (RFC 6376 section 3.6.2.1), without a final dot."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def txt_name(self) -> str:
        """The name of its TXT record: another one where verifiers are led there by an alias."""
        return self.target or self.record_name

    @property
    def sealed(self) -> Sealed:
        """The private part, by reference."""
        return Sealed(f"keys/{self.domain}/{self.selector}.pem", self.pem_sha256)


@dataclass(frozen=True)
class Certificate:
    """A host's certificate: ``chain`` is PEM text, leaf first; the private key is a reference.

    ``mode``: how it was got (``stack.Tls``): a host in ``acme`` mode begins with a self-signed one. ``number``: 0 is
    the one that mail is taken with; further ones are for policy hosts of MTA-STS that it has no room for.
    ``issuer``: the URL of the ACME directory that it was ordered from. All certificates of a host have one key.
    """

    host: str
    mode: str
    chain: str
    key: Sealed
    not_before: AwareDatetime
    not_after: AwareDatetime
    number: int = 0
    issuer: str | None = None


@dataclass(frozen=True)
class NextKey:
    """The key that a host's certificate will have after this one, made ahead: senders know it before it is used.

    ``spki``: the SHA-256 digest of its public key (``tlsa``); ``fresh_at``: from when on no cache can hold TLSA records
    of the host without it, None until every server was seen to serve it; a look at them comes before it is used.
    """

    host: str
    key: Sealed
    spki: str
    created: AwareDatetime
    fresh_at: AwareDatetime | None = None
    kind: Literal["ecdsa", "rsa"] = "ecdsa"


@dataclass(frozen=True)
class Account:
    """An account with the authority of that ``directory``.

    ``uri``: what it calls the account (RFC 8555 section 7.3), None until it has answered: the key is kept first.
    """

    directory: str
    uri: str | None
    key: Sealed


@dataclass(frozen=True)
class PendingOrder:
    """An order that an authority has, for the certificate ``number`` of a host: a killed run's is taken up again.

    ``url``: what the authority calls it; ``key_sha256``: of the PEM of the key that the certificate is for.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    host: DomainName
    number: Annotated[int, Field(ge=0, le=9999)]
    directory: AuthorityUrl
    url: AuthorityUrl
    key_sha256: Sha256Hex
    names: tuple[DomainName, ...]


@dataclass(frozen=True)
class User:
    """A submission credential: ``password_hash`` is Argon2id in PHC form; ``send_as`` holds domains and addresses."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    login: Login
    password_hash: PasswordHash
    send_as: tuple[Annotated[str, AfterValidator(sender)], ...]


@dataclass(frozen=True)
class Claim:
    """One value that we wrote: ours = in the ledger *and* seen. ``value`` is the record data in master-file text.

    ``dns``: the entry of the inventory's ``dns`` by which it was written; ``mechanism``: ``value`` is a single term of
    the SPF record at ``name``, which may hold other people's terms too; ``left``: since when nothing that is declared
    needs it, which starts the clock of its withdrawal; ``withdrawn``: it went, and is remembered for a while: whoever
    writes the same again is somebody else.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    zone: RecordName
    name: RecordName
    type: RecordType
    value: RecordData
    since: AwareDatetime
    dns: Identifier
    mechanism: bool = False
    left: AwareDatetime | None = None
    withdrawn: bool = False


@dataclass(frozen=True)
class State:
    """All that is remembered; ``authority``: the internal authority's certificate as PEM text, once there is one."""

    keys: tuple[DkimKey, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    users: tuple[User, ...] = ()
    claims: tuple[Claim, ...] = ()
    authority: str | None = None
    next_keys: tuple[NextKey, ...] = ()

    @property
    def standing(self) -> frozenset[str]:
        """The names at which a TXT record of ours may stand, whatever the stories of keys say by now."""
        return frozenset(c.name for c in self.claims if c.type == "TXT" and not c.withdrawn)

    def certificate_of(self, host: str) -> Certificate | None:
        """Return the certificate that a host takes mail with, or None."""
        return next((c for c in self.certificates if c.host == host and c.number == 0), None)

    def certificates_of(self, host: str) -> tuple[Certificate, ...]:
        """Return all certificates of a host, by their numbers."""
        return tuple(sorted((c for c in self.certificates if c.host == host), key=lambda c: c.number))

    def next_of(self, host: str) -> NextKey | None:
        """Return the key that a host's certificate will have next, or None."""
        return next((k for k in self.next_keys if k.host == host), None)

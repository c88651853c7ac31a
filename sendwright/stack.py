"""The validated declaration: what a person wants, whole and frozen, before anything is looked at.

Everything else (services, records, keys to make, checks) is derived from a Stack. Defaults are those that a mail
expert would choose; each names the standard or the reason.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, field_validator, model_validator

from sendwright.declared import SECRET, EnvSecret, Model, NamedCommand, NamedFile, SecretRef
from sendwright.domain import Address, Dkim, DkimAlgorithm, Dmarc, Domain, MtaSts, Mx, Receive, Spf, TlsRpt
from sendwright.names import (
    AccountId,
    AcmeDirectory,
    CertificateName,
    DomainName,
    Fingerprint,
    Identifier,
    MailtoUri,
    MasterFileText,
    PlainPath,
    PublicAddress,
    SshHost,
    UnixUser,
)
from sendwright.providers import Dns

__all__ = [
    "AcmeAuthority",
    "AcmeTls",
    "Address",
    "CertificateFile",
    "Dkim",
    "DkimAlgorithm",
    "Dmarc",
    "Domain",
    "Egress",
    "Host",
    "HostState",
    "InternalCa",
    "KeyStore",
    "MtaSts",
    "Mx",
    "Receive",
    "Rehearsal",
    "SelfSigned",
    "Shared",
    "Smtp",
    "Spf",
    "Ssh",
    "Stack",
    "Tls",
    "TlsOverride",
    "TlsRpt",
]


class Egress(Model):
    """An address that a host sends from: as the world sees it, and as the host binds it.

    ``bind`` defaults to the public address; behind 1:1 NAT it is the private one, or None to let the kernel choose.
    """

    public: PublicAddress
    bind: Address | None

    @model_validator(mode="before")
    @classmethod
    def _bind_what_is_public(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "public" in data and "bind" not in data:
            return {**data, "bind": data["public"]}
        return data


class HostState(StrEnum):
    """``active`` hosts take submission and are in MX; ``draining`` ones only empty their queue."""

    ACTIVE = "active"
    DRAINING = "draining"


class SelfSigned(Model):
    """A certificate signed by its own key: enough for opportunistic TLS and DANE, not for mail programs."""

    mode: Literal["self-signed"] = "self-signed"
    days: int = Field(365, ge=1, le=3650)


class InternalCa(Model):
    """A certificate from an authority that lives in the state folder."""

    mode: Literal["internal-ca"]
    days: int = Field(90, ge=1, le=825)


class CertificateFile(Model):
    """A certificate chain and key that somebody else renews, on the controller."""

    mode: Literal["file"]
    certificate: PlainPath
    key: Annotated[NamedFile | NamedCommand, SECRET]


class AcmeTls(Model):
    """A certificate from the authority that ``Shared.acme`` names (RFC 8555).

    ``challenge`` None: by DNS where the host's zone is ours to write, else by HTTP on the host. ``renewal``: who renews
    it, keeping its key: the controller, or the host by itself, so that mail does not depend on anybody's laptop.
    """

    mode: Literal["acme"]
    challenge: Literal["dns-01", "http-01"] | None = None
    key: Literal["ecdsa", "rsa"] = "ecdsa"
    renewal: Literal["controller", "host"] = "controller"


Tls = Annotated[SelfSigned | InternalCa | CertificateFile | AcmeTls, Field(discriminator="mode")]

DanePort = Literal[25, 465, 587]


def _dane(settings: Mapping[str, Any]) -> tuple[DanePort, ...]:
    # A certificate from an authority renews with its key kept; what somebody else puts into a file may have another.
    return (25,) if isinstance(settings.get("tls"), AcmeTls) else ()


class Ssh(Model):
    """How to reach and trust a host; ``host_key`` is its fingerprint, checked before anything is sent."""

    hostname: SshHost
    port: int = Field(22, ge=1, le=65535)
    user: UnixUser = "root"
    key: PlainPath | None = None
    key_password: SecretRef | None = None
    host_key: Fingerprint | None = None
    known_hosts: PlainPath | None = None
    sudo: StrictBool = False


class Host(Model):
    """A sending server. ``name`` is its HELO name, its PTR and its A/AAAA (RFC 5321 section 4.1.4).

    ``tls``: settings, or only their mode; ``dane``: the ports whose key is published in TLSA records where the host's
    zone is signed (RFC 7672).
    """

    name: DomainName
    ssh: Ssh
    egress: tuple[Egress, ...] = Field(min_length=1)
    state: HostState = HostState.ACTIVE
    adopt: StrictBool = False
    tls: Tls = SelfSigned()
    dane: tuple[DanePort, ...] = Field(default_factory=_dane)

    @field_validator("tls", mode="before")
    @classmethod
    def _mode_in_a_word(cls, tls: Any) -> Any:
        return {"mode": tls} if isinstance(tls, str) else tls

    @field_validator("egress")
    @classmethod
    def _one_address_a_family(cls, egress: tuple[Egress, ...]) -> tuple[Egress, ...]:
        for version in (4, 6):
            if sum(e.public.version == version for e in egress) > 1:
                raise ValueError(f"more than one IPv{version} address: Postfix binds one address a family")
        if any(e.bind is not None and e.bind.version != e.public.version for e in egress):
            raise ValueError("public and bind are of different families")
        return egress

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses that the world sees, v4 first."""
        return tuple(sorted((e.public for e in self.egress), key=lambda a: a.version))

    @property
    def ipv6(self) -> bool:
        """Whether the host sends over v6; undeclared, it must not (mail would leak from an unlisted address)."""
        return any(e.public.version == 6 for e in self.egress)


class KeyStore(Model):
    """How private keys rest on the controller: encrypted, unless somebody says otherwise in so many words.

    ``push``: a command (its words, run in the inventory folder) that makes the state folder durable, before any new key
    is published; without one a copy of the key on a host comes first.
    """

    passphrase: SecretRef = EnvSecret(env="SENDWRIGHT_PASSPHRASE")
    push: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    unencrypted: Literal["I know that anybody who reads this folder can sign as us"] | None = None


class TlsOverride(Model):
    """What a destination's servers have to prove, whatever it publishes: a level of Postfix's, or only its name.

    ``match``: the names that a certificate may have at ``secure``, with a leading dot for all below one; without any it
    has to be the destination's own name or one below it.
    """

    level: Literal["none", "may", "encrypt", "dane", "dane-only", "secure"]
    match: tuple[CertificateName, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _level_in_a_word(cls, data: Any) -> Any:
        return {"level": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _matched_where_verified(self) -> Self:
        if self.match and self.level != "secure":
            raise ValueError(f"match has no meaning at {self.level}: names are verified at secure only")
        return self


class Smtp(Model):
    """Settings of every Postfix. Lifetimes in days: key retirement waits for them, so they are short.

    ``others_queue_days``: how long smarthosts and forwarders may keep our mail (RFC 5321 section 4.5.4.1 asks for four
    to five days): what it is judged by stays as long. ``tls_overrides``: destinations whose servers have to prove
    something else than they publish by DANE and MTA-STS.
    """

    queue_days: int = Field(2, ge=1, le=5)
    bounce_days: int = Field(1, ge=1, le=5)
    message_mib: int = Field(25, ge=1, le=150)
    probe_mx: DomainName = "aspmx.l.google.com"
    others_queue_days: int = Field(7, ge=1, le=90)
    keep_bounces_days: int = Field(90, ge=1, le=3650)
    tls_overrides: Mapping[DomainName, TlsOverride] = Field(default_factory=dict)


class ExternalAccount(Model):
    """What ties an account to one that a person has with the authority already (RFC 8555 section 7.3.4)."""

    kid: AccountId
    hmac: SecretRef


class AcmeAuthority(Model):
    """Who issues certificates in ``acme`` mode; asking it for one agrees to its terms of service.

    ``directory``: ``letsencrypt``, ``staging`` (the same, whose certificates nobody trusts) or the URL of any other;
    ``contact``: whom it may write to; ``external_account``: for authorities that ask for one; ``trust``: a PEM file
    with the roots of a private authority, for its own server and for the certificates that it issues.
    """

    directory: AcmeDirectory = "letsencrypt"
    contact: tuple[MailtoUri, ...] = ()
    external_account: ExternalAccount | None = None
    trust: PlainPath | None = None


class Rehearsal(Model):
    """The one overlay by which a rehearsal differs from production: root hints, trust anchor, a shorter clock."""

    root_hints: MasterFileText
    trust_anchor: MasterFileText


class Shared(Model):
    """What hosts and domains share."""

    dns: Mapping[Identifier, Dns] = Field(default_factory=dict)
    key_store: KeyStore = KeyStore()
    smtp: Smtp = Smtp()
    acme: AcmeAuthority = AcmeAuthority()
    state_dir: PlainPath | None = None
    rehearsal: Rehearsal | None = None


class Stack(Shared):
    """The whole declaration: hosts, domains and what they share.

    ``roots``: what lies in the file that ``acme.trust`` names, where hosts have to know it.
    """

    hosts: tuple[Host, ...] = Field(min_length=1)
    domains: tuple[Domain, ...] = Field(min_length=1)
    roots: str | None = Field(None, exclude=True, repr=False)

    def host(self, name: str) -> Host:
        """Return the host of that name; KeyError if there is none."""
        return self._hosts[name]

    def domain(self, name: str) -> Domain:
        """Return the domain of that name; KeyError if there is none."""
        return self._domains[name]

    def hosts_of(self, domain: Domain) -> tuple[Host, ...]:
        """Return the hosts that send for a domain: none for one that does not send."""
        return tuple(h for h in self.hosts if _sends_for(h, domain))

    def domains_of(self, host: Host) -> tuple[Domain, ...]:
        """Return the domains that a host sends for."""
        return tuple(d for d in self.domains if _sends_for(host, d))

    def covering(self, name: str) -> Domain | None:
        """Return the declared domain that a name lies at or below, the longest one, or None."""
        labels = name.split(".")
        above = (".".join(labels[i:]) for i in range(len(labels)))
        return next((self._domains[n] for n in above if n in self._domains), None)

    def limited(self, names: frozenset[str]) -> tuple[Host, ...]:
        """Return the hosts of those names; all for an empty set."""
        return tuple(h for h in self.hosts if not names or h.name in names)

    # Ten thousand domains are asked for by name, each of them many times.
    @cached_property
    def _hosts(self) -> Mapping[str, Host]:
        return {h.name: h for h in reversed(self.hosts)}

    @cached_property
    def _domains(self) -> Mapping[str, Domain]:
        return {d.name: d for d in reversed(self.domains)}

    def __copy__(self) -> Self:
        """Return a copy without what was worked out: ``model_copy`` may give it other hosts or domains."""
        copied = super().__copy__()
        for name in ("_hosts", "_domains"):
            vars(copied).pop(name, None)
        return copied


def _sends_for(host: Host, domain: Domain) -> bool:
    return domain.sends and (domain.hosts is None or host.name in domain.hosts)

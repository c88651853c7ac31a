"""What a person declares of a domain: a part of the Stack, with the defaults that a mail expert would choose."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, StrictBool, field_validator, model_validator

from sendwright.declared import Model
from sendwright.names import DomainName, Identifier, IpAddress, LocalPart, MailAddress, MailtoUri, SpfDomain

Address = IpAddress


class DkimAlgorithm(StrEnum):
    """Key types: RSA for everybody (RFC 8301), Ed25519 besides it (RFC 8463), never alone."""

    RSA = "rsa"
    ED25519 = "ed25519"


class Dkim(Model):
    """Signing. Switch Ed25519 off for relay services that refuse two DKIM-Signature fields.

    ``rotate``: a key that is due, ``rotate_days`` after it began to sign, gets its successor by itself when
    ``sendwright rotate`` runs; ``revoked_days``: how long the empty record of a revoked key stays;
    ``publish_revoked_keys``: the private part of a revoked key is published, so that what it once signed proves nothing
    to anybody any more; ``delegate_to``: selectors are fixed, and aliases of names below ``_domainkey.`` of this name,
    which lies in a zone of ours (``delegated``).
    """

    algorithms: tuple[DkimAlgorithm, ...] = (DkimAlgorithm.RSA, DkimAlgorithm.ED25519)
    rsa_bits: Literal[2048, 3072, 4096] = 2048
    rotate: StrictBool = False
    rotate_days: int = Field(90, ge=1, le=3650)
    revoked_days: int = Field(30, ge=1, le=3650)
    publish_revoked_keys: StrictBool = False
    delegate_to: DomainName | None = None

    @field_validator("algorithms")
    @classmethod
    def _rsa_is_there(cls, algorithms: tuple[DkimAlgorithm, ...]) -> tuple[DkimAlgorithm, ...]:
        if DkimAlgorithm.RSA not in algorithms or len(set(algorithms)) != len(algorithms):
            raise ValueError("rsa must be among them, each once: many receivers verify nothing else")
        return algorithms


class Spf(Model):
    """Who else may send (RFC 7208); the stack's own egress addresses are always listed.

    ``~all`` by default: with DMARC it is as strict as ``-all``, and forwarded mail survives (RFC 9989 section 8).
    """

    include: tuple[SpfDomain, ...] = ()
    addresses: tuple[Address, ...] = ()
    all: Literal["-all", "~all", "?all"] = "~all"


class Dmarc(Model):
    """The DMARC policy (RFC 9989: no ``pct``, ``rf`` or ``ri``). A new domain starts at ``none`` and looks first.

    ``rua`` None means ``dmarc@`` the domain when the domain receives here.
    """

    policy: Literal["none", "quarantine", "reject"] = "none"
    subdomains: Literal["none", "quarantine", "reject"] | None = None
    nonexistent: Literal["none", "quarantine", "reject"] | None = None
    alignment: Literal["relaxed", "strict"] = "relaxed"
    rua: tuple[MailtoUri, ...] | None = None
    ruf: tuple[MailtoUri, ...] = ()


class TlsRpt(Model):
    """Where reports on TLS failures go (RFC 8460); None means ``tls-reports@`` the domain when it receives here."""

    rua: tuple[MailtoUri, ...] | None = None


class MtaSts(Model):
    """What senders do that find a server of the domain's without a certificate that they trust (RFC 8461).

    ``testing``: they deliver and report; ``enforce``: they do not deliver; ``none``: they forget an earlier policy;
    ``off``: there is none. ``max_age_days``: how long they remember it. The mode alone stands for its defaults.
    """

    mode: Literal["off", "none", "testing", "enforce"] = "testing"
    max_age_days: int = Field(7, ge=1, le=365)

    @model_validator(mode="before")
    @classmethod
    def _mode_in_a_word(cls, data: Any) -> Any:
        return {"mode": data} if isinstance(data, str) else data


class Receive(Model):
    """What happens to the little mail that a sender must take: kept in a local Maildir, or forwarded.

    ``forward``: where postmaster, abuse, reports and bounces go; ``aliases``: further local parts, each to an address
    or None for the local Maildir.
    """

    forward: MailAddress | None = None
    aliases: Mapping[LocalPart, MailAddress | None] = Field(default_factory=dict)


class Mx(StrEnum):
    """Where a domain's mail goes: ``here`` (this stack's hosts), or ``elsewhere`` (its MX is never touched).

    ``none``: nowhere (RFC 7505), and only for a domain that sends nothing: bounces have to come to one that does.
    """

    HERE = "here"
    ELSEWHERE = "elsewhere"
    NONE = "none"


def _mx(settings: Mapping[str, Any]) -> Mx:
    return Mx.HERE if settings["sends"] else Mx.ELSEWHERE


def _submission_srv(settings: Mapping[str, Any]) -> bool:
    # Where somebody else takes the mail, somebody else has the mailboxes, and mail programs belong there.
    return settings["sends"] and settings["mx"] is Mx.HERE


class Domain(Model):
    """A domain, and who sends for it; one that ``sends`` nothing is locked, so that nobody can send as it.

    ``dns`` None: its zone is not ours to write, and its owner publishes what it needs; ``hosts`` None means every host;
    ``replace_mx`` consents to withdrawing a foreign MX; ``submission_srv``: whether mail programs find its hosts by SRV
    (RFC 6186); ``mta_sts`` None: a policy in testing where its mail comes here, to hosts in ``acme`` mode; ``caa``: who
    alone may issue certificates (RFC 8659), if anybody is named.
    """

    name: DomainName
    dns: Identifier | None
    sends: StrictBool = True
    hosts: tuple[DomainName, ...] | None = None
    dkim: Dkim = Dkim()
    spf: Spf = Spf()
    dmarc: Dmarc = Dmarc()
    tls_rpt: TlsRpt = TlsRpt()
    mta_sts: MtaSts | None = None
    mx: Mx = Field(default_factory=_mx)
    replace_mx: StrictBool = False
    submission_srv: StrictBool = Field(default_factory=_submission_srv)
    caa: tuple[DomainName, ...] = ()
    receive: Receive = Receive()

    @property
    def dmarc_rua(self) -> tuple[str, ...]:
        """The addresses for aggregate reports, with the default worked out."""
        return self._reports(self.dmarc.rua, "dmarc")

    @property
    def tls_rpt_rua(self) -> tuple[str, ...]:
        """The addresses for TLS reports, with the default worked out."""
        return self._reports(self.tls_rpt.rua, "tls-reports")

    def _reports(self, declared: tuple[str, ...] | None, local: str) -> tuple[str, ...]:
        if declared is not None:
            return declared
        return (f"mailto:{local}@{self.name}",) if self.mx is Mx.HERE else ()

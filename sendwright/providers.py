"""The entries of ``dns``: where records are kept, each by its provider."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator

from sendwright.declared import EnvSecret, Model, SecretRef
from sendwright.names import HttpUrl, Identifier, IpAddress, PlainPath, PythonClass, TsigName

_MARGIN = Field(900, ge=0, le=86400)


class Tsig(Model):
    """A transaction signature key (RFC 8945)."""

    name: TsigName
    secret: SecretRef
    algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"] = "hmac-sha256"


class Rfc2136(Model):
    """A primary name server that takes dynamic updates (RFC 2136), always with TSIG.

    ``margin``: seconds added to every freshness wait, because anycast hides nodes from us.
    """

    provider: Literal["rfc2136"]
    server: IpAddress
    port: int = Field(53, ge=1, le=65535)
    tsig: Tsig
    margin: int = _MARGIN


def _guarded(url: str) -> str:
    """Return the URL of an API that takes a key; ValueError if others could read the key on its way."""
    parts = urlsplit(url)
    if not parts.port and parts.port is not None:
        raise ValueError("there is no port 0")
    if parts.scheme == "https" or parts.hostname == "localhost":
        return url
    try:
        private = ip_address(parts.hostname or "").is_private
    except ValueError:
        private = False
    if not private:
        raise ValueError("everybody on the way could read the key: write https, or a loopback or private address")
    return url


class PowerDns(Model):
    """A PowerDNS server, by its HTTP API. ``server_id`` is its own name for itself; ``margin``: see ``Rfc2136``."""

    provider: Literal["powerdns"]
    url: Annotated[HttpUrl, AfterValidator(_guarded)]
    key: SecretRef
    server_id: Identifier = "localhost"
    margin: int = _MARGIN


class Cloudflare(Model):
    """Cloudflare, by its API; the token needs Zone.Zone:Read and Zone.DNS:Edit for the zones of the inventory.

    ``margin``: see ``Rfc2136``.
    """

    provider: Literal["cloudflare"]
    token: SecretRef = EnvSecret(env="CLOUDFLARE_API_TOKEN")
    margin: int = _MARGIN


class Zonefile(Model):
    """Master files (RFC 1035 section 5), one a zone, named ``ZONE.zone``; what serves them is somebody else's job.

    ``folder``: relative paths start at the inventory folder; ``margin``: see ``Rfc2136``.
    """

    provider: Literal["zonefile"]
    folder: PlainPath
    margin: int = _MARGIN


def _setting(value: object) -> object:
    if not isinstance(value, bool | int | str):
        raise ValueError("must be text, a whole number, True or False")  # noqa: TRY004 - pydantic's own
    return value


class OctoDns(Model):
    """Any provider of octoDNS (the extra ``octodns`` and the provider's own package have to be installed).

    ``driver``: the ``class`` of an octoDNS configuration, as in ``octodns_route53.Route53Provider``; ``settings`` and
    ``secrets`` are its arguments; ``margin``: see ``Rfc2136``.
    """

    provider: Literal["octodns"]
    driver: PythonClass
    settings: Mapping[Identifier, Annotated[bool | int | str, PlainValidator(_setting)]] = Field(default_factory=dict)
    secrets: Mapping[Identifier, SecretRef] = Field(default_factory=dict)
    margin: int = _MARGIN


Dns = Annotated[Rfc2136 | Cloudflare | PowerDns | Zonefile | OctoDns, Field(discriminator="provider")]

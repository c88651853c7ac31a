"""What to do about a record of a domain, or a server: for declared ones the inventory knows, and has a verb."""

from sendwright.dns.domain_records import of_domain
from sendwright.dns.policies import policies
from sendwright.dns.rdata import joined
from sendwright.stack import AcmeTls, CertificateFile, Host
from sendwright.verify.target import Server, Target
from sendwright.verify.wording import listed


def wanted(target: Target, rdtype: str) -> tuple[str, ...]:
    """Return what the inventory wants at a declared domain, as text: its SPF record (TXT) or its MX records."""
    if target.declared is None:
        return ()
    found = [r.value for r in of_domain(target.declared.stack, target.declared.domain) if r.type == rdtype]
    return tuple(joined(value).decode("latin-1") if rdtype == "TXT" else value for value in found)


def publish(target: Target, rdtype: str, otherwise: str) -> str:
    """Return how a record comes to be as it should be; ``otherwise`` for a domain that no inventory declares."""
    return _said(target, f"{target.domain} {rdtype}", wanted(target, rdtype)) or otherwise


def publish_policy(target: Target, name: str, otherwise: str) -> str:
    """Return how a policy record (DMARC, TLS-RPT) comes to be as it should be; ``otherwise`` as in ``publish``."""
    found = policies(target.declared.domain) if target.declared else ()
    values = tuple(joined(record.value).decode("latin-1") for record in found if record.name == name)
    return _said(target, f"{name} TXT", values) or otherwise


def on_host(server: Server, otherwise: str) -> str:
    """Return how a mail server comes to be set up as it should be; ``otherwise`` for one that no inventory declares.

    Settings that somebody changes on a declared host are put back by the next provision.
    """
    if server.host is None:
        return otherwise
    return "Run `sendwright provision INVENTORY`, which sets this up; if it has nothing to do, another server answers."


def renewal(host: Host | None) -> str:
    """Return what to do about a certificate that ends, or is over; None: of a host that no inventory declares."""
    if host is None:
        return "Renew it, and see that whatever renews it also reloads the mail server."
    if isinstance(host.tls, CertificateFile):
        return "Renew the declared file, then run `sendwright provision INVENTORY`."
    if not isinstance(host.tls, AcmeTls):
        return "Run `sendwright provision INVENTORY`: it renews and rolls out."
    again = f"`sendwright certs renew INVENTORY --limit {host.name}`"
    if host.tls.renewal == "host":
        return f"`journalctl -u sendwright-renewal` on it says why it failed; {again} renews it from here."
    return f"Run {again}: it renews it, or says why not; and have cron or CI run it daily."


def _said(target: Target, place: str, values: tuple[str, ...]) -> str:
    if target.declared is None or not values:
        return ""
    if target.declared.domain.dns is None:
        return f"Have the owner of the zone publish at {place}: {listed(values)}"
    return f"Run `sendwright provision INVENTORY`, which publishes at {place}: {listed(values)}"

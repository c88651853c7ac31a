"""Which domains have senders insist on a certificate that is trusted and names the server (MTA-STS, RFC 8461)."""

from collections.abc import Sequence

from sendwright.verify.look import Look
from sendwright.verify.records import sts_policy, sts_record
from sendwright.verify.records.sts_policy import Mode
from sendwright.verify.records.sts_record import StsSyntaxError

_MOST = 10
_OK = 200


def enforcing(domains: Sequence[str], server: str, look: Look) -> str:
    """Return the first of the domains whose policy is enforced and names this server, or nothing.

    Only few are asked, and only where it matters: `mta-sts` judges the policies themselves.
    """
    return next((domain for domain in domains[:_MOST] if _enforces(domain, server, look)), "")


def _enforces(domain: str, server: str, look: Look) -> bool:
    if not any(sts_record.is_record(text) for text in look.dns.ask(f"_mta-sts.{domain}", "TXT").values):
        return False
    fetched = look.fetch(f"https://mta-sts.{domain}/.well-known/mta-sts.txt", sts_policy.LARGEST)
    if fetched.status != _OK or fetched.cut:
        return False
    try:
        policy = sts_policy.parse(fetched.body)
    except StsSyntaxError:
        return False
    return policy.mode is Mode.ENFORCE and policy.allows(server)

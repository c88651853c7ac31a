"""Judge whether a certificate can be verified: who issued it, and for whom; and how bad it is if not."""

from collections.abc import Iterator
from dataclasses import dataclass

from sendwright.stack import AcmeAuthority, AcmeTls, CertificateFile
from sendwright.verify import dane
from sendwright.verify.enforcing import enforcing
from sendwright.verify.finding import Check, Finding
from sendwright.verify.look import Look
from sendwright.verify.records.certificate import Read, covers
from sendwright.verify.rules.tls import CHAIN, NAME
from sendwright.verify.speaking.conversation import EXPIRED, SELF_SIGNED, Conversation
from sendwright.verify.target import Server
from sendwright.verify.wording import listed

_MOST_NAMES = 5


@dataclass(frozen=True)
class Shown:
    """A chain, and to whom it is shown: ``mail_programs`` on a port of submission; ``vouched`` for by DANE."""

    chain: tuple[Read, ...]
    trusted: str
    mail_programs: bool
    vouched: bool


def shown(server: Server, talk: Conversation, look: Look) -> Shown:
    """Return what an endpoint shows."""
    trusted = talk.tls.trusted if talk.tls is not None else ""
    vouched = dane.vouched(server, talk, look)
    return Shown(dane.read_chain(talk) or (), trusted, talk.endpoint.port != 25, vouched)


def judged(server: Server, seen: Shown, look: Look) -> Iterator[Finding]:
    """Judge issuer and name; of a certificate that cannot be read `tls.key` has told."""
    leaf = seen.chain[0]
    if leaf.problem:
        return
    if not seen.trusted:
        yield CHAIN.passed(server.subject, f"issued by {leaf.issuer}")
    elif seen.trusted == EXPIRED:
        yield CHAIN.passed(server.subject, f"issued by {leaf.issuer}; only its dates are wrong")
    elif server.host is not None and isinstance(server.host.tls, AcmeTls):
        yield _of_authority(server, seen, look)
    elif seen.mail_programs and server.host is not None and not isinstance(server.host.tls, CertificateFile):
        # Declared to be of its own authority: a person chose it, and knows what mail programs say.
        advice = "Declare a certificate of a public authority for the host: tls with the mode 'acme', or 'file'."
        yield CHAIN.warned(server.subject, f"{seen.trusted}, as the inventory has it", advice)
    else:
        yield _unverified(CHAIN, server, seen, look, seen.trusted, _mend(seen))
    if covers(leaf.names, server.name):
        yield NAME.passed(server.subject, f"it is for {server.name}")
    else:
        words = f"it is for {listed(leaf.names, _MOST_NAMES)}" if leaf.names else "it has no DNS name in its SAN"
        advice = f"Have one issued for {server.name}, as a DNS name in its SAN."
        yield _unverified(NAME, server, seen, look, words, advice)


def _of_authority(server: Server, seen: Shown, look: Look) -> Finding:
    """Judge what a host in ``acme`` mode shows and nobody trusts: it begins with a certificate of its own."""
    if seen.chain[0].own:
        why = f"{seen.trusted}: it still shows the certificate that it began with"
        advice = (
            f"Run `sendwright certs issue INVENTORY --limit {server.name}`: it gets the authority's, or says why not."
        )
        return CHAIN.failed(server.subject, why, advice)
    acme = server.stack.acme if server.stack is not None else AcmeAuthority()
    if "staging" in acme.directory and not enforcing(server.takes, server.name, look):
        advice = "Once all else is right, leave `directory` out of acme, then run `sendwright provision INVENTORY`."
        return CHAIN.warned(server.subject, f"issued by {seen.chain[0].issuer} (staging): nobody trusts it", advice)
    return _unverified(CHAIN, server, seen, look, seen.trusted, _mend(seen))


def _unverified(check: Check, server: Server, seen: Shown, look: Look, why: str, advice: str) -> Finding:
    """Say how bad it is: mail programs and enforced MTA-STS refuse it, DANE makes up for it, and others do not look."""
    if seen.mail_programs:
        return check.failed(server.subject, why, f"{advice} Mail programs refuse to send.")
    if domain := enforcing(server.takes, server.name, look):
        # Senders that know no DANE hold to it, the largest among them.
        insisted = f"{why}, and {domain} has senders insist on a valid one (MTA-STS)"
        return check.failed(server.subject, insisted, advice)
    if seen.vouched:
        return check.passed(server.subject, f"{why}, and DANE vouches for its key")
    return check.warned(server.subject, why, f"{advice} Or vouch for this one by DANE.")


def _mend(seen: Shown) -> str:
    if len(seen.chain) == 1 and seen.trusted != SELF_SIGNED:
        return "Serve the whole chain: the certificates between it and the authority are missing (fullchain.pem)."
    return "Serve a certificate of a public authority."

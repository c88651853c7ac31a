"""Judge TLS of mail servers: what is shown, for whom, for how long, and how strong it is."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sendwright.lifetime import overdue_from
from sendwright.stack import AcmeTls, CertificateFile, Host
from sendwright.state.model import Certificate
from sendwright.verify import dane, tls_parameters, tls_trust
from sendwright.verify.endpoints import alike, each, places, spoken
from sendwright.verify.finding import Finding
from sendwright.verify.look import Look
from sendwright.verify.records import certificate
from sendwright.verify.records.certificate import Read, first_of
from sendwright.verify.remedy import on_host, renewal
from sendwright.verify.rules.tls import DAYS, DESIRED, KEY, OFFERED, PROTOCOLS, SAME, SIGNATURE
from sendwright.verify.speaking.conversation import Conversation, Handshake
from sendwright.verify.target import Server
from sendwright.verify.wording import shown as cut

_MOST_NAMES = 5
_OLD = frozenset({"SSLv3", "TLSv1", "TLSv1.1"})
_HOURS = timedelta(days=3)


def check(server: Server, talks: Sequence[Conversation], look: Look) -> Iterator[Finding]:
    """Judge every endpoint that spoke; what several show alike is judged once."""
    awake = spoken(talks)
    for talk in awake:
        yield from _offered(server, talk)
    shown = [talk for talk in awake if dane.read_chain(talk)]
    for chain, group in alike(shown, lambda talk: dane.read_chain(talk) or ()).items():
        for finding in _itself(server, chain, look.now):
            yield from each(finding, group)
    for seen, group in alike(shown, lambda talk: tls_trust.shown(server, talk, look)).items():
        for finding in tls_trust.judged(server, seen, look):
            yield from each(finding, group)
    secured = [talk for talk in awake if talk.tls is not None]
    for (tls, mail_programs), group in alike(secured, _versions).items():
        yield from each(_protocols(server, tls, mail_programs=mail_programs), group)
    yield from tls_parameters.check(server, awake)
    if shown:
        yield _same(server, shown)
        yield from _desired(server, shown)


def _offered(server: Server, talk: Conversation) -> Iterator[Finding]:
    target = str(talk.endpoint)
    if talk.tls is not None:
        yield OFFERED.passed(server.subject, f"{talk.tls.version}, {talk.tls.cipher}", target)
    elif talk.tls_failure:
        advice = "Look at the server's log: its certificate or key cannot be read, or no cipher is shared."
        yield OFFERED.failed(server.subject, cut(talk.tls_failure), advice, target)
    elif talk.why:
        yield OFFERED.unknown(server.subject, cut(talk.why), "", target)
    else:
        advice = on_host(
            server, "Switch STARTTLS on: in Postfix, smtpd_tls_chain_files and smtpd_tls_security_level = may."
        )
        yield OFFERED.failed(server.subject, "STARTTLS is not offered", advice, target)


def _itself(server: Server, chain: tuple[Read, ...], now: datetime) -> Iterator[Finding]:
    if chain[0].problem:
        yield KEY.failed(server.subject, chain[0].problem, "Serve a certificate that follows RFC 5280.")
        return
    yield _days(server, chain[0], now)
    weak = next((c for c in chain if c.weak_key and (c is chain[0] or not c.own)), None)
    if weak is None:
        yield KEY.passed(server.subject, chain[0].key)
    else:
        advice = "Make a new key (ECDSA P-256, or RSA of 2,048 bits) and a certificate for it."
        yield KEY.failed(server.subject, _of(weak, chain) + weak.key, advice)
    # What signs itself at the end of a chain is trusted as it is, and not for its signature.
    weak = next((c for c in chain if c.weak_signature and (c is chain[0] or not c.own)), None)
    if weak is None:
        yield SIGNATURE.passed(server.subject, chain[0].signature)
    else:
        advice = "Have it issued again: every authority signs with SHA-256 today."
        yield SIGNATURE.failed(server.subject, _of(weak, chain) + weak.signature, advice)


def _of(weak: Read, chain: Sequence[Read]) -> str:
    return "" if weak is chain[0] else f"a certificate further up the chain, issued by {weak.issuer}: "


def _days(server: Server, leaf: Read, now: datetime) -> Finding:
    if leaf.not_before is None or leaf.not_after is None:
        return DAYS.unknown(server.subject, "it has no dates")
    renew = renewal(server.host)
    if now > leaf.not_after:
        return DAYS.failed(server.subject, f"it ended on {leaf.not_after:%Y-%m-%d %H:%M} UTC", renew)
    if now < leaf.not_before:
        seen = f"it begins on {leaf.not_before:%Y-%m-%d %H:%M} UTC"
        return DAYS.failed(server.subject, seen, "Set the clock of whoever issued it, or wait.")
    left = leaf.not_after - now
    words = f"{left.days} days" if left >= _HOURS else f"{left.total_seconds() / 3600:.0f} hours"
    seen = f"{words} left, until {leaf.not_after:%Y-%m-%d}"
    if _overdue(server, leaf, now):
        failed = server.host is not None and isinstance(server.host.tls, AcmeTls)
        judged = DAYS.failed if failed else DAYS.warned
        return judged(server.subject, f"{seen}; its renewal is overdue" if server.host else seen, renew)
    return DAYS.passed(server.subject, seen)


def _overdue(server: Server, leaf: Read, now: datetime) -> bool:
    """Whether somebody should have renewed it; what we renew ourselves is judged by its own life alone."""
    if leaf.not_before is None or leaf.not_after is None:
        return False
    if server.host is None or isinstance(server.host.tls, CertificateFile):
        return leaf.not_after - now < leaf.soon
    return now >= overdue_from(leaf.not_before, leaf.not_after)


def _versions(talk: Conversation) -> tuple[tuple[str, str, str], bool]:
    tls = talk.tls or Handshake("", "", ())
    return (tls.version, tls.old, tls.unasked), talk.endpoint.port != 25


def _protocols(server: Server, tls: tuple[str, str, str], *, mail_programs: bool) -> Finding:
    version, old, unasked = tls
    advice = on_host(
        server, "Speak 1.2 and newer only: in Postfix, smtpd_tls_protocols = >=TLSv1.2 and the mandatory ones the same."
    )
    if version in _OLD:
        return PROTOCOLS.failed(server.subject, f"nothing newer than {version}", advice)
    if old:
        # Between servers an old version is still better than none at all; a mail program has no such choice.
        judged = PROTOCOLS.failed if mail_programs else PROTOCOLS.warned
        return judged(server.subject, f"{version}, and {old} as well", advice)
    if unasked:
        return PROTOCOLS.unknown(server.subject, cut(f"{version}; older ones could not be offered: {unasked}"))
    return PROTOCOLS.passed(server.subject, f"{version}, and nothing older than 1.2")


def _same(server: Server, shown: Sequence[Conversation]) -> Finding:
    groups = alike(shown, lambda talk: talk.tls.chain[0] if talk.tls else b"")
    if len(groups) == 1:
        one = "one address and port" if len(shown) == 1 else f"{len(shown)} addresses and ports show the same"
        return SAME.passed(server.subject, one)
    seen = "; ".join(f"one on {places(group)}" for group in list(groups.values())[:_MOST_NAMES])
    return SAME.warned(server.subject, seen, "Roll one certificate out everywhere, and reload every service.")


def _desired(server: Server, shown: Sequence[Conversation]) -> Iterator[Finding]:
    if server.host is None or server.state is None:
        return
    wanted = server.state.certificate_of(server.host.name)
    if wanted is None:
        yield DESIRED.failed(
            server.subject, "the state folder holds none for it", "Run `sendwright provision INVENTORY`."
        )
        return
    der = first_of(wanted.chain)
    other = [talk for talk in shown if talk.tls is not None and talk.tls.chain[0] != der]
    ends = [end for talk in other if (end := _renewed(server.host, wanted, dane.read_chain(talk)))]
    if len(ends) < len(other):
        seen = f"{places(other)} shows another one than that of the state folder"
        yield DESIRED.failed(
            server.subject, seen, "Run `sendwright provision INVENTORY`: it rolls the desired one out."
        )
    elif ends:
        yield DESIRED.passed(
            server.subject, f"renewed by the host itself, with its key kept, until {min(ends):%Y-%m-%d}"
        )
    else:
        yield DESIRED.passed(server.subject, f"as rolled out, until {wanted.not_after:%Y-%m-%d}")


def _renewed(host: Host, wanted: Certificate, chain: tuple[Read, ...] | None) -> datetime | None:
    """Return when a certificate ends that a host renewed by itself; None for any other."""
    if not (chain and isinstance(host.tls, AcmeTls) and host.tls.renewal == "host"):
        return None
    leaf, remembered = chain[0], certificate.read(first_of(wanted.chain))
    if leaf.not_after is None or leaf.spki != remembered.spki or not set(remembered.names) <= set(leaf.names):
        return None
    return leaf.not_after if leaf.not_after > wanted.not_after else None

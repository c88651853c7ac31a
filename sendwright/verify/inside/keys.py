"""What a host signs with, beside what DNS serves: keys at rest and in use, and signatures of the running signers. Pure.

The private key never leaves its host. What lies there is compared by the digest that the state folder knows, and that
key's public part with the record; what the running process signs with is shown by its own signature, by dkimpy's word.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sendwright import dkim
from sendwright.deploys.opendkim import key_path, sockets
from sendwright.deploys.probe import Sample, Signed
from sendwright.dns.key_tags import same_key
from sendwright.dns.rdata import txt
from sendwright.judges import Signature, signatures
from sendwright.lines import HostSeen
from sendwright.signing import by_domain, signing, signs
from sendwright.stack import Domain, Host, Stack
from sendwright.state.model import DkimKey, KeyStage
from sendwright.verify.finding import Check, Finding, Kind, Subject
from sendwright.verify.inside.facts import Facts, converge
from sendwright.verify.look import Answer, Told
from sendwright.verify.rules import dkim as rules

_MOST_SEEN, _MOST_SHOWN = 300, 120
_KEYS = "._domainkey."


@dataclass(frozen=True)
class Signer:
    """What signs on one host.

    ``seen``: what it signs with, judged by its tables; ``signed``: what each running signer answered about a message,
    by algorithm and author; ``sample``: that message.
    """

    facts: Facts
    seen: HostSeen
    signed: Mapping[str, Mapping[str, Signed]] = field(default_factory=dict)
    sample: Sample = field(default_factory=lambda: Sample((), ""))

    @cached_property
    def stories(self) -> Mapping[str, DkimKey]:
        """All keys that are remembered, by record name."""
        return {key.record_name: key for key in self.facts.state.keys}

    @cached_property
    def of_domain(self) -> Mapping[str, tuple[DkimKey, ...]]:
        """The same, by domain."""
        return by_domain(self.facts.state.keys)

    @cached_property
    def by_tables(self) -> Mapping[str, frozenset[str]]:
        """The records of the keys that its tables have sign for each domain."""
        found: dict[str, set[str]] = {}
        for name in self.seen.signs or ():
            found.setdefault(name.partition(_KEYS)[2], set()).add(name)
        return {domain: frozenset(names) for domain, names in found.items()}

    def answers(self, domain: Domain) -> Iterator[tuple[str, Signed]]:
        """Yield what each signer of a domain's algorithms answered about a message of that domain."""
        for algorithm in domain.dkim.algorithms:
            yield algorithm, self.signed.get(algorithm, {}).get(author(domain), Signed(""))

    def records(self, domain: Domain) -> tuple[str, ...]:
        """Return the records of the keys that really sign a domain's mail: by the tables, and by live signatures."""
        alive = {named(value) for _, answer in self.answers(domain) for value in answer.signatures if named(value)}
        return tuple(sorted(alive | self.by_tables.get(domain.name, frozenset())))


def author(domain: Domain) -> str:
    """Return the address in whose name signers are asked about a domain: nobody's, and no probe of a single key."""
    return f"sendwright-verify@{domain.name}"


def named(value: str) -> str:
    """Return the record name that a DKIM-Signature asks verifiers to look at, or nothing."""
    tags = dict(part.split("=", 1) for part in "".join(value.split()).split(";") if "=" in part)
    domain, selector = tags.get("d", ""), tags.get("s", "")
    return f"{selector}{_KEYS}{domain}".lower() if domain and selector else ""


def matches(signer: Signer, domain: Domain, answers: Mapping[str, Answer]) -> Iterator[Finding]:
    """Yield for each key that signs a domain's mail on a host whether it is the one that DNS serves."""
    check, host = rules.MATCHES, signer.facts.host
    subject = Subject(Kind.DOMAIN, domain.name)
    records = signer.records(domain)
    if not records and signer.seen.signs is None:
        why = "what the host signs with cannot be told: its signers run with other tables than those on disk"
        yield check.unknown(subject, why, f"{converge(signer.facts)} loads them.", host.name)
    elif not records:
        proven = signs(domain, host, signer.of_domain[domain.name])
        why = "it signs nothing, though its keys are proven" if proven else "no key is proven on this host yet"
        advice = (
            "Mail of the domain waits there until `sendwright provision INVENTORY` has brought its signers to sign."
        )
        yield check.failed(subject, f"{host.name}: {why}", advice, host.name)
    for record in records:
        yield _matched(signer, subject, record, answers.get(record))


def _matched(signer: Signer, subject: Subject, record: str, answer: Answer | None) -> Finding:
    check, key, target = rules.MATCHES, signer.stories.get(record), f"{record} @ {signer.facts.host.name}"
    if key is None:
        seen = "the host signs with a key that the state folder does not know"
        advice = "`sendwright keys recover INVENTORY` takes over what hosts have; or provision again."
        return check.failed(subject, seen, advice, target)
    if trouble := _at_rest(signer.facts, key):
        advice = f"{converge(signer.facts)} puts the declared key back. Find out who put another one there."
        return check.failed(subject, trouble, advice, target)
    if answer is None or answer.told is Told.FAILED:
        why = f"DNS did not say: {answer.why if answer else 'it was not asked'}"
        return check.unknown(subject, why[:_MOST_SEEN], "", target)
    if trouble := _served(key, answer):
        advice = "`sendwright provision INVENTORY` publishes the key that the host has; until then its mail fails DKIM."
        return check.failed(subject, trouble[:_MOST_SEEN], advice, target)
    kind = key.algorithm if (bits := dkim.bits(key)) is None else f"{key.algorithm}, {bits} bits"
    return check.passed(subject, f"the host signs with the key that DNS serves ({kind})", target)


def _served(key: DkimKey, answer: Answer) -> str:
    """Why what DNS says is not a key's record."""
    if not answer.known:
        return f"the record is bogus, so nobody who validates sees it: {answer.why}"
    if not answer.values:
        return "the host signs with this key, and DNS has no record of it"
    wanted = txt(dkim.live_text(key))
    if any(same_key(wanted, txt(value.encode("latin-1"))) for value in answer.values):
        return ""
    shown = " | ".join(answer.values)
    return f"the host signs with this key, and DNS has another: {shown[:_MOST_SHOWN]}"


def _at_rest(facts: Facts, key: DkimKey) -> str:
    """Why what lies on the host is not a key; a file that should not be there any more was not looked into."""
    path = key_path(key)
    state = facts.observation.paths.get(path)
    if state is None:
        gone = key.stage in {KeyStage.REVOKED, KeyStage.REMOVED}
        return "" if gone else f"{path} does not lie on the host: the signer cannot load it again"
    return (
        "" if state.sha256 == key.pem_sha256 else f"{path} on the host holds another private key than the declared one"
    )


def probed(signer: Signer, domain: Domain, answers: Mapping[str, Answer]) -> Iterator[Finding]:
    """Yield for each signer of a domain whether what it signs now verifies through live DNS.

    Silent where nothing signs, or DNS does not say: `matches` has said so. A signer whose key waits for its proof on
    this host need not sign yet.
    """
    if not signer.records(domain):
        return
    due = {k.algorithm for k in signing(domain, signer.facts.host, signer.of_domain[domain.name])}
    for algorithm, answer in signer.answers(domain):
        if algorithm in due or answer.signatures:
            yield from _probed(signer, domain, algorithm, answer, answers)


def _probed(
    signer: Signer, domain: Domain, algorithm: str, answer: Signed, answers: Mapping[str, Answer]
) -> Iterator[Finding]:
    check, subject, host = rules.PROBE, Subject(Kind.DOMAIN, domain.name), signer.facts.host.name
    target, advice = f"{algorithm} @ {host}", f"Look at `journalctl -u sendwright-opendkim@{algorithm}` on {host}."
    if not answer.signatures:
        yield check.failed(subject, _silence(algorithm, answer.verdict), advice, target)
        return
    names = [named(value) for value in answer.signatures]
    if any((said := answers.get(name)) is not None and not said.known for name in names):
        return
    found = [s for value in answer.signatures for s in _verified(signer.sample, domain, value, answers)]
    yield _verdict(check, subject, found, domain, target)


def _verdict(check: Check, subject: Subject, found: Iterable[Signature], domain: Domain, target: str) -> Finding:
    found = tuple(found)
    shown = ", ".join(f"a={s.algorithm} s={s.selector} d={s.domain}" for s in found)[:_MOST_SEEN]
    if any(s.valid and s.domain.lower() == domain.name for s in found):
        return check.passed(subject, f"verified by dkimpy: {shown}", target)
    advice = (
        "Does the host hold the key that DNS serves, and has the signer loaded it? `sendwright plan INVENTORY` tells."
    )
    return check.failed(subject, f"the signature does not verify through live DNS: {shown}", advice, target)


def _verified(sample: Sample, domain: Domain, value: str, answers: Mapping[str, Answer]) -> tuple[Signature, ...]:
    def lookup(name: str) -> bytes | None:
        answer = answers.get(name.lower())
        # Several records: which one a verifier takes is chance (RFC 6376 section 3.6.2.2).
        return answer.values[0].encode("latin-1") if answer and len(answer.values) == 1 else None

    return signatures(sample.signed(author(domain), value), lookup)


def _silence(algorithm: str, verdict: str) -> str:
    if not verdict:
        return f"the {algorithm} signer does not answer: mail waits until it does"
    if verdict in {"t", "r", "y"}:
        return f"the {algorithm} signer refuses the domain's mail: it waits or bounces"
    return f"the {algorithm} signer lets the domain's mail pass unsigned"


def signers_of(stack: Stack, host: Host) -> Mapping[str, str]:
    """Return where each signer of a host listens, by algorithm."""
    places = (name.removeprefix("unix:") for name in sockets(stack, host))
    return {posixpath.basename(place).removesuffix(".sock"): f"/var/spool/postfix/{place}" for place in places}

"""What the zones should hold: a pure function of the Stack and the keys; each record knows why and when.

A host name gets no MX: its own address record is its implicit one (RFC 5321 section 5.1), so postmaster@ the host
name and bounces to it arrive without. An explicit one would only add a record that can go wrong.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sendwright.dkim import record_text
from sendwright.dns.rdata import txt
from sendwright.plan import Stage
from sendwright.stack import Address, Dmarc, Domain, Host, HostState, Mx, Stack
from sendwright.state.model import DkimKey, KeyStage

TTL = 3600
_MX_PREFERENCE = 10


@dataclass(frozen=True)
class Record:
    """One value that a zone should hold.

    ``name`` is lower case without a final dot; ``ttl`` in seconds; ``value`` is canonical master-file text (``rdata``);
    ``why`` is a line for people; ``stage`` is when it may be written first. ``replaces``: the inventory consents to
    withdrawing what others have in the same record set. ``tightens``: an SPF record whose verdict on everybody else may
    become stricter only at that stage; None: at once.
    """

    name: str
    type: str
    ttl: int
    value: str
    why: str
    stage: Stage = Stage.EXPAND
    replaces: bool = False
    tightens: Stage | None = None


def desired(stack: Stack, keys: Iterable[DkimKey]) -> tuple[Record, ...]:
    """Return every record that a stack and its keys ask for, ordered by name, whatever the order of the inventory."""
    found = {*_hosts(stack), *_domains(stack), *_dkim(stack, keys)}
    return tuple(sorted(found, key=lambda r: (r.name, r.type, r.value)))


def provider_of(stack: Stack, name: str) -> str | None:
    """Return which entry of ``dns`` serves a name: that of the declared domain it lies in; None if it lies in none."""
    domain = stack.covering(name)
    return domain.dns if domain else None


def _hosts(stack: Stack) -> Iterator[Record]:
    declared = {d.name for d in stack.domains}
    for host in stack.hosts:
        for address in host.addresses:
            why = f"{host.name} is the name that the host greets with: it leads to every address that it sends from"
            yield Record(host.name, "A" if address.version == 4 else "AAAA", TTL, str(address), why)
        if host.name not in declared:
            # Bounces have no sender, so receivers check the HELO name (RFC 7208 section 2.3). Nothing but this host
            # ever greets with it, so -all is safe, and section 10.1.3 asks for a record at every name that is used
            # like this.
            spf = _spf(_terms(host.addresses), "-all")
            yield Record(host.name, "TXT", TTL, txt(spf), "SPF for bounces, which are judged by the HELO name")


def _domains(stack: Stack) -> Iterator[Record]:
    for domain in stack.domains:
        yield _domain_spf(stack, domain)
        yield from _mx(domain, stack.hosts_of(domain))
        yield _dmarc(domain)
        yield from _consent(stack, domain)
        if not domain.sends:
            # One record for all selectors. It hides no key that is published: a wildcard yields to what is there.
            why = f"DKIM: {domain.name} sends no mail, so no selector has a key"
            yield Record(f"*._domainkey.{domain.name}", "TXT", TTL, txt("v=DKIM1; p="), why)
        if reports := domain.tls_rpt_rua:
            value = txt(f"v=TLSRPTv1; rua={','.join(reports)}")
            yield Record(f"_smtp._tls.{domain.name}", "TXT", TTL, value, "asks for reports on failed TLS (RFC 8460)")


def _domain_spf(stack: Stack, domain: Domain) -> Record:
    if not domain.sends:
        return Record(domain.name, "TXT", TTL, txt("v=spf1 -all"), f"SPF: {domain.name} sends no mail")
    # A draining host stays: its queue still sends. A host of the domain's own name shares the one record (section 3.2).
    hosts = {*stack.hosts_of(domain), *(h for h in stack.hosts if h.name == domain.name)}
    addresses = [a for h in hosts for a in h.addresses]
    # Addresses first: they cost no lookup, and the first match ends the evaluation (RFC 7208 section 4.6.2).
    terms = [*_terms([*addresses, *domain.spf.addresses]), *(f"include:{d}" for d in dict.fromkeys(domain.spf.include))]
    why = f"SPF: which addresses may send for {domain.name}"
    # A verdict that refuses mail waits until ours is known to leave from where the record says.
    tightens = Stage.SWITCH if domain.spf.all == "-all" else None
    return Record(domain.name, "TXT", TTL, txt(_spf(terms, domain.spf.all)), why, tightens=tightens)


def _terms(addresses: Iterable[Address]) -> list[str]:
    ordered = sorted(set(addresses), key=lambda a: (a.version, int(a)))
    return [f"ip{address.version}:{address}" for address in ordered]


def _spf(terms: Iterable[str], verdict: str) -> str:
    return " ".join(["v=spf1", *terms, verdict])


def _mx(domain: Domain, hosts: Iterable[Host]) -> Iterator[Record]:
    if domain.mx is Mx.NONE:
        why = f"{domain.name} takes no mail: who writes to it hears so at once (RFC 7505)"
        # In one step with the withdrawal of any other: it has to be the only one (section 3).
        yield Record(domain.name, "MX", TTL, "0 .", why, Stage.CONTRACT, replaces=domain.replace_mx)
    if domain.mx is not Mx.HERE:
        return
    for host in hosts:
        if host.state is HostState.ACTIVE:
            why = f"mail for {domain.name} comes here: bounces, postmaster, abuse and reports"
            # Only when the host takes mail: a record that points at nothing makes others' queues wait.
            value = f"{_MX_PREFERENCE} {host.name}."
            yield Record(domain.name, "MX", TTL, value, why, Stage.HOSTS, replaces=domain.replace_mx)


def _dmarc(domain: Domain) -> Record:
    # Nothing that is sent as a locked domain is its mail: nothing has to be proven before it is refused.
    policy = domain.dmarc if domain.sends else Dmarc(policy="reject", ruf=domain.dmarc.ruf)
    strict = policy.alignment == "strict"
    # RFC 9989 section 4.7; what is the default is not written, and pct, rf and ri are gone.
    tags = [
        "v=DMARC1",
        f"p={policy.policy}",
        f"sp={policy.subdomains}" if policy.subdomains not in {None, policy.policy} else "",
        f"np={policy.nonexistent}" if policy.nonexistent not in {None, policy.subdomains or policy.policy} else "",
        "adkim=s" if strict else "",
        "aspf=s" if strict else "",
        f"rua={','.join(domain.dmarc_rua)}" if domain.dmarc_rua else "",
        f"ruf={','.join(policy.ruf)}" if policy.ruf else "",
    ]
    loose = strict is False and {policy.policy, policy.subdomains, policy.nonexistent} <= {"none", None}
    waits = domain.sends and not loose
    why = f"DMARC: what receivers do with mail that fails as {domain.name} ({policy.policy})"
    value = txt("; ".join(tag for tag in tags if tag))
    # Tightening waits for a proven signature; a policy of none harms no mail and may come first.
    return Record(f"_dmarc.{domain.name}", "TXT", TTL, value, why, Stage.SWITCH if waits else Stage.EXPAND)


def _consent(stack: Stack, domain: Domain) -> Iterator[Record]:
    for uri in (*domain.dmarc_rua, *domain.dmarc.ruf):
        other = uri.rpartition("@")[2]
        if not _same_organisation(domain.name, other) and stack.covering(other):
            name = f"{domain.name}._report._dmarc.{other}"
            why = f"{other} agrees to take DMARC reports about {domain.name} (RFC 9990)"
            yield Record(name, "TXT", TTL, txt("v=DMARC1"), why)


def _same_organisation(one: str, other: str) -> bool:
    """Whether one name lies at or below the other: with our records, the tree walk then ends at the same name."""
    return one == other or one.endswith("." + other) or other.endswith("." + one)


def _dkim(stack: Stack, keys: Iterable[DkimKey]) -> Iterator[Record]:
    declared = {d.name for d in stack.domains if d.sends}
    for key in keys:
        if key.domain not in declared or key.stage is KeyStage.REMOVED:
            continue
        revoked = key.stage is KeyStage.REVOKED
        why = f"DKIM: the {key.algorithm} key {key.selector} is {key.stage}"
        stage = Stage.CONTRACT if revoked else Stage.EXPAND
        yield Record(key.record_name, "TXT", TTL, txt(record_text(key)), why, stage)

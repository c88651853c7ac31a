"""Which servers a run speaks to: where domains' mail goes and where people submit it, each server once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from sendwright.stack import Address, Host, HostState, Stack
from sendwright.verify.look import Answer, Dns, Look
from sendwright.verify.reserved import reserved
from sendwright.verify.target import Declared, Server, Target

# A stranger's zone must not send us to half of the Internet. The largest providers have five MX of eight addresses.
MOST_SERVERS = 10
_MOST_ADDRESSES = 16
# RFC 6186 section 3.1 and RFC 8314 section 3.3: by STARTTLS, and by TLS from the start. Other ports are not probed: a
# stranger's record could name anybody's.
_SERVICES = {"_submission._tcp": 587, "_submissions._tcp": 465}


@dataclass
class _Found:
    takes: set[str] = field(default_factory=set)
    submits: set[int] = field(default_factory=set)
    declared: Declared | None = None
    host: Host | None = None


def servers(targets: Sequence[Target], look: Look) -> tuple[Server, ...]:
    """Return every server of the domains, in the order in which they come up; those of an inventory's hosts first.

    MX of RFC 5321 section 5.1 (a domain without MX takes mail at its own address; a null MX takes none), SRV of
    RFC 6186 and RFC 8314, and active hosts of the inventory as it declares them.
    """
    found: dict[str, _Found] = {}
    for declared in _once(target.declared for target in targets):
        for host in declared.stack.hosts:
            found[host.name] = _Found(declared=declared, host=host, submits=_submission(declared.stack, host))
    questions = [(f"{prefix}{target.domain}", rdtype) for target in targets for prefix, rdtype in _QUESTIONS]
    answers = iter(look.dns.ask_all(questions))
    for target in targets:
        for name in _takers(target.domain, next(answers)):
            found.setdefault(name, _Found()).takes.add(target.domain)
        for port, answer in zip(_SERVICES.values(), (next(answers), next(answers)), strict=True):
            for name in _offering(answer, port):
                found.setdefault(name, _Found()).submits.add(port)
    return tuple(_built(found, look.dns))


_QUESTIONS = (("", "MX"), *((f"{service}.", "SRV") for service in _SERVICES))


def mail_hosts(domain: str, mx: Answer) -> tuple[str, ...]:
    """Return the names of a domain's MX, the preferred ones first; none for a null MX or an answer that is not known.

    A domain without MX is its own (RFC 5321 section 5.1).
    """
    if not mx.values:
        return (domain,) if mx.known else ()
    found = [
        (int(words[0]), words[1]) for value in mx.values if len(words := value.split()) == 2 and words[0].isdigit()
    ]
    return tuple(dict.fromkeys(name for _, name in sorted(found) if name != "."))


def _takers(domain: str, mx: Answer) -> tuple[str, ...]:
    return mail_hosts(domain, mx)[:MOST_SERVERS]


def _offering(srv: Answer, port: int) -> tuple[str, ...]:
    words = [value.split() for value in srv.values]
    found = [parts[3] for parts in words if len(parts) == 4 and parts[2] == str(port) and parts[3] != "."]
    return tuple(dict.fromkeys(found))[:MOST_SERVERS]


def _submission(stack: Stack, host: Host) -> set[int]:
    return set(_SERVICES.values()) if host.state is HostState.ACTIVE and stack.domains_of(host) else set()


def _once(declared: Iterable[Declared | None]) -> Iterator[Declared]:
    """Yield one declaration of each inventory: every domain's has the same stack and state."""
    yield from {id(each.stack): each for each in declared if each is not None}.values()


def _built(found: Mapping[str, _Found], dns: Dns) -> Iterator[Server]:
    answers = iter(dns.ask_all([(name, rdtype) for name in found for rdtype in ("A", "AAAA")]))
    for name, what in found.items():
        addresses = _addresses((next(answers), next(answers)))
        if what.host is None:
            # A stranger's records must not have us speak to whatever listens inside our own network.
            addresses = tuple(address for address in addresses if not reserved(address))
        elif not addresses:
            addresses = what.host.addresses
        if not addresses:
            continue  # Said by the checks of MX; and a domain without MX and address takes no mail.
        yield Server(
            name,
            addresses,
            tuple(sorted(what.takes)),
            tuple(sorted(what.submits, reverse=True)),
            what.host,
            what.declared.stack if what.declared else None,
            what.declared.state if what.declared else None,
        )


def _addresses(answers: Iterable[Answer]) -> tuple[Address, ...]:
    return tuple(ip_address(value) for answer in answers for value in answer.values)[:_MOST_ADDRESSES]

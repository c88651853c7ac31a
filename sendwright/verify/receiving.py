"""Whether a domain takes mail, as far as DNS tells (RFC 5321 section 5.1, RFC 7505)."""

from dataclasses import dataclass

from sendwright.verify.look import Answer, Dns, Told

# A domain with more mail servers than this is judged by the first ones.
_MOST = 10


@dataclass(frozen=True)
class Takes:
    """``mail``: None if it cannot be told; ``why``: why not, or by which server."""

    mail: bool | None
    why: str


def takes_mail(domain: str, dns: Dns) -> Takes:
    """Return whether mail for a domain has somewhere to go: an MX with an address, or an address of its own."""
    answer = dns.ask(domain, "MX")
    if not answer.known:
        return Takes(None, f"MX of {domain} could not be looked up: {answer.why}")
    if answer.told is not Told.FOUND:
        return _addressed(domain, (domain,), dns, answer.told)
    servers = [value.partition(" ")[2].removesuffix(".") for value in answer.values]
    if not any(servers):
        return Takes(False, f"{domain} takes no mail, as its null MX says")
    return _addressed(domain, tuple(filter(None, servers))[:_MOST], dns, answer.told)


def _addressed(domain: str, names: tuple[str, ...], dns: Dns, told: Told) -> Takes:
    answers = dns.ask_all([(name, rdtype) for name in names for rdtype in ("A", "AAAA")])
    found = next((a.name for a in answers if a.told is Told.FOUND), None)
    if found:
        return Takes(True, f"mail goes to {found}")
    if unread := next((a for a in answers if not a.known), None):
        return Takes(None, _failure(unread))
    if told is Told.NO_NAME:
        return Takes(False, f"{domain} does not exist")
    return Takes(False, f"{domain} has no mail server with an address" if names != (domain,) else _bare(domain))


def _failure(answer: Answer) -> str:
    return f"{answer.type} of {answer.name} could not be looked up: {answer.why}"


def _bare(domain: str) -> str:
    return f"{domain} has neither an MX nor an address"

"""What an SPF record lets through with all that it leads to: what is there, what it costs, and for whom it passes."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from itertools import islice

from sendwright.dns.spf import Directive
from sendwright.dns.spf_cost import Cost
from sendwright.dns.spf_lookup import presented, valid_name
from sendwright.dns.spf_session import NAMES, VOIDS
from sendwright.verify.finding import Finding, Subject
from sendwright.verify.look import Dns, Told
from sendwright.verify.records.spf_tree import MOST_RECORDS, Link, Node, Tree, passing, target_of
from sendwright.verify.rules import spf as rules
from sendwright.verify.wording import counted, listed, shown

# Nobody sends from a million addresses; the widest that a large provider lists is a /14.
_WIDEST = {4: 12, 6: 28}
_MOST = 20
_MOST_NAMES = 50


def includes(subject: Subject, tree: Tree) -> Iterator[Finding]:
    """Judge each record that is led to by itself: absent, doubled, faulty, a loop, or not to be had."""
    broken = [(node, link) for node in tree.nodes.values() for link in node.links]
    found = [finding for node, link in broken if (finding := _link(subject, tree, node, link))][:_MOST]
    for node, link in tree.loops[:_MOST]:
        seen = f"{shown(link.term, 80)} in the record of {shown(node.domain, 80)} leads back to itself."
        found.append(rules.INCLUDES.failed(subject, seen, f"Remove {shown(link.term, 80)}.", link.target or ""))
    yield from dict.fromkeys(found)
    if not found:
        yield rules.INCLUDES.passed(subject, _followed(tree))


def _link(subject: Subject, tree: Tree, node: Node, link: Link) -> Finding | None:
    behind = tree.behind(link)
    if behind is None or behind.record is not None:
        return None
    seen = f"{shown(link.term, 80)} in the record of {shown(node.domain, 80)} leads to an error: {shown(behind.fault)}."
    if behind.answer.told is Told.FAILED:
        return rules.INCLUDES.unknown(subject, seen, "Ask again later.", behind.domain)
    whose = "" if node is tree.root else f" or the include of {shown(node.domain, 80)}"
    advice = f"Remove {shown(link.term, 80)}{whose}, unless {shown(behind.domain, 80)} is mended."
    return rules.INCLUDES.failed(subject, seen, advice, behind.domain)


def _followed(tree: Tree) -> str:
    links = [link for node in tree.nodes.values() for link in node.links]
    unseen = listed(link.term for link in links if link.target is None)
    seen = f"{counted(len(tree.nodes) - 1, 'record')} behind it: {listed(list(tree.nodes)[1:])}." if links else ""
    return " ".join(filter(None, [seen or "It includes nothing.", unseen and f"By the sender: {unseen}."]))


def lookups(subject: Subject, tree: Tree, cost: Cost, dns: Dns) -> Iterator[Finding]:
    """Count the terms that ask the DNS at worst, and the names of each MX (RFC 7208, 4.6.4)."""
    crowds = dict(_crowds(tree, dns))
    for (domain, term), number in crowds.items():
        seen = f"{shown(term, 80)} leads to {number} MX names, and {NAMES} are allowed."
        advice = f"List the addresses by ip4: and ip6: instead of {shown(term, 80)}."
        yield rules.LOOKUPS.failed(subject, seen, advice, f"{domain} {shown(term)}")
    if cost.over or tree.cut:
        seen = f"More than {MOST_RECORDS} records" if tree.cut else shown(str(cost))
        advice = "Replace terms by addresses (ip4:, ip6:), or give senders domains of their own."
        yield rules.LOOKUPS.failed(subject, f"{seen}: a permanent error for who is matched late.", advice)
    elif not crowds and not _silent(tree):
        yield rules.LOOKUPS.passed(subject, f"{shown(str(cost))} lookups.")


def _silent(tree: Tree) -> bool:
    """Whether a record could not be had: what is behind it cannot be counted, and its own check says why."""
    return any(node.answer.told is Told.FAILED for node in tree.nodes.values())


def _crowds(tree: Tree, dns: Dns) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield the terms, each with the domain of its record, that lead to too many names, and how many those are."""
    for node, directive, name in _named(tree, "mx"):
        number = len(dns.ask(name, "MX").values)
        if number > NAMES:
            yield (node.domain, directive.text), number


def _named(tree: Tree, *mechanisms: str) -> Iterator[tuple[Node, Directive, str]]:
    """Yield mechanisms of all records, where they stand, and the names that they ask for.

    Not more than so many, as ten are allowed.
    """
    found = ((node, directive) for node in tree.nodes.values() for directive in node.reached)
    for node, directive in islice((pair for pair in found if pair[1].mechanism in mechanisms), _MOST_NAMES):
        name = target_of(directive, node.domain, tree.root.domain)
        if name is not None and valid_name(name):
            yield node, directive, presented(name)


def voids(subject: Subject, tree: Tree, cost: Cost, dns: Dns) -> Iterator[Finding]:
    """Count the questions whose answer is empty, at worst for any sender (RFC 7208, 4.6.4)."""
    silent = list(_unanswered(tree, dns))
    if cost.dead > VOIDS:
        advice = "Remove the terms whose names have no records any more."
        yield rules.VOIDS.failed(subject, f"{cost.dead} of {VOIDS}: {listed(_dead(tree, dns))}.", advice)
    elif silent:
        yield rules.VOIDS.unknown(subject, f"Without an answer: {listed(silent)}.", "Ask again later.")
    elif cost.late > VOIDS:
        seen = f"{cost.late} of {VOIDS} before the pass of a sender who is listed late."
        yield rules.VOIDS.warned(subject, seen, "Put addresses (ip4:, ip6:) first, then names that always exist.")
    elif not _silent(tree):
        more = f"; without records: {dead}" if (dead := listed(_dead(tree, dns))) else ""
        yield rules.VOIDS.passed(subject, f"{cost.late} of {VOIDS} for who is listed{more}.")


def _dead(tree: Tree, dns: Dns) -> list[str]:
    """Return the terms that lead nowhere, whoever sends."""
    types = {"a": ("A", "AAAA"), "mx": ("MX",), "exists": ("A",)}
    named = list(_named(tree, *types))
    found = [d.text for _, d, name in named if not any(dns.ask(name, t).values for t in types[d.mechanism])]
    links = [link for node in tree.nodes.values() for link in node.links]
    return found + [link.term for link in links if (b := tree.behind(link)) and b.answer.known and not b.answer.values]


def _unanswered(tree: Tree, dns: Dns) -> Iterator[str]:
    types = {"a": ("A", "AAAA"), "mx": ("MX",), "exists": ("A",)}
    for _, directive, name in _named(tree, *types):
        answers = dns.ask_all([(name, t) for t in types[directive.mechanism]])
        yield from (f"{a.name} {a.type} ({shown(a.why or a.told.value, 80)})" for a in answers if not a.known)


def ends(subject: Subject, tree: Tree) -> Iterator[Finding]:
    """Judge what happens to everybody who is not named: in the record itself, or where it redirects to."""
    for node in passing(tree):
        last = node.record.all if node.record else None
        if last is not None and last.qualifier == "+":
            own = node is tree.root
            where = "It" if own else f"The record of {shown(node.domain, 80)}, which it leads to,"
            advice = "End it in ~all or -all." if own else "Remove what leads there."
            yield rules.ALL.failed(subject, f"{where} ends in {last.text}: everybody may send.", advice)
            return
    node, last = _last(tree)
    beyond = node.record.redirect if node.record and last is None else None
    if beyond is not None and any(link.redirect and link.target is None for link in node.links):
        yield rules.ALL.unknown(subject, f"{shown(beyond.text, 80)} leads elsewhere for each sender.")
    if node.record is None or beyond is not None:
        return  # what it redirects to is not there, or leads back: that is said of what it includes
    if last is not None and last.qualifier in "-~":
        yield rules.ALL.passed(subject, f"It ends in {last.text}{'' if node is tree.root else f' at {node.domain}'}.")
        return
    seen = f"It ends in {last.text}" if last else "It ends without all"
    advice = "End it in ~all (or -all): receivers and DMARC then know that nobody else sends."
    yield rules.ALL.warned(subject, f"{seen}: nothing is said about who is not named.", advice)


def _last(tree: Tree) -> tuple[Node, Directive | None]:
    """Return the record that decides about everybody else, and its ``all``."""
    node, seen = tree.root, set[str]()
    while node.record is not None and node.domain not in seen:
        seen.add(node.domain)
        link = next((link for link in node.links if link.redirect), None)
        behind = tree.behind(link) if link else None
        if behind is None:
            return node, node.record.all
        node = behind
    return node, None


def networks(subject: Subject, tree: Tree) -> Iterator[Finding]:
    """Judge networks that pass, here and behind includes: everything together, and each by itself."""
    found = [(node, directive) for node in passing(tree) for directive in node.reached if directive.qualifier == "+"]
    families = [version for version in (4, 6) if _everybody([d for _, d in found], version)]
    if families:
        seen = f"Together its networks are every address of IPv{' and IPv'.join(map(str, families))}."
        yield rules.NETWORKS.failed(subject, f"{seen} Everybody may send.", "List only the addresses that send.")
        return
    wide = {(node.domain, directive.text): node for node, directive in found if _wide(directive)}
    for (domain, text), node in islice(wide.items(), _MOST):
        where = "" if node is tree.root else f" in the record of {shown(domain, 80)}"
        seen = f"{shown(text, 80)}{where} is wider than any one sender."
        yield rules.NETWORKS.warned(subject, seen, "List only the addresses that send.", f"{domain} {shown(text)}")
    if not wide:
        yield rules.NETWORKS.passed(subject, "No network in it is wider than a sender's.")


def _everybody(directives: Sequence[Directive], version: int) -> bool:
    named = [d.prefix4 if version == 4 else d.prefix6 for d in directives if d.mechanism in {"a", "mx"}]
    networks = [d.network for d in directives if d.network is not None and d.network.version == version]
    # Collapsing is slow, and hardly any record has networks enough for it.
    if 0 in named or sum(2.0**-network.prefixlen for network in networks) < 1:
        return 0 in named
    four = [network for network in networks if isinstance(network, IPv4Network)]
    six = [network for network in networks if isinstance(network, IPv6Network)]
    whole = collapse_addresses(four) if four else collapse_addresses(six)
    return any(network.prefixlen == 0 for network in whole)


def _wide(directive: Directive) -> bool:
    if directive.network is not None:
        return directive.network.prefixlen <= _WIDEST[directive.network.version]
    return directive.mechanism in {"a", "mx"} and (directive.prefix4 <= _WIDEST[4] or directive.prefix6 <= _WIDEST[6])

"""The records that an SPF record leads to, by include and redirect, asked for level by level (RFC 7208, 5.2 and 6.1).

Only what can be reached is followed: nothing behind ``all``, and no redirect beside it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from sendwright.dns.spf import Directive, SpfRecord, SpfSyntaxError, parse
from sendwright.dns.spf_lookup import presented, valid_name
from sendwright.dns.spf_macros import MacroString, expand, truncated
from sendwright.verify.look import Answer, Dns, Told
from sendwright.verify.spf_lookup import spf_records

# The limit is ten lookups: what needs more records than this is wrong long before.
MOST_RECORDS = 50
_MOST_QUESTIONS = 200
_KNOWN = "do"  # the macros that are the same for every sender: the domain, and the one that is checked


@dataclass(frozen=True)
class Link:
    """An include or a redirect. ``target`` is None where it depends on the sender."""

    term: str
    passes: bool
    redirect: bool
    target: str | None


@dataclass(frozen=True)
class Node:
    """A record at its domain: ``record`` is None where there is no single valid one, and ``fault`` says why."""

    domain: str
    answer: Answer
    record: SpfRecord | None = None
    fault: str = ""
    links: tuple[Link, ...] = ()

    @property
    def reached(self) -> tuple[Directive, ...]:
        """The mechanisms that are tried: those up to the first ``all``."""
        return reached(self.record) if self.record else ()


@dataclass(frozen=True)
class Tree:
    """Every record that is reached from one, by its domain. ``cut``: there are more than are followed."""

    root: Node
    nodes: dict[str, Node] = field(default_factory=dict)
    cut: bool = False

    def behind(self, link: Link) -> Node | None:
        """Return the record that a link leads to, if it was followed."""
        return self.nodes.get(link.target) if link.target is not None else None

    @property
    def loops(self) -> tuple[tuple[Node, Link], ...]:
        """Links that lead back to a record on the way to them."""
        return tuple(_loops(self, self.root, (self.root.domain,), set()))


def reached(record: SpfRecord) -> tuple[Directive, ...]:
    """Return the mechanisms that are tried: those up to the first ``all`` (RFC 7208, 5.1)."""
    tried = tuple(takewhile(lambda d: d.mechanism != "all", record.directives))
    return (*tried, record.all) if record.all else tried


def follow(domain: str, answer: Answer, record: SpfRecord, dns: Dns) -> Tree:
    """Ask for every record that one leads to, a level at a time, and for what its mechanisms name."""
    domain = domain.lower()
    root = Node(domain, answer, record, links=tuple(_links(record, domain, domain)))
    tree, level, questions = Tree(root, {domain: root}), [root], _MOST_QUESTIONS
    while level:
        wanted = dict.fromkeys(link.target for node in level for link in node.links if link.target is not None)
        fresh = [name for name in wanted if name not in tree.nodes]
        room = MOST_RECORDS - len(tree.nodes)
        if len(fresh) > room:
            return Tree(root, tree.nodes, cut=True)
        # A single label has no record (RFC 7208, 4.3), and what is no name cannot be asked for.
        valid = [name for name in fresh if valid_name(name) and "." in name]
        asked = [question for node in level for question in _asked(node, domain)][:questions]
        questions -= len(asked)
        # One round trip a level, though what the mechanisms name is used only when the record is counted.
        answers = dns.ask_all([*((presented(name), "TXT") for name in valid), *asked])
        told = dict(zip(valid, answers, strict=False))
        level = [_node(name, told.get(name) or Answer(name, "TXT", Told.NO_NAME), domain) for name in fresh]
        tree.nodes.update((node.domain, node) for node in level)
    return tree


def _node(domain: str, answer: Answer, sender: str) -> Node:
    if not answer.known:
        return Node(domain, answer, fault=answer.why or answer.told.value)
    records = spf_records(answer)
    if len(records) != 1:
        missing = "no such name" if answer.told is Told.NO_NAME else "it has no SPF record"
        return Node(domain, answer, fault=f"it has {len(records)} SPF records" if records else missing)
    try:
        record = parse(records[0])
    except SpfSyntaxError as error:
        return Node(domain, answer, fault=f"its record has faults: {'; '.join(map(str, error.faults[:3]))}")
    return Node(domain, answer, record, links=tuple(_links(record, domain, sender)))


def _links(record: SpfRecord, domain: str, sender: str) -> Iterator[Link]:
    for directive in reached(record):
        if directive.mechanism == "include" and directive.domain is not None:
            yield Link(directive.text, directive.qualifier == "+", False, _target(directive.domain, domain, sender))
    if record.redirect is not None:
        yield Link(record.redirect.text, True, True, _target(record.redirect.value, domain, sender))


def _asked(node: Node, sender: str) -> Iterator[tuple[str, str]]:
    for directive in node.reached:
        types = {"a": ("A", "AAAA"), "mx": ("MX",), "exists": ("A",)}.get(directive.mechanism, ())
        name = target_of(directive, node.domain, sender)
        if types and name is not None and valid_name(name):
            yield from ((presented(name), rdtype) for rdtype in types)


def target_of(directive: Directive, domain: str, sender: str) -> str | None:
    """Return the name that a mechanism asks for, or None where it depends on the sender (RFC 7208, 4.8)."""
    return domain if directive.domain is None else _target(directive.domain, domain, sender)


def _target(spec: MacroString, domain: str, sender: str) -> str | None:
    if any(macro.letter not in _KNOWN for macro in spec.macros):
        return None
    return truncated(expand(spec, lambda letter: domain if letter == "d" else sender)).lower()


def _loops(tree: Tree, node: Node, above: tuple[str, ...], seen: set[str]) -> Iterator[tuple[Node, Link]]:
    for link in node.links:
        if link.target in above:
            yield node, link
        elif (behind := tree.behind(link)) is not None and behind.domain not in seen:
            seen.add(behind.domain)
            yield from _loops(tree, behind, (*above, behind.domain), seen)


def passing(tree: Tree) -> Iterable[Node]:
    """Return the records whose passes are passes of the whole: the root, and what is reached by passing links only."""
    found, level = {tree.root.domain: tree.root}, [tree.root]
    while level:
        behind = [b for node in level for link in node.links if link.passes and (b := tree.behind(link))]
        fresh = {node.domain: node for node in behind if node.domain not in found}
        level = list(fresh.values())
        found |= fresh
    return found.values()

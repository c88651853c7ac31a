"""What the text of an SPF record says by itself (RFC 7208, 3 to 6 and 12). Pure."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from sendwright.dns.spf import MECHANISMS, Directive, Fault, Modifier, SpfRecord, SpfSyntaxError, parse_term
from sendwright.dns.spf_lookup import valid_name
from sendwright.dns.spf_macros import Macro
from sendwright.verify.finding import Finding, Subject
from sendwright.verify.look import Answer
from sendwright.verify.rules import spf as rules
from sendwright.verify.wording import counted, listed, shown

_PACKET = 512
_EDNS = 1232
_FAULTS = 5
_FULL = 255
# A term is no longer than a name, and hardly any record has ten strings.
_WORD, _SEAMS = 300, 200
_NAME = re.compile(r"[-+?~]?([A-Za-z0-9._-]+)")
_FOUR = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}(?:/\d+)?")
# What has a qualifier or takes an argument was meant to be a term, wherever a string begins with it.
_WHOLE = re.compile(
    r"[-+?~]?(?:(?:include|exists|ip4|ip6|a|mx|ptr):|(?:redirect|exp)=)|[-+?~](?:all|a|mx|ptr)\b", re.IGNORECASE
)


def faults(subject: Subject, text: str, found: Sequence[Fault]) -> Finding:
    """Say that a record cannot be parsed, and what was probably meant."""
    what = "; ".join(map(str, found[:_FAULTS])) + (f"; and {len(found) - _FAULTS} more" if len(found) > _FAULTS else "")
    hints = dict.fromkeys(hint for fault in found[:_FAULTS] if (hint := meant(fault.term)))
    advice = "Mend the record: it is a permanent error for every receiver. " + " ".join(hints)
    return rules.SYNTAX.failed(subject, shown(f"{what}. The record: {text}", 600), advice.strip())


def meant(term: str) -> str:
    """Return what a faulty term was probably meant to be, as a sentence, or nothing."""
    name, _, value = term.partition(":")
    bare = name.lstrip("-+?~").lower()
    if ";" in term or "," in term:
        return f"Terms are parted by spaces only: {shown(term, 60)}."
    if bare in {"redirect", "exp"} and value:
        return f"It is {bare}={shown(value, 60)}, with an equals sign."
    if _FOUR.fullmatch(value) and bare != "ip4":
        return f"For an address write ip4:{value}."
    if bare == "ip4" and ":" in value and not _FOUR.match(value):
        return f"For an IPv6 address write ip6:{shown(value, 60)}."
    if (known := _NAME.match(term)) and known[1].lower() not in MECHANISMS:
        near = get_close_matches(known[1].lower()[:40], [*MECHANISMS, "redirect"], 1, 0.6)
        return f"Was {near[0]} meant by {shown(known[1], 40)}?" if near else ""
    return ""


def syntax(subject: Subject, record: SpfRecord) -> Iterator[Finding]:
    """A modifier that nobody knows is ignored (RFC 7208, 6): that of a mechanism's name is a slip."""
    slips = [
        term
        for term in record.terms
        if isinstance(term, Modifier)
        and term.name not in {"redirect", "exp"}
        and get_close_matches(term.name[:40], [*MECHANISMS, "ipv4", "ipv6", "redirect"], 1, 0.8)
    ]
    for term in slips[:_FAULTS]:
        seen = f"{shown(term.text, 60)} is an unknown modifier, and ignored."
        advice = f"Mechanisms take a colon, as in {shown(term.name, 40)}:…; only redirect and exp take an equals sign."
        yield rules.SYNTAX.warned(subject, seen, advice)
    nameless = [d for d in record.directives if d.domain and not d.domain.macros and not valid_name(d.domain.text)]
    for directive in nameless[:_FAULTS]:
        seen = f"{shown(directive.text, 80)} names what is no name in the DNS: it never matches, or is an error."
        yield rules.SYNTAX.warned(subject, seen, "Mend the name: labels of 1 to 63 octets, with single dots between.")
    if not (slips or nameless):
        yield rules.SYNTAX.passed(subject, f"{counted(len(record.terms), 'term')}: {shown(record.text)}")


def strings(subject: Subject, text: str, lengths: Sequence[int]) -> Finding:
    """Two strings whose terms grow together: each side is a term by itself, and no space is between."""
    merged = [pair for pair in _seams(text, lengths) if _two_terms(*pair)]
    if not merged:
        return rules.STRINGS.passed(subject, f"{counted(len(lengths) or 1, 'string')} of {listed(lengths)} octets.")
    seen = "; ".join(f"{shown(left, 60)} and {shown(right, 60)} grow together" for left, right, _ in merged[:_FAULTS])
    advice = "Put a space at the end of each string but the last: receivers join the strings as they are."
    return rules.STRINGS.failed(subject, seen, advice)


def _seams(text: str, lengths: Sequence[int]) -> Iterator[tuple[str, str, bool]]:
    """Yield what stands before and behind each seam up to the next space, and whether a program cut there."""
    end = 0
    for length in lengths[: min(len(lengths) - 1, _SEAMS)]:
        end += length
        left = text[max(0, end - _WORD) : end].rpartition(" ")[2]
        right = text[end : end + _WORD].partition(" ")[0]
        if left and right:
            yield left, right, length >= _FULL


def _two_terms(left: str, right: str, full: bool) -> bool:
    if not (_is_term(left) and _is_term(right)):
        return False
    # Where a string is full, a program has cut a record that was whole, anywhere: half a word may look like a term.
    return bool(_WHOLE.match(right)) or not full or not _is_term(left + right)


def _is_term(text: str) -> bool:
    try:
        parse_term(text)
    except SpfSyntaxError:
        return text.lower() == "v=spf1"
    return True


def size(subject: Subject, answer: Answer) -> Finding:
    """The whole answer counts: every TXT value at the name, and the chain of aliases (RFC 7208, 3.4)."""
    octets, values = packet(answer), counted(len(answer.values), "TXT value")
    if octets <= _PACKET:
        return rules.SIZE.passed(subject, f"The answer takes {octets} of {_PACKET} octets, for {values}.")
    limit = f"{_EDNS} that one packet carries safely" if octets > _EDNS else f"{_PACKET}"
    advice = "Remove TXT values that nobody needs any more (proofs of ownership), or move mechanisms behind an include."
    seen = f"The answer takes {octets} octets for {values}, more than {limit}."
    return rules.SIZE.warned(subject, seen, advice)


def packet(answer: Answer) -> int:
    """Return how many octets an answer takes in a packet, names compressed (RFC 1035, 4.1)."""
    lengths = answer.strings or tuple((len(value),) for value in answer.values)
    records = sum(12 + sum(1 + length for length in of_one) for of_one in lengths)
    return 12 + len(answer.name) + 2 + 4 + sum(12 + len(alias) + 2 for alias in answer.aliases) + records


def pointers(subject: Subject, record: SpfRecord) -> Finding:
    """Judge the use of ``ptr`` and of the macro p, which asks the same (RFC 7208, 5.5 and 7.2)."""
    found = [
        term.text
        for term in record.terms
        if (isinstance(term, Directive) and term.mechanism == "ptr") or any(m.letter == "p" for m in _macros(term))
    ]
    if not found:
        return rules.PTR.passed(subject, "It asks for no PTR.")
    advice = "List the addresses instead, by ip4: and ip6:, or by a:NAME."
    return rules.PTR.warned(subject, f"It uses {listed(found)}.", advice)


def _macros(term: Directive | Modifier) -> Sequence[Macro]:
    spec = term.domain if isinstance(term, Directive) else term.value
    return spec.macros if spec else ()


def after_all(subject: Subject, record: SpfRecord) -> Finding:
    """Mechanisms behind ``all`` are never tried, and a redirect beside it is void."""
    ends = record.all
    if ends is None:
        return rules.AFTER.passed(subject, "It has no all.")
    place = next(i for i, d in enumerate(record.directives) if d is ends)
    lost = [d.text for d in record.directives[place + 1 :]]
    lost += [term.text for term in record.terms if isinstance(term, Modifier) and term.name == "redirect"]
    if not lost:
        return rules.AFTER.passed(subject, f"{ends.text} ends it.")
    advice = f"Move what is meant before {ends.text}, and remove the rest."
    return rules.AFTER.warned(subject, f"Never evaluated because of {ends.text}: {listed(lost)}.", advice)

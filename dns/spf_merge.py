"""Our terms merged into a living SPF record, judged by meaning (RFC 7208). Pure.

Ours pass, and the verdict for everybody else is what it was: so ours stand first (the first match wins, section
4.6.2), and somebody else's terms, modifiers and ``all`` stay byte for byte and in order. Only where nobody else has a
say is the verdict ours.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sendwright.dns.spf import QUERYING, VERSION, Directive, SpfRecord, Term, parse, parse_term
from sendwright.dns.spf_macros import Macro, MacroString

# Section 3.4: name and texts together under 450 octets ought to fit into a UDP answer.
_UDP = 450
# RFC 1035 section 3.2.1: record data has a length of 16 bits, and each 255 octets of text take one more.
_RDATA = 65535


class SpfTooLong(ValueError):
    """Report an SPF record that no TXT record can hold."""


@dataclass(frozen=True)
class _Word:
    """A term as it stands in the text, with the spaces before it; ``ours``: we wrote it, by the ledger."""

    spaces: str
    term: Term
    ours: bool = False

    @property
    def text(self) -> str:
        return self.spaces + self.term.text

    @property
    def key(self) -> str:
        return spelling(self.term)


def merged(seen: str | None, wanted: Sequence[str], owned: Collection[str], verdict: str) -> str:
    """Return the text of the record with our terms in it, and without those of ours that are no longer wanted.

    Arguments: ``seen``: the joined text of the living record, None if there is none; ``wanted``: our terms in order, as
    ``ip4:203.0.113.10`` or ``include:x.example``; ``owned``: the terms of ``seen`` that the ledger says we wrote, our
    ``all`` included; ``verdict``: ``-all``, ``~all`` or ``?all``, used only where the verdict is ours.

    A wanted term that passes already is not written a second time: an address that static terms cover before anything
    could answer otherwise than pass, any other term that stands there and is reached. (An answer that is an error, as
    of a broken include, counts as neither: it is an error of the whole record.)

    Raises SpfSyntaxError for a ``seen`` or a term that is none, SpfTooLong for a result that fits no record.
    """
    record = parse(seen if seen is not None else VERSION)
    ours = {key: parse_term(key) for key in (spelling(parse_term(text)) for text in wanted)}
    words = _kept(_claimed(_words(record), owned), ours)
    missing = [key for key, term in ours.items() if not _stands(term, words)]
    if missing:
        # Ours that cannot be reached move to the front; those that lead the record already keep their spelling.
        words = [w for w in words if not (w.ours and w.key in missing)]
        head = _head(words)
        spelt = {w.key: w.term for w in words[:head]}
        block = [_Word(" ", spelt.get(key, term), ours=True) for key, term in ours.items() if key in {*missing, *spelt}]
        words = sorted(block, key=lambda w: _queries(w.term)) + words[head:]
    words = _judged(words, verdict)
    body = record.text[len(VERSION) :]
    trailing = body[len(body.rstrip(" ")) :]
    text = record.text[: len(VERSION)] + "".join(w.text for w in words) + trailing
    if len(text) + -(-len(text) // 255) > _RDATA:
        raise SpfTooLong(f"the SPF record would have {len(text)} octets, more than a TXT record can hold")
    return text


def terms_of(text: str) -> tuple[str, ...]:
    """Return every term of a record in order, in the spelling of the ledger; raises SpfSyntaxError."""
    return tuple(spelling(term) for term in parse(text).terms)


def added(seen: str | None, merged_text: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the terms that a merge put in, ``all`` included, in the ledger's spelling: these are to be claimed."""
    before = Counter(terms_of(seen) if seen is not None else ())
    ours = {spelling(parse_term(text)) for text in wanted}
    after = [spelling(term) for term in parse(merged_text).terms if spelling(term) in ours or _is_all(term)]
    return tuple(key for key in dict.fromkeys(after) if after.count(key) > before[key])


def removed(seen: str, merged_text: str, owned: Collection[str]) -> tuple[str, ...]:
    """Return the terms of ours that a merge took out, in the ledger's spelling: their claims end.

    A term may go and its like from somebody else stay.
    """
    after = Counter(terms_of(merged_text))
    before = Counter(terms_of(seen))
    ours = dict.fromkeys(spelling(parse_term(text)) for text in owned)
    return tuple(key for key in ours if before[key] > after[key])


def too_long(text: str) -> str | None:
    """Return a warning about a record that may not fit into a UDP answer (RFC 7208 section 3.4), or None."""
    octets = len(text.encode())
    if octets < _UDP:
        return None
    return (
        f"the SPF record has {octets} octets; from {_UDP} on, an answer may not fit into a UDP packet (RFC 7208, 3.4)"
    )


@lru_cache(maxsize=65536)
def spelling(term: Term) -> str:
    """Return the one spelling of a term by which terms are compared and claimed.

    Lower case where case means nothing, no default qualifier or prefix length, addresses as RFC 5952 writes them.
    """
    if not isinstance(term, Directive):
        known = term.name in {"redirect", "exp"}
        return f"{term.name}={_domain(term.value) if known else term.value.text}"
    text = term.qualifier.replace("+", "") + term.mechanism
    if term.network is not None:
        # An address alone needs no prefix length.
        return f"{text}:{term.network.with_prefixlen.removesuffix(f'/{term.network.max_prefixlen}')}"
    text += f":{_domain(term.domain)}" if term.domain else ""
    text += f"/{term.prefix4}" if term.prefix4 != 32 else ""
    return text + (f"//{term.prefix6}" if term.prefix6 != 128 else "")


def _domain(string: MacroString) -> str:
    # The case of a macro letter means something (section 7.3), that of a name does not.
    parts = [p.text if not isinstance(p, str) else p.lower() for p in string.parts]
    return "".join(parts) if isinstance(string.parts[-1], Macro) else "".join(parts).removesuffix(".")


def _words(record: SpfRecord) -> Iterator[_Word]:
    terms = iter(record.terms)
    spaces = ""
    for word in record.text[len(VERSION) :].split(" ")[1:]:
        spaces += " "
        if word:
            yield _Word(spaces, next(terms))
            spaces = ""


def _claimed(words: Iterator[_Word], owned: Collection[str]) -> Iterator[_Word]:
    # The first of two equal terms is ours: we write in front.
    claims = {spelling(parse_term(text)) for text in owned}
    for word in words:
        ours = word.key in claims
        claims.discard(word.key)
        yield _Word(word.spaces, word.term, ours)


def _kept(words: Iterator[_Word], wanted: Collection[str]) -> list[_Word]:
    """Leave out what is ours and not wanted; each takes the one space with it that it brought."""
    kept: list[_Word] = []
    spaces = ""
    decided = False
    for word in words:
        first = _is_all(word.term) and not decided
        decided = decided or first
        if word.ours and not first and word.key not in wanted:
            spaces += word.spaces[1:]
            continue
        kept.append(_Word(spaces + word.spaces, word.term, word.ours))
        spaces = ""
    return kept


def _stands(wanted: Term, words: Sequence[_Word]) -> bool:
    """Whether a record answers already what the term is wanted for."""
    for word in words:
        term = word.term
        if not isinstance(term, Directive):
            continue
        # A network of ours may go any day, so it stands in for no other term of ours.
        if word.key == spelling(wanted) or (not word.ours and term.qualifier == "+" and _covers(term, wanted)):
            return True
        if _answers_otherwise(term, wanted):
            return False
    return False


def _covers(term: Directive, wanted: Term) -> bool:
    if not isinstance(wanted, Directive) or wanted.network is None:
        return False
    if term.mechanism == "all":
        return True
    return term.mechanism == wanted.mechanism and wanted.network.subnet_of(term.network)  # type: ignore[arg-type]


def _answers_otherwise(term: Directive, wanted: Term) -> bool:
    if term.qualifier == "+":
        return term.mechanism == "all"
    if term.network is None or not isinstance(wanted, Directive) or wanted.network is None:
        return True
    return term.mechanism == wanted.mechanism and term.network.overlaps(wanted.network)


def _head(words: Sequence[_Word]) -> int:
    """Return how many terms of ours lead the record."""
    return next((i for i, w in enumerate(words) if not w.ours or _is_all(w.term)), len(words))


def _judged(words: list[_Word], verdict: str) -> list[_Word]:
    ruling = parse_term(verdict)
    first = next((i for i, w in enumerate(words) if _is_all(w.term)), None)
    if first is None:
        return words if any(not w.ours for w in words) else [*words, _Word(" ", ruling, ours=True)]
    if words[first].ours and words[first].key != spelling(ruling):
        return [*words[:first], _Word(words[first].spaces, ruling, ours=True), *words[first + 1 :]]
    return words


def _is_all(term: Term) -> bool:
    return isinstance(term, Directive) and term.mechanism == "all"


def _queries(term: Term) -> bool:
    return isinstance(term, Directive) and term.mechanism in QUERYING

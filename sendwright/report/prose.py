"""Sentences in which values stand: what is prose, and what is a value that looks best, and is safest, as code."""

import re
from collections.abc import Iterator

# Nothing in these means anything in Markdown, to a site that makes links, or as the name of somebody.
_WORD = re.compile(r"""[“"'(]*[A-Za-z]+(?:['’-][A-Za-z]+)*[”"')]*[.,;:!?…]*[”"')]*""")
_NUMBER = re.compile(r"\(?(?:\d{1,6}(?:[.,]\d{1,3})*%?|\d{4}-\d\d-\d\d)\)?[.,;:]?")
_SIGNS = frozenset("–—→…,.;:")
# Between backticks, or in quotation marks with more than one word.
_QUOTED = re.compile(r"`([^`]+)`")
# Terms of an SPF record that look like words.
_TERMS = frozenset({"a", "mx", "ptr", "all"})


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Split one line into pieces, each with whether it is a value: ``Publish``, then ``v=spf1 mx -all`` …

    Prose is made of plain words, numbers and punctuation only; everything else is a value. Joined, the pieces are the
    text again, but for backticks around values and runs of spaces.
    """
    at, first = 0, True
    for quoted in _QUOTED.finditer(text):
        for piece in _plain(text[at : quoted.start()], first=first):
            yield piece
            first = False
        yield quoted[1], True
        at, first = quoted.end(), False
    yield from _plain(text[at:], first=first)


def _plain(text: str, *, first: bool) -> Iterator[tuple[str, bool]]:
    run: list[str] = []
    run_is_value = False
    words = text.split()
    lead = " " if text[:1].isspace() and not first else ""
    for word in words:
        value = not _harmless(word) or (run_is_value and word in _TERMS and run[0] == "v=spf1")
        if run and (value != run_is_value or (value and _apart(run[-1], word))):
            yield from _ended(run, run_is_value, lead)
            run, lead = [], " "
        run, run_is_value = [*run, word], value
    if run:
        yield from _ended(run, run_is_value, lead)
    if text[-1:].isspace() and words:
        yield " ", False


def _apart(word: str, following: str) -> bool:
    """Return whether two values beside each other are two, not one with a space in it."""
    return word.endswith((",", ":", ")")) or following.startswith("(")


def _ended(run: list[str], value: bool, lead: str) -> Iterator[tuple[str, bool]]:
    text = " ".join(run)
    if not value:
        yield lead + text, False
        return
    before, bare, after = _bare(text)
    if lead + before:
        yield lead + before, False
    yield bare, True
    if after:
        yield after, False


def _bare(text: str) -> tuple[str, str, str]:
    """Split off what is not the value's: the end of a sentence or of a part of it, and brackets around it."""
    bare = text.rstrip(".,:") or text
    opens, closes = bare.startswith("("), bare.endswith(")")
    more = bare.count("(") - bare.count(")")
    start = 1 if opens and (closes or more > 0) else 0
    end = len(bare) - (1 if closes and (start or more < 0) else 0)
    if start >= end:
        return "", text, ""
    return text[:start], text[start:end], text[end:]


def _harmless(word: str) -> bool:
    return bool(word in _SIGNS or _WORD.fullmatch(word) or _NUMBER.fullmatch(word))

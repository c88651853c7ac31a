"""Text from outside made safe for a terminal: nothing in it can move a cursor, hide, or turn lines around."""


def printable(text: str) -> str:
    """Escape control and invisible characters, and what could not be decoded; line feeds and tabs stay."""
    return "".join(c if c in "\n\t" else _visible(c) for c in text)


def plain(text: object) -> str:
    """Escape the same and line feeds and tabs too, and cut what is without end: for a name or value in a sentence."""
    shown = "".join(map(_visible, str(text)[:300]))
    return shown if len(shown) <= 200 else shown[:199] + "…"


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")

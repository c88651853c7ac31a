"""Which names go into which of a host's certificates: an authority takes so many names in one, and no more. Pure."""

from collections.abc import Collection, Mapping, Sequence

# What Let's Encrypt takes in one certificate.
_MOST = 100


def allot(names: Sequence[str], held: Mapping[int, Collection[str]], most: int = _MOST) -> dict[int, tuple[str, ...]]:
    """Return the names of each certificate, by its number.

    A name stays where it is, so that a domain more or less changes one certificate only; a new one goes to the first
    that has room. The first of ``names``, the host's own, is always in number 0. Arguments: ``held``: the names in the
    certificates that there are; ``most``: how many names one may have, two or more.
    """
    own, rest = names[0], names[1:]
    chosen: dict[int, list[str]] = {0: [own]}
    homeless = []
    for name in rest:
        number = next((n for n in sorted(held) if name in held[n]), None)
        if number is None or len(chosen.get(number, ())) >= most:
            homeless.append(name)
        else:
            chosen.setdefault(number, []).append(name)
    for name in homeless:
        number = next(n for n in range(len(names) + 1) if len(chosen.get(n, ())) < most)
        chosen.setdefault(number, []).append(name)
    return {number: tuple(found) for number, found in sorted(chosen.items())}

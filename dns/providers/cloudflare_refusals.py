"""What Cloudflare's API means when it says no, and what a person can do about it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sendwright.errors import DnsError, NotAllowed, ServerUnreachable, WorldMoved
from sendwright.escape import plain

# Codes in the API's own errors: the token is not taken at all, or not for this.
_NOT_ALLOWED = frozenset({1000, 9106, 9107, 9109, 10000, 10001})
_MALFORMED = frozenset({6003, 6111})
_NO_ZONE = frozenset({1001, 7000, 7003})
# A record that was read is gone, or one stands where none was: somebody else was here in between.
_IDENTICAL = frozenset({81057, 81058})
_MOVED = frozenset({81044, 81053, 81054}) | _IDENTICAL
_QUOTA = 81045


@dataclass(frozen=True)
class Refused:
    """An answer of the API that is no success: its status, the codes in it, and what it says, safe to print."""

    status: int
    codes: frozenset[int]
    said: str

    @classmethod
    def of(cls, status: int, body: object, token: str) -> "Refused":
        """Return what an answer's body says; whatever it is, it is bounded, printable, and never holds the token."""
        # Cleaned before they are cut, which would leave a part of the token that is not recognised.
        errors = [(code, text.replace(token, "…")[:200]) for code, text in islice(_errors(body), 20)]
        codes = frozenset(code for code, _ in errors if code is not None)
        messages = "; ".join(dict.fromkeys(f"{code}: {text}" if code is not None else text for code, text in errors))
        return cls(status, codes, plain(f"HTTP {status}, {messages}" if messages else f"HTTP {status}"))


class Exists(WorldMoved):
    """Report a batch that was refused because an identical record stands there already; nothing of it was applied."""


def refusal(zone: str, title: str, refused: Refused, doing: str, needs: str, unsure: str) -> DnsError:
    """Return the error for a refusal.

    Arguments: ``doing``: what was asked, as in ``read its records``; ``needs``: the permission that it takes;
    ``unsure``: the hint where the server itself failed.
    """
    codes, said = refused.codes, refused.said
    if refused.status >= 500:
        return ServerUnreachable(zone, f"{title} failed when asked to {doing} ({said}).", unsure)
    if codes & _MOVED:
        what = f"somebody else changed it since it was read; {title} refused the changes, nothing was applied ({said})."
        return (Exists if codes & _IDENTICAL else WorldMoved)(zone, what, "Plan again and look at what is new.")
    if _QUOTA in codes:
        what = f"{title} keeps no more records in it: its quota is used up, nothing was applied ({said})."
        return DnsError(zone, what, "Remove records that nobody needs, or take a larger plan.")
    if refused.status in {401, 403, 404} or codes & (_NOT_ALLOWED | _MALFORMED | _NO_ZONE):
        return _not_allowed(zone, title, refused, doing, needs)
    what = f"{title} refused when asked to {doing}; nothing was applied ({said})."
    return DnsError(zone, what, "Mend what it names, then run again.")


def _not_allowed(zone: str, title: str, refused: Refused, doing: str, needs: str) -> NotAllowed:
    if refused.codes & _MALFORMED:
        hint = "Name the token itself: not a header around it, and not the global key."
        return NotAllowed(zone, f"what the inventory names as the token is none to {title} ({refused.said}).", hint)
    what = f"{title} does not let the token {doing} ({refused.said}); nothing was applied."
    hint = f"It needs {needs} for {zone} and must be active: see My Profile › API Tokens."
    return NotAllowed(zone, what, hint)


def _errors(body: object) -> Iterator[tuple[int | None, str]]:
    """Yield codes and messages, chains of causes included, from a body of whatever form."""
    if isinstance(body, dict):
        for key in ("errors", "error_chain"):
            found = body.get(key)
            for error in found[:20] if isinstance(found, list) else ():
                if isinstance(error, dict):
                    code, message = error.get("code"), error.get("message")
                    yield code if isinstance(code, int) else None, str(message or "no reason given")
                    yield from _errors({"error_chain": error.get("error_chain")})
    elif isinstance(body, str) and body.strip():
        yield None, body.strip()

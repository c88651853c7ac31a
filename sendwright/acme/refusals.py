"""What an authority, or the way to it, means when it says no, and what a person can do about it. Pure."""

import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import requests
from acme import errors, messages

from sendwright.errors import AuthorityError, AuthorityRefused, AuthorityUnreachable, RateLimited
from sendwright.escape import plain

_REACH = "Is acme › directory right, and can this machine reach it? Nothing was changed; running again is safe."
_TRUST = "If it is a private authority, name its root certificate under acme › trust."
_AGAIN = "Nothing was changed; run again later."
EXTERNAL_ACCOUNT = (
    "Take the key identifier and HMAC key that it shows to its customers, and name them under acme › external_account."
)
_NEVER = "It issues nothing for that name: take it out of the inventory, or take another authority."
MEND = "Mend what it names, then run again."
# What refusals of RFC 8555 section 6.7 ask a person to do.
_HINTS = {
    "externalAccountRequired": EXTERNAL_ACCOUNT,
    "userActionRequired": "Do what it asks for at the address that it names, then run again.",
    "invalidContact": "Mend acme › contact.",
    "unsupportedContact": "Mend acme › contact.",
    "badPublicKey": "Choose another kind of key (tls › key), and run again.",
    "badCSR": "Choose another kind of key (tls › key), or name fewer domains for this host.",
    "rejectedIdentifier": _NEVER,
    "unsupportedIdentifier": _NEVER,
    "caa": "The domain's CAA records name who may issue: add this authority under domains › caa, or to those records.",
    "dns": "Do the name servers of that domain answer everybody, with the records of the inventory?",
    "dnssec": "Mend the domain's DNSSEC: its DS records do not fit its keys.",
    "unknownHost": "Publish the name first: sendwright provision.",
    "connection": "Can everybody reach port 80 of every address of that name?",
    "tls": "Can everybody reach the address of that name?",
}
_CHALLENGE = {
    "dns-01": "Look at the TXT records at _acme-challenge of that name, as its name servers show them to everybody.",
    "http-01": "Does every address of that name, v6 too, lead to this host's port 80?",
}


@dataclass(frozen=True)
class Refusal:
    """Why there is no certificate, whoever it was for; ``passing``: the same order may come all the same, later."""

    kind: type[AuthorityError]
    what: str
    hint: str
    passing: bool = False

    def of(self, host: str) -> AuthorityError:
        """Return it as the error of a host."""
        return self.kind(host, self.what, self.hint)


class Refused(Exception):
    """Carries a refusal to where it is known whom it hit; ``code``: the authority's own word for it, if it gave one."""

    def __init__(self, refusal: Refusal, code: str | None = None) -> None:
        super().__init__(refusal.what)
        self.refusal = refusal
        self.code = code


def refusal(
    error: Exception,
    title: str,
    doing: str,
    status: int | None = None,
    until: datetime | None = None,
    mend: str = MEND,
) -> Refused:
    """Return what an exception of the library means.

    Arguments: ``doing``: what the authority was asked to do; ``status``: of its last answer, None where there was none;
    ``until``: when that asked to come back; ``mend``: the hint for refusals that have none of their own.
    """
    if isinstance(error, errors.IssuanceError):
        error = error.error
    if isinstance(error, messages.Error):
        return Refused(_problem(error, title, doing, status, until, mend), code_of(error))
    return Refused(_mishap(error, title, doing, status, until))


def not_acme(title: str, doing: str, why: str = "") -> Refusal:
    """Return the refusal of what no authority may answer; ``why`` says what it does, where that is known."""
    why = why or "answers with something that is not ACME (RFC 8555)"
    hint = "Is acme › directory the address of an ACME directory? Nothing was changed; running again is safe."
    return Refusal(AuthorityUnreachable, f"{title} {why} when asked to {doing}.", hint)


def unfinished(title: str, what: str, seconds: float) -> Refusal:
    """Return the refusal of what takes too long; ``what`` completes "has …"."""
    hint = "Run again: its order goes on from where it is."
    return Refusal(AuthorityUnreachable, f"{title} has {what} in {seconds:g} s.", hint, passing=True)


def unproven(title: str, failed: Iterable[messages.Authorization], kinds: dict[str, str]) -> Refused:
    """Return the refusal of names that the authority does not believe to be ours; ``kinds``: how each was proven."""
    found = [(name_of(body), *_reason(body)) for body in failed]
    names = ", ".join(name for name, _, _ in found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    name, code, words = found[0]
    kind = kinds.get(name, "")
    about = f" of {name}" if len(found) > 1 else ""
    said = f"; it says{about}: {words}" if words else ", and does not say why"
    what = f"{title} does not accept the proof ({kind}) for {names}{said}."
    return Refused(Refusal(AuthorityRefused, what, _HINTS.get(code or "") or _CHALLENGE.get(kind, MEND)), code)


def code_of(problem: messages.Error) -> str | None:
    """Return the last part of a problem's type (RFC 8555 section 6.7), None for those of others."""
    kind = str(problem.typ)
    return kind.removeprefix(messages.ERROR_PREFIX) if kind.startswith(messages.ERROR_PREFIX) else None


def name_of(body: messages.Authorization) -> str:
    """Return the name that an authorization is for, safe to print."""
    return plain(body.identifier.value) if body.identifier else ""


def _problem(
    problem: messages.Error, title: str, doing: str, status: int | None, until: datetime | None, mend: str
) -> Refusal:
    code, words = code_of(problem), _words(problem)
    if code == "rateLimited" or status == 429:
        return _limited(title, doing, words, until)
    if code in {"serverInternal", "badNonce"} or (status or 0) >= 500:
        return _failed(title, doing, words, until)
    return Refusal(AuthorityRefused, f"{title} refused to {doing}: {words}.", _HINTS.get(code or "", mend))


def _mishap(error: Exception, title: str, doing: str, status: int | None, until: datetime | None) -> Refusal:
    """Return what went wrong without a word of the authority's about it."""
    if status == 429:
        return _limited(title, doing, "", until)
    if status is None and isinstance(error, OSError):
        return _unreachable(error, title)
    status = status or 0
    if status >= 500:
        return _failed(title, doing, f"HTTP {status}", until)
    if isinstance(error, requests.exceptions.TooManyRedirects):
        what = f"{title} leads to another address when asked to {doing}."
        return Refusal(AuthorityUnreachable, what, "Name the address that it leads to under acme › directory.")
    return not_acme(title, doing, f"answers HTTP {status} without a word of ACME (RFC 8555)" if status >= 400 else "")


def _limited(title: str, doing: str, words: str, until: datetime | None) -> Refusal:
    what = f"{title} was asked too often and refused to {doing}" + (f": {words}." if words else ".")
    when = f"Run again after {_moment(until)}" if until else "Run again later"
    return Refusal(RateLimited, what, f"{when}; until then everything stays as it is.", passing=True)


def _failed(title: str, doing: str, words: str, until: datetime | None) -> Refusal:
    hint = f"Nothing was changed; run again after {_moment(until)}." if until else _AGAIN
    return Refusal(AuthorityUnreachable, f"{title} failed when asked to {doing}: {words}.", hint, passing=True)


def _unreachable(error: Exception, title: str) -> Refusal:
    causes = tuple(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            what = f"{title} shows a certificate that is not trusted here: {plain(cause.verify_message).rstrip('.')}."
            return Refusal(AuthorityUnreachable, what, _TRUST, passing=True)
        if isinstance(cause, TimeoutError | requests.exceptions.Timeout):
            return Refusal(AuthorityUnreachable, f"{title} gives no answer in time.", _REACH, passing=True)
    said = next((c.strerror for c in causes if isinstance(c, OSError) and c.strerror), None) or causes[-1]
    reason = plain(said).rstrip(".") or type(causes[-1]).__name__
    what = "cannot be reached" if isinstance(error, requests.exceptions.ConnectionError) else "gives no whole answer"
    return Refusal(AuthorityUnreachable, f"{title} {what}: {reason}.", _REACH, passing=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what it wraps, outermost first: libraries nest them in ways of their own."""
    seen: list[BaseException] = []
    while error not in seen and len(seen) < 20:
        seen.append(error)
        yield error
        inner = (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
        error = next((e for e in inner if isinstance(e, BaseException)), error)


def _reason(body: messages.Authorization) -> tuple[str | None, str]:
    """Return why an authorization failed: its code, and the authority's own words."""
    for challenge in body.challenges or ():
        if challenge.error is not None:
            return code_of(challenge.error), _words(challenge.error)
    return None, ""


def _words(problem: messages.Error) -> str:
    """Return what a problem says, in the authority's own words, safe to print."""
    said = [problem.detail or problem.title or problem.description or problem.typ]
    for part in (problem.subproblems or ())[:3]:
        about = f"{part.identifier.value}: " if part.identifier else ""
        said.append(f"{about}{part.detail or part.typ}")
    return plain("; ".join(plain(text).rstrip(".") for text in said))


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"

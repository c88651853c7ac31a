"""Refuse mail in which a login speaks as somebody else: a milter for Postfix's submission services.

Installed by sendwright from templates/guard/sender_guard.py: an edit made here is undone by the next provision.

The decision is ``decide``, a pure function; below it lies a thin milter (python3-milter). It is stricter than RFC 5322:
what two mail programs might read differently (comments, groups, routes, quoted local parts, raw non-ASCII, encoded
words that hold an address) is refused, because a reader could be shown another sender than the one that was checked.
"""

import base64
import binascii
import json
import os
import re
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

SENDERS = "/etc/sendwright/senders.json"
SOCKET = "/var/spool/postfix/sendwright-guard/guard.sock"

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*@{_LABEL}(?:\.{_LABEL})+")  # RFC 5322 section 3.4.1, no literals
_FOLD = re.compile(r"\r?\n(?=[ \t]+[^ \t\r\n])")  # RFC 5322 section 2.2.3; a line of white space only is obsolete
_TOKEN = re.compile(
    rf'(?P<space>[ \t]+)|(?P<comma>,)|(?P<angle><(?P<inside>[^<>"\s]*)>)|"(?P<quoted>(?:[^"\\]|\\[ -~])*)"'
    rf"|(?P<bare>(?:{_ATEXT}|[.@])+)"
)
_ENCODED = re.compile(
    r"=\?([A-Za-z0-9_-]+)\?([bBqQ])\?([!->@-~]*)\?="
)  # RFC 2047 section 2, RFC 2231's language left out
_BETWEEN_ENCODED = re.compile(r"(?<=\?=)[ \t]+(?==\?)")  # white space that is not shown (RFC 2047 section 6.2)
_CHARSETS = re.compile(
    r"us-ascii|utf-8|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]|iso-2022-jp|shift_jis|euc-(jp|kr)|gb(2312|k|18030)|big5"
)
# Addresses that sendwright proves its keys under (sendwright.signing.probe_address): each is signed by its own key,
# though that is not proven yet, or not in use any more. Probes never come by submission.
_PROBES = "sendwright-probe+"
# Seconds. For as long as a session lasts its mail is signed by the keys of when it began, whatever was loaded since: a
# key cannot go before such sessions have ended (sendwright.deploys.guard.SESSION).
LONGEST_SESSION = 3600.0
_LONGEST_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3, without its brackets
_JOINERS = "\u200c\u200d"  # scripts and emoji need them, and they cannot hide an @
_LONGEST = 4000  # characters of a From or Sender field: a hundred mailboxes, and a bound on the work


@dataclass(frozen=True)
class Allowed:
    """What a login may send as, domains and addresses: ``now``, and ``later``, when their keys are proven."""

    now: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Refusal:
    """An SMTP answer (RFC 5321 section 4.2, RFC 3463)."""

    code: str
    status: str
    text: str


class Malformed(ValueError):
    """A field that does not read in exactly one way."""


def decide_session(seconds: float) -> Refusal | None:
    """Return why a session of that age may not begin another message, or None if it may."""
    if seconds <= LONGEST_SESSION:
        return None
    # Postfix hangs up after a 421 (RFC 5321 section 3.8): a mail program connects again and goes on.
    return Refusal("421", "4.7.0", "This session has lasted for an hour: please connect again.")


def decide(
    login: str, envelope: str, from_fields: Sequence[str], sender_fields: Sequence[str], allowed: Allowed
) -> Refusal | None:
    """Return why a login may not send a message, or None if it may.

    Arguments: ``envelope`` sender without its angle brackets; the values of all From and all Sender fields, as sent.
    """
    return decide_envelope(login, envelope, allowed) or decide_header(login, from_fields, sender_fields, allowed)


def decide_envelope(login: str, envelope: str, allowed: Allowed) -> Refusal | None:
    """Return why a login may not use an envelope sender, or None if it may.

    The empty one belongs to nobody and impersonates nobody: read receipts need it (RFC 8098 section 2.1).
    """
    if not envelope:
        return None
    if not _ADDRESS.fullmatch(envelope) or len(envelope) > _LONGEST_ADDRESS:
        return Refusal("550", "5.7.1", "Refused: the envelope sender is not a plain address.")
    return _judge(login, [envelope.lower()], allowed)


def decide_header(
    login: str, from_fields: Sequence[str], sender_fields: Sequence[str], allowed: Allowed
) -> Refusal | None:
    """Return why a login may not use a message's From and Sender, or None if it may."""
    try:
        return _judge(login, _authors(from_fields, sender_fields, allowed), allowed)
    except Malformed as problem:
        return Refusal("550", "5.7.1", f"Refused: {problem}.")


def _authors(from_fields: Sequence[str], sender_fields: Sequence[str], allowed: Allowed) -> list[str]:
    if len(from_fields) != 1 or len(sender_fields) > 1:  # RFC 5322 section 3.6
        raise Malformed("a message has exactly one From field and at most one Sender field")
    authors = mailboxes("From", from_fields[0], allowed)
    for field in sender_fields:
        found = mailboxes("Sender", field, allowed)
        if len(found) != 1:
            raise Malformed("a Sender field names exactly one mailbox")
        authors += found
    return authors


def _judge(login: str, spoken: Sequence[str], allowed: Allowed) -> Refusal | None:
    for address in spoken:
        if address.startswith(_PROBES):
            return Refusal("550", "5.7.1", f"Refused: nobody sends as {address}: it is kept for probes of keys.")
        if not _covers(allowed.now | allowed.later, address):
            return Refusal("550", "5.7.1", f"Refused: {login} may not send as {address}.")
    for address in spoken:
        if not _covers(allowed.now, address):
            return Refusal("451", "4.7.1", f"Try later: mail of {address} cannot be signed on this host yet.")
    return None


def mailboxes(name: str, value: str, allowed: Allowed) -> list[str]:
    """Return the addresses of a mailbox list in lower case (RFC 5322 section 3.4); raise Malformed in any doubt."""
    if len(value) > _LONGEST:
        raise Malformed(f"the {name} field is longer than {_LONGEST} characters")
    text = _FOLD.sub("", value)
    if not all(c == "\t" or " " <= c <= "~" for c in text):
        raise Malformed(f"the {name} field holds a character that is not printable ASCII, or a broken fold")
    found: list[str] = []
    words: list[tuple[str, str]] = []
    address = ""
    for kind, word in (*_tokens(name, text), ("comma", "")):
        if kind == "comma":
            found.append(_mailbox(name, words, address, allowed))
            words, address = [], ""
        elif address:
            raise Malformed(f"the {name} field has text after an address")
        elif kind == "angle":
            address = word
        else:
            words.append((kind, word))
    return found


def _tokens(name: str, text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Malformed(f"the {name} field is not a plain list of mailboxes")
        at = match.end()
        if match["angle"] is not None:
            # An empty pair of brackets is no address.
            yield "angle", match["inside"] or "@"
        elif match["quoted"] is not None:
            yield "quoted", re.sub(r"\\(.)", r"\1", match["quoted"])
        elif match["bare"] is not None:
            yield "bare", match["bare"]
        elif match["comma"] is not None:
            yield "comma", ""


def _mailbox(name: str, words: list[tuple[str, str]], address: str, allowed: Allowed) -> str:
    if not address:
        if len(words) != 1 or words[0][0] != "bare":
            raise Malformed(f"the {name} field holds something that is not an address")
        address = words[0][1]
    elif words:
        _check_display(name, words, allowed)
    if "=?" in address or "?=" in address:
        # RFC 2047 section 5 forbids it; many programs decode it all the same, and then show what is inside.
        raise Malformed(f"the {name} field has an encoded word in an address")
    if not _ADDRESS.fullmatch(address) or len(address) > _LONGEST_ADDRESS:
        raise Malformed(f"the {name} field holds something that is not an address")
    return address.lower()


def _check_display(name: str, words: list[tuple[str, str]], allowed: Allowed) -> None:
    """Refuse a display name that shows, or would be read as, an address that the login may not use."""
    if any(kind == "bare" and "@" in word for kind, word in words):
        raise Malformed(f"the {name} field has an unquoted address before an address")
    joined = _BETWEEN_ENCODED.sub("", " ".join(word for _, word in words))
    decoded = _ENCODED.sub(lambda m: _decoded(name, m), joined)
    if "=?" in decoded or "?=" in decoded:
        raise Malformed(f"the {name} field holds a broken encoded word")
    # Full-width and other look-alike forms of @ < > fold into the real ones.
    shown = unicodedata.normalize("NFKC", decoded)
    if any(c not in _JOINERS and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for c in shown):
        raise Malformed(f"the {name} field's display name holds control characters")
    if "<" in shown or ">" in shown:
        raise Malformed(f"the {name} field's display name holds angle brackets")
    if "@" in shown:
        address = shown.strip(" \t'").lower()
        if not _ADDRESS.fullmatch(address) or not _covers(allowed.now | allowed.later, address):
            raise Malformed(f"the {name} field's display name shows another address")


def _decoded(name: str, match: re.Match[str]) -> str:
    charset, encoding, text = match[1].lower(), match[2].lower(), match[3]
    if not _CHARSETS.fullmatch(charset):
        raise Malformed(f"the {name} field is encoded in an unusual character set")
    try:
        if encoding == "b":
            return base64.b64decode(text, validate=True).decode(charset)
        return binascii.a2b_qp(text, header=True).decode(charset)
    except (ValueError, LookupError):
        raise Malformed(f"the {name} field holds a broken encoded word") from None


def _covers(names: frozenset[str], address: str) -> bool:
    return address in names or address.rpartition("@")[2] in names


class Senders:
    """The list of logins, read again when its file changes: nothing has to be reloaded."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._logins: Mapping[str, Allowed] = {}

    def allowed(self, login: str) -> Allowed:
        """Return what a login may send as; nothing for an unknown one. Raises OSError, ValueError for a bad file."""
        now = os.stat(self._path)  # noqa: PTH116 - one call a message
        # The change time cannot be set by whoever writes the file; the modification time can.
        seen = (now.st_ino, now.st_ctime_ns, now.st_size)
        if seen != self._seen:
            with open(self._path, encoding="utf-8") as file:  # noqa: PTH123
                data = json.load(file)
            self._logins = {k: Allowed(frozenset(v["now"]), frozenset(v["later"])) for k, v in data.items()}
            self._seen = seen
        return self._logins.get(login, Allowed())


def kind_of(field: str) -> str | None:
    """Return ``from`` or ``sender`` for those fields, ``odd`` for one that only resembles them, else None."""
    letters = re.sub(r"[^a-z]", "", field.lower())
    if letters not in ("from", "sender"):
        return None
    return letters if field.lower() == letters else "odd"


def serve() -> None:
    """Run the milter until systemd ends it."""
    import Milter

    senders = Senders(SENDERS)

    class SenderGuard(Milter.Base):  # type: ignore[misc]
        """One connection; each message starts anew at MAIL FROM."""

        def __init__(self) -> None:
            self.login = self.sender = ""
            self.began = time.monotonic()
            self.fields: dict[str, list[str]] = {}

        def envfrom(self, sender: str, *_: str) -> int:
            if too_long := decide_session(time.monotonic() - self.began):
                return self._answer(too_long)
            self.fields = {"from": [], "sender": [], "odd": []}
            self.login = self.getsymval("{auth_authen}") or ""
            if not self.login:
                # Postfix refuses those at RCPT, in words that a mail program understands; if it does not, eom does.
                return int(Milter.CONTINUE)
            envelope = sender[1:-1] if sender[:1] == "<" and sender[-1:] == ">" else sender
            return self._answer(self._judged(lambda allowed: decide_envelope(self.login, envelope, allowed)))

        def header(self, field: str, value: str) -> int:
            kind = kind_of(field)
            # A value too long is judged by its beginning: the length alone refuses it.
            if kind and len(self.fields[kind]) < 3:
                self.fields[kind].append(value[: _LONGEST + 1])
            return int(Milter.CONTINUE)

        def eom(self) -> int:
            if not self.login:
                return self._answer(Refusal("451", "4.7.1", "Try later: Postfix did not say who is logged in."))
            if self.fields["odd"]:
                return self._answer(Refusal("550", "5.7.1", "Refused: a field name resembles From or Sender."))
            seen = self.fields
            return self._answer(self._judged(lambda may: decide_header(self.login, seen["from"], seen["sender"], may)))

        def _judged(self, judge: Callable[[Allowed], Refusal | None]) -> Refusal | None:
            try:
                return judge(senders.allowed(self.login))
            except (OSError, ValueError, LookupError, TypeError, AttributeError):
                return Refusal("451", "4.3.5", "Try later: the list of senders cannot be read.")

        def _answer(self, refusal: Refusal | None) -> int:
            if refusal is None:
                return int(Milter.CONTINUE)
            # Printable ASCII only, whatever the message's author wrote; % would be expanded by the milter library.
            text = re.sub(r"[^ -$&-~]", "?", refusal.text)
            self.setreply(refusal.code, refusal.status, text)
            print(f"{refusal.code} {refusal.status} {text}", flush=True)
            return int(Milter.TEMPFAIL if refusal.code.startswith("4") else Milter.REJECT)

    Milter.factory = SenderGuard
    # An exception in a callback must never let a message pass.
    Milter.set_exception_policy(Milter.TEMPFAIL)
    os.umask(0o007)
    Milter.runmilter("sender-guard", SOCKET, 300)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        import Milter  # noqa: F401 - it can be imported, and this file parses: that is the check
    else:
        serve()

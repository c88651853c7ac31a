"""What is asked of a converged host to prove it: commands that are constants, and data that travels by standard input.

Each command is run as root by ``sh``; none ever holds text from outside. The programs lie in ``templates/probe/``.
"""

import base64
import binascii
import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sendwright.deploys.receiving import probe_mailbox
from sendwright.deploys.render import program
from sendwright.errors import HostError
from sendwright.stack import Address, Host

_MOST_NAME = 255
# The last words of a program that a reply of the server ended.
_REFUSED = re.compile(r"""smtplib\.\w+: \((\d{3}), b['"](.*)['"]\)""")
_MOST_SIGNATURES = 4


@dataclass(frozen=True)
class ChrootAnswer:
    """What smtp(8) sees of the local resolver: did it answer, and was the answer validated (the AD bit)."""

    answered: bool
    ad: bool


@dataclass(frozen=True)
class Smtp:
    """What an SMTP service offers to who asks: its own name, extensions before and inside TLS, its certificate (DER).

    ``inside`` is None where there is no TLS.
    """

    name: str
    before: frozenset[str]
    inside: frozenset[str] | None
    certificate: bytes

    @property
    def requires_tls_before_auth(self) -> bool:
        """Whether credentials can be offered inside TLS, and only there."""
        return "auth" not in self.before and self.inside is not None and "auth" in self.inside


@dataclass(frozen=True)
class Sample:
    """The message that signers are asked about, but for its author. ``fields``: those after From, in their order."""

    fields: Sequence[tuple[str, str]]
    body: str

    def signed(self, author: str, signature: str) -> bytes:
        """Return the message as it would have left: with the value of one DKIM-Signature, as the signer wrote it."""
        lines = [f"{name}: {value}" for name, value in (("DKIM-Signature", signature), ("From", author), *self.fields)]
        text = "\n".join([*lines, "", self.body.replace("\r\n", "\n")])
        return text.replace("\r", "").replace("\n", "\r\n").encode("latin-1", "replace")


@dataclass(frozen=True)
class Signed:
    """What a signer answered about one author's message.

    ``verdict``: its last answer, a letter of the milter protocol, or "" where it could not be asked; ``signatures``:
    values of DKIM-Signature fields.
    """

    verdict: str
    signatures: tuple[str, ...] = ()


def chroot_ad_command() -> str:
    """Return the command that asks the resolver from inside Postfix's chroot; it reads no input."""
    return _python("probe/chroot_ad.py")


def parse_chroot_ad(host: Host, output: str) -> ChrootAnswer:
    """Return what that command printed; HostError if it is not what we asked for."""
    data = _parsed(host, output)
    if not all(isinstance(data.get(key), bool) for key in ("answered", "ad")):
        raise _unexpected(host)
    return ChrootAnswer(answered=data["answered"] is True, ad=data["ad"] is True)


def send_probes_command() -> str:
    """Return the command that sends probes to the host's probe mailbox and prints them as delivered."""
    return _python("probe/send.py")


def send_probes_input(host: Host, probes: Mapping[str, str], seconds: float, most: float) -> str:
    """Return the standard input of that command.

    Arguments: ``probes``: a token of a-z, 0-9 and -, 8 to 64 characters, unique to this run, to the header From
    (``signing.probe_address``); ``seconds`` to wait for the next to be delivered; ``most``: seconds for all of it.
    """
    return json.dumps({"recipient": probe_mailbox(host), "seconds": seconds, "most": most, "probes": dict(probes)})


def parse_probes(host: Host, output: str, probes: Mapping[str, str]) -> Mapping[str, bytes | None]:
    """Return each token's message as it was delivered, None for one that did not arrive in time.

    A message may carry other signatures too (those of keys that sign already): judge the one of the selector that is
    probed. HostError if the output is not what we asked for.
    """
    data = _parsed(host, output)
    try:
        return {t: None if data[t] is None else base64.b64decode(str(data[t]), validate=True) for t in probes}
    except (KeyError, ValueError):
        raise _unexpected(host) from None


def smtp_command(address: Address, port: int) -> str:
    """Return the command that asks the SMTP service at an address of the host itself what it offers."""
    return f"{_python('probe/smtp.py')} {address} {port}"


def parse_smtp(output: str) -> Smtp | str:
    """Return what that command printed, or why it is no answer: its last words (standard error goes there, too)."""
    last = (output.strip().splitlines() or ["nothing"])[-1]
    try:
        found = json.loads(last)
        before, inside = found["before"], found["inside"]
        return Smtp(
            str(found["name"])[:_MOST_NAME],
            frozenset(map(str, before)),
            None if inside is None else frozenset(map(str, inside)),
            base64.b64decode(found["certificate"], validate=True),
        )
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        refused = _REFUSED.fullmatch(last)
        return (f"{refused[1]} {refused[2]}" if refused else last)[:200]


def sign_command() -> str:
    """Return the command that has the running signers sign messages that are sent to nobody."""
    return _python("probe/sign.py")


def sign_input(sockets: Mapping[str, str], authors: Sequence[str], sample: Sample, most: float) -> str:
    """Return the standard input of that command.

    Arguments: ``sockets``: where each signer listens, by its name; ``authors``: addresses for the header From;
    ``most``: seconds for all of it.
    """
    order = {"sockets": dict(sockets), "authors": list(authors), "most": most}
    return json.dumps({**order, "fields": list(sample.fields), "body": sample.body})


def parse_signed(host: Host, output: str, signers: Collection[str]) -> Mapping[str, Mapping[str, Signed]]:
    """Return what each signer answered, by author; HostError if it is not what we asked for."""
    data = _parsed(host, output)
    found = {}
    for name in signers:
        answers = data.get(name)
        if not isinstance(answers, dict):
            raise _unexpected(host)
        found[name] = {author: _signed(host, answer) for author, answer in answers.items()}
    return found


def _signed(host: Host, answer: object) -> Signed:
    verdict, signatures = answer if isinstance(answer, list) and len(answer) == 2 else (None, None)
    if not isinstance(verdict, str) or not isinstance(signatures, list):
        raise _unexpected(host)
    if len(signatures) > _MOST_SIGNATURES or not all(isinstance(value, str) for value in signatures):
        raise _unexpected(host)
    return Signed(verdict, tuple(signatures))


def _python(name: str) -> str:
    return f"exec /usr/bin/python3 -I -c {shlex.quote(program(name))}"


def _parsed(host: Host, output: str) -> Mapping[str, object]:
    try:
        data = json.loads(output)
    except (ValueError, RecursionError):
        raise _unexpected(host) from None
    if not isinstance(data, dict):
        raise _unexpected(host)
    return data


def _unexpected(host: Host) -> HostError:
    return HostError(host.name, "a probe printed something else than its answer.", "Run `sendwright provision` again.")

"""The way questions reach name servers: one function, passed in everywhere, so that tests need no network."""

import errno
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import dns.exception
import dns.flags
import dns.message
import dns.query

from sendwright.concurrently import concurrently
from sendwright.errors import UsageError

PARALLEL = 16
_PAYLOAD = 1232
_NO_ROUTE = {errno.ENETUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class NoAnswer(Exception):
    """Report that a server said nothing. ``no_route``: it was not even asked, as this machine has no way to it."""

    def __init__(self, what: str, *, no_route: bool = False) -> None:
        super().__init__(what)
        self.no_route = no_route


@dataclass(frozen=True)
class Question:
    """What to ask whom. ``recurse``: ask a resolver; otherwise a server that must know by itself.

    ``checked`` False asks a validating resolver to answer even what it holds for bogus (the CD bit, RFC 4035, 3.2.2);
    ``signatures`` asks for them too (the DO bit, RFC 4035, 3.1); ``stream`` asks over TCP from the start.
    """

    server: str
    name: str
    type: str
    recurse: bool = False
    checked: bool = True
    signatures: bool = False
    stream: bool = False


class Ask(Protocol):
    """Answer one question; NoAnswer if the server says nothing."""

    def __call__(self, question: Question, /) -> dns.message.Message:
        """Return the server's message, whatever its rcode."""
        ...


def query(question: Question, port: int = 53, timeout: float = 2.0, tries: int = 3) -> dns.message.Message:
    """Ask over UDP, and over TCP if the answer is cut or the question says so. Raises NoAnswer.

    ``timeout``: in seconds, of each try.
    """
    reason = "no answer"
    for attempt in range(tries):
        if attempt:
            time.sleep(0.1 * attempt)
        try:
            message = _exchange(question, port, timeout)
        except dns.exception.Timeout:
            reason = f"no answer within {timeout:g} s, asked {tries} times"
        except OSError as error:
            if error.errno in _NO_ROUTE:
                raise NoAnswer(f"no route from this machine ({error.strerror})", no_route=True) from error
            reason = error.strerror or str(error)
        except (dns.exception.DNSException, EOFError) as error:
            reason = f"an answer that is no DNS message ({type(error).__name__})"
        else:
            return message
    raise NoAnswer(reason)


def _exchange(question: Question, port: int, timeout: float) -> dns.message.Message:
    if question.stream:
        return dns.query.tcp(_message(question), question.server, timeout, port)
    message, _ = dns.query.udp_with_fallback(_message(question), question.server, timeout, port)
    return message


def system_resolver(path: Path = Path("/etc/resolv.conf")) -> str:
    """Return the address of the resolver that this machine uses; UsageError if it names none."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", _NO_RESOLVER) from error
    found = [words[1] for line in lines if len(words := line.split()) > 1 and words[0] == "nameserver"]
    if not found:
        raise UsageError(f"{path} names no resolver.", _NO_RESOLVER)
    return found[0]


_NO_RESOLVER = "Give this machine a resolver, best a validating one of its own: a line `nameserver ADDRESS`."


def ask_all(ask: Ask, questions: Sequence[Question]) -> list[dns.message.Message | NoAnswer]:
    """Ask many questions at the same time and return the answers in their order; equal questions are asked once."""
    different = list(dict.fromkeys(questions))
    if len(different) < 2:
        # No thread for one question: a run over many domains has thousands of these.
        return [_caught(ask, q) for q in different] * len(questions)
    answers = dict(concurrently(lambda question: _caught(ask, question), different, PARALLEL))
    return [answers[q] for q in questions]


def once(ask: Ask) -> Ask:
    """Return what asks each question once and remembers the answer: for one look, in which several want the same."""
    known: dict[Question, dns.message.Message | NoAnswer] = {}

    def remembered(question: Question) -> dns.message.Message:
        if question not in known:
            known[question] = _caught(ask, question)
        answer = known[question]
        if isinstance(answer, NoAnswer):
            raise answer
        return answer

    return remembered


def _caught(ask: Ask, question: Question) -> dns.message.Message | NoAnswer:
    try:
        return ask(question)
    except NoAnswer as silence:
        return silence


def _message(question: Question) -> dns.message.Message:
    message = dns.message.make_query(question.name + ".", question.type, use_edns=0, payload=_PAYLOAD)
    message.want_dnssec(question.signatures)
    message.flags = dns.flags.Flag(0)
    if question.recurse:
        # AD in a question asks for the verdict without the signatures (RFC 6840 section 5.7).
        message.flags |= dns.flags.RD | dns.flags.AD
    if not question.checked:
        message.flags |= dns.flags.CD
    return message

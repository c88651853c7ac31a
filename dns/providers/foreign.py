"""Calls of code that is neither ours nor our dependencies': bounded in time, and every failure a DnsError.

What such code says is hostile: it is cut, printable, and without our secrets.
"""

import importlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

from sendwright.dns.providers.patience import OutOfTime, within
from sendwright.errors import DnsError, NotAllowed, SendwrightError, ServerUnreachable
from sendwright.escape import plain

Answer = TypeVar("Answer")


def load(module: str, name: str) -> Any:
    """Return what a module calls ``name``; None if there is no such module or name in it, or it cannot be imported."""
    try:
        return getattr(importlib.import_module(module), name, None)
    except (Exception, SystemExit):
        return None


def call(
    call: Callable[[], Answer], zone: str, what: str, hint: str, seconds: float, secrets: tuple[str, ...] = ()
) -> Answer:
    """Return what a call returns.

    Arguments: ``what`` the sentence of an error begins with, as in ``octoDNS (x.Y)``; ``hint``: the one that
    it ends with; ``seconds``: then it is given up,
    and left behind in its thread; ``secrets``: what its words are cleaned of. Raises NotAllowed, ServerUnreachable or
    DnsError; our own errors pass.
    """
    try:
        with _quiet():
            return within(seconds, call)
    except OutOfTime:
        raise ServerUnreachable(zone, f"{what} gave no answer in {seconds:g} s.", hint) from None
    except SendwrightError:
        raise
    except (Exception, SystemExit) as error:
        # "from None": the exception may hold requests with their headers.
        raise _kind(error)(zone, f"{what} failed: {_words(error, secrets)}.", hint) from None


def _kind(error: BaseException) -> type[DnsError]:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in {401, 403} or any(word in type(error).__name__ for word in ("Unauthorized", "Forbidden")):
        return NotAllowed
    # requests' errors are OSErrors too, the answers of a server that does answer included.
    return ServerUnreachable if isinstance(error, OSError) and status is None else DnsError


def _words(error: BaseException, secrets: tuple[str, ...]) -> str:
    try:
        said = " ".join(str(error).split())
    except Exception:
        said = ""
    for secret in secrets:
        # A key of several lines is one line by now, in whatever form it is quoted.
        for form in (secret, quote(secret, safe=""), repr(secret)[1:-1]):
            said = said.replace(" ".join(form.split()), "…")
    return plain(f"{type(error).__name__}: {said}".rstrip(".: "))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings of others off the terminal: Python prints those that nobody handles, as they are."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)

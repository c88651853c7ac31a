"""The answers to ``http-01`` challenges on a host, where its web server and certbot look for them: commands as text.

Constant: what varies comes by standard input.
"""

import re
from collections.abc import Iterable

FOLDER = "/var/lib/sendwright-acme"
"""The root of what the web server shows without TLS."""

WELL_KNOWN = f"{FOLDER}/.well-known/acme-challenge"
"""Where each answer is a file, named as its token (RFC 8555 section 8.3)."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")
_AUTHORIZATION = re.compile(r"[A-Za-z0-9_-]{1,128}\.[A-Za-z0-9_-]{1,128}")
_HEAD = "umask 022; export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin"
# No order lives as long: what is older was left by a run that died.
_DEAD_MINUTES = 7 * 24 * 60


def put_command() -> str:
    """Return the script that puts answers in place; each is there whole or not at all."""
    return f"""{_HEAD}
mkdir -p {WELL_KNOWN} && cd {WELL_KNOWN} || exit 1
find . -xdev -type f -mmin +{_DEAD_MINUTES} -delete
while IFS=' ' read -r token text; do
  printf '%s' "$text" >"./.$token.sendwright-new" && mv -fT "./.$token.sendwright-new" "./$token" || exit 1
done
"""


def put_input(answers: Iterable[tuple[str, str]]) -> bytes:
    """Return the standard input of ``put_command``: tokens, each with its key authorization.

    ValueError for what the standard does not allow: it comes from outside, and a token becomes the name of a file.
    """
    return "".join(f"{_token(token)} {_authorization(text)}\n" for token, text in answers).encode()


def remove_command() -> str:
    """Return the script that takes answers away; one that is not there is no failure."""
    return f"""{_HEAD}
cd {WELL_KNOWN} 2>/dev/null || exit 0
while read -r token; do rm -f -- "./$token" || exit 1; done
"""


def remove_input(tokens: Iterable[str]) -> bytes:
    """Return the standard input of ``remove_command``; ValueError as above."""
    return "".join(f"{_token(token)}\n" for token in tokens).encode()


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError("a token has other characters than base64url, or too many (RFC 8555 section 8.3)")
    return text


def _authorization(text: str) -> str:
    if not _AUTHORIZATION.fullmatch(text):
        raise ValueError("a key authorization is no token and thumbprint (RFC 8555 section 8.1)")
    return text

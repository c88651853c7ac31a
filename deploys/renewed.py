"""What a host that renews its certificates by itself has by now, and what hinders it.

The command is constant and changes nothing; the answer is hostile until parsed. Whether a chain is good is for others
to say (``certs.from_chain``).
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass

from sendwright.deploys.base import TLS
from sendwright.deploys.renewal import STATE
from sendwright.errors import HostError
from sendwright.escape import printable

_BEGIN, _END = "sendwright renewed 1", "end"
# A hundred names, and the certificates up to the root, are 16 kB at most.
_LARGEST = 65536
_CHAIN = re.compile(rf"chain ({TLS}/[0-9a-f]{{16}}/chain(?:-[0-9]{{1,4}})?\.pem) ([A-Za-z0-9+/=]*)", re.ASCII)
_MEMORY = re.compile(r"memory ([A-Za-z0-9+/=]*)", re.ASCII)
_MOST_SAID = 1200


@dataclass(frozen=True)
class Trouble:
    """Why a host could not renew: how many times in a row, since when (in its words), and what was said last."""

    failures: int
    since: str
    said: str


def command() -> str:
    """Return the script that prints the chains that lie on a host, and what its last renewals failed for."""
    return f"""export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
echo '{_BEGIN}'
find {TLS} -mindepth 2 -maxdepth 2 -type f -name 'chain*.pem' -size -{_LARGEST // 1024}k 2>/dev/null | sort |
while IFS= read -r f; do
  printf 'chain %s ' "$f"; base64 -w0 -- "$f"; echo
done
[ ! -f {STATE}/memory.json ] || {{ printf 'memory '; head -c {_LARGEST} {STATE}/memory.json | base64 -w0; echo; }}
echo {_END}
"""


def parse(host: str, output: bytes) -> dict[str, str]:
    """Return the chains by their paths (``base.chain_path``), PEM text; HostError for any other answer."""
    found = (_CHAIN.fullmatch(line) for line in _lines(host, output))
    return {match[1]: _text(host, match[2]) for match in found if match}


def trouble(host: str, output: bytes) -> Trouble | None:
    """Return what hinders a host's renewals, or None; HostError for any other answer."""
    matches = (_MEMORY.fullmatch(line) for line in _lines(host, output))
    memory = next((_text(host, match[1]) for match in matches if match), None)
    if memory is None:
        return None
    try:
        data = json.loads(memory)
        found = Trouble(int(data["failures"]), _shown(data["since"]), _shown(data["said"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _malformed(host) from error
    return found if found.failures > 0 else None


def _shown(text: object) -> str:
    return printable(" ".join(str(text).split()))[:_MOST_SAID]


def _lines(host: str, output: bytes) -> list[str]:
    try:
        lines = output.decode("ascii").splitlines()
    except ValueError:
        raise _malformed(host) from None
    body = lines[1:-1]
    known = all(_CHAIN.fullmatch(line) or _MEMORY.fullmatch(line) for line in body)
    if not known or len(lines) < 2 or (lines[0], lines[-1]) != (_BEGIN, _END):
        raise _malformed(host)
    return body


def _text(host: str, encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _malformed(host) from None


def _malformed(host: str) -> HostError:
    hint = f"Does its shell print anything of its own, or do strange files lie in {TLS}?"
    return HostError(host, "which certificates it has could not be read.", hint)

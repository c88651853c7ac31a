"""What a host still holds of a state folder that was lost: DKIM keys, what signs with which, TLS, its generation.

The command is constant. Private keys travel by the connection only; the answer is hostile until parsed.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import TypeAdapter

from sendwright.deploys.base import TLS
from sendwright.errors import HostError
from sendwright.generation import READ, Generation, held_by
from sendwright.names import DomainName, Selector

_BEGIN, _END = "sendwright remains 1", "end"
_KEYS = "/etc/opendkim/keys"
_KEY = re.compile(r"key \./([a-z0-9.-]{1,253})/([a-z0-9-]{1,63})\.pem ([0-9]{1,11}) ([A-Za-z0-9+/=]*)", re.ASCII)
_OTHER = re.compile(r"(table|generation|tls) ([A-Za-z0-9+/=]*)", re.ASCII)
_CHAIN = re.compile(r"chain \./chain(?:-([0-9]{1,4}))?\.pem ([A-Za-z0-9+/=]*)", re.ASCII)
_DOMAIN, _SELECTOR = TypeAdapter(DomainName), TypeAdapter(Selector)


@dataclass(frozen=True)
class HeldKey:
    """A private key on a host: ``pem`` as it lies there; ``since``: when it was installed, as the host says."""

    domain: str
    selector: str
    since: datetime
    pem: bytes = field(repr=False)


@dataclass(frozen=True)
class HeldTls:
    """The TLS key that Postfix loads on a host, as it lies there, and the chains beside it, by their numbers."""

    chains: Mapping[int, str]
    pem: bytes = field(repr=False)


@dataclass(frozen=True)
class Remains:
    """What a host holds. ``signs``: record names of the keys that its tables have mail signed with, but for probes."""

    keys: tuple[HeldKey, ...] = ()
    signs: frozenset[str] = frozenset()
    generation: Generation | None = None
    tls: HeldTls | None = None


def command() -> str:
    """Return the script that prints what a host holds; it changes nothing."""
    return f"""export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
echo '{_BEGIN}'
cd {_KEYS} 2>/dev/null && find . -mindepth 2 -maxdepth 2 -type f -size -32 -name '*.pem' | sort |
while IFS= read -r f; do
  printf 'key %s %s ' "$f" "$(stat -c %Y -- "$f")"; base64 -w0 -- "$f"; echo
done
for f in /etc/opendkim/*.signingtable; do
  [ ! -f "$f" ] || {{ printf 'table '; base64 -w0 -- "$f"; echo; }}
done
d=$(sed -n 's#^smtpd_tls_chain_files *= *\\({TLS}/[0-9a-f]*\\)/key\\.pem,.*#\\1#p' /etc/postfix/main.cf 2>/dev/null)
if [ -n "$d" ] && [ -f "$d/key.pem" ] && cd -- "$d"; then
  printf 'tls '; head -c 65536 key.pem | base64 -w0; echo
  find . -maxdepth 1 -type f -size -128 -name 'chain*.pem' | sort |
  while IFS= read -r f; do printf 'chain %s ' "$f"; base64 -w0 -- "$f"; echo; done
fi
printf 'generation '; {{ {READ}; }} | base64 -w0; echo
echo {_END}
"""


def parse(host: str, output: bytes) -> Remains:
    """Return what the command printed; HostError for anything else."""
    try:
        lines = output.decode("ascii").splitlines()
        if not lines or (lines[0], lines[-1]) != (_BEGIN, _END):
            raise _Malformed
        body = lines[1:-1]
        others = [(found[1], _bytes(found[2])) for line in body if (found := _OTHER.fullmatch(line))]
        chains = {int(found[1] or 0): _bytes(found[2]) for line in body if (found := _CHAIN.fullmatch(line))}
        keys = tuple(_keys(line for line in body if not (_OTHER.fullmatch(line) or _CHAIN.fullmatch(line))))
    except ValueError:
        # "from None": private keys may not travel in an exception.
        hint = "Does its shell print anything of its own, or do strange files lie among its keys?"
        raise HostError(host, f"what it holds in {_KEYS} and {TLS} could not be read.", hint) from None
    held = next((content for kind, content in others if kind == "generation"), b"")
    tables = (content.decode(errors="replace") for kind, content in others if kind == "table")
    pem = next((content for kind, content in others if kind == "tls"), None)
    tls = HeldTls({number: text.decode(errors="replace") for number, text in chains.items()}, pem) if pem else None
    return Remains(keys, frozenset(name for table in tables for name in _signs(table)), held_by(host, held), tls)


class _Malformed(ValueError):
    pass


def _keys(lines: Iterable[str]) -> Iterator[HeldKey]:
    for line in lines:
        found = _KEY.fullmatch(line)
        if not found:
            raise _Malformed
        domain, selector, since, content = found.groups()
        at = datetime.fromtimestamp(int(since), UTC)
        yield HeldKey(_DOMAIN.validate_python(domain), _SELECTOR.validate_python(selector), at, _bytes(content))


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise _Malformed from None


def _signs(table: str) -> Iterator[str]:
    """The keys of a signing table's rows but for those of probes, which are whole addresses."""
    for line in table.splitlines():
        words = line.partition("#")[0].split()
        if len(words) == 2 and "@" not in words[0]:
            yield words[1]

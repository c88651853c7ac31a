"""What is asked of a converged host to prove it: commands that are constants, and data that travels by standard input.

Each command is run as root by ``sh``; none ever holds text from outside. The programs lie in ``templates/probe/``.
"""

import base64
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from sendwright.deploys.receiving import probe_mailbox
from sendwright.deploys.render import program
from sendwright.errors import HostError
from sendwright.stack import Host


@dataclass(frozen=True)
class ChrootAnswer:
    """What smtp(8) sees of the local resolver: did it answer, and was the answer validated (the AD bit)."""

    answered: bool
    ad: bool


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


def _python(name: str) -> str:
    return f"exec /usr/bin/python3 -I -c {shlex.quote(program(name))}"


def _parsed(host: Host, output: str) -> Mapping[str, object]:
    try:
        data = json.loads(output)
    except ValueError:
        raise _unexpected(host) from None
    if not isinstance(data, dict):
        raise _unexpected(host)
    return data


def _unexpected(host: Host) -> HostError:
    return HostError(host.name, "a probe printed something else than its answer.", "Run `sendwright provision` again.")

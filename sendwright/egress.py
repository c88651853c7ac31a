"""Whether a host that sends is about to send from another address. Pure.

Receivers judge it by the SPF record that they hold, so such a host keeps its old address until the new one is served
and fresh (RFC 7208 section 3).
"""

import re

from sendwright.observation import Observation
from sendwright.service import File, Service

_MAIN = "/etc/postfix/main.cf"
_SOURCE = re.compile(r"^(smtp_bind_address6?|inet_protocols)\s*=\s*(.*?)\s*$", re.MULTILINE)


def moves(services: tuple[Service, ...], seen: Observation) -> bool:
    """Return whether converging a host to its services changes the address or family that its mail leaves from.

    A host whose Postfix we did not configure yet sends nothing for us. Where no address is bound (1:1 NAT), a change
    happens outside of the host, and nobody can hold it back.
    """
    state = seen.paths.get(_MAIN)
    if not seen.managed or state is None or state.content is None:
        return False  # content is there only where it differs from what is desired
    wanted = next(f for s in services for f in s.files if isinstance(f, File) and f.path == _MAIN)
    return _sources(state.content) != _sources(str(wanted.content))


def _sources(text: str) -> dict[str, str]:
    return dict(_SOURCE.findall(text))

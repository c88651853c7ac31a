"""A host that renews its certificates by itself, so that mail does not depend on anybody's laptop.

certbot asks the authority, for the key that the host has (its ``--csr``); ``templates/renewal/renew.py`` judges what
comes, puts it in place and has it loaded. Debian's own timer for certbot knows nothing of it: it renews what others
keep in /etc/letsencrypt, which stays theirs.
"""

import json
from collections.abc import Iterable

from sendwright import sts
from sendwright.acme import directories
from sendwright.deploys.base import ETC, LIB, TLS, chain_path, key_path, named
from sendwright.deploys.challenges import FOLDER
from sendwright.deploys.material import Material
from sendwright.deploys.render import program, render
from sendwright.observe import STAMPS
from sendwright.service import Apply, Directory, File, Running, Service, Unit
from sendwright.stack import AcmeTls, Host, Stack

TIMER, UNIT = "sendwright-renewal.timer", "sendwright-renewal.service"
#: Where it notes what failed, and since when.
STATE = "/var/lib/sendwright-renewal"
_FOLDER = f"{ETC}/renewal"
_PROGRAM = f"{LIB}/renew.py"
_ROOTS = f"{_FOLDER}/roots.pem"
# All that Debian trusts (ca-certificates).
_TRUSTED = "/etc/ssl/certs/ca-certificates.crt"


def renewal(stack: Stack, host: Host, material: Material, loading: Iterable[Service]) -> Service:
    """Return what renews a host's certificates; nothing where the controller does.

    Arguments: ``loading``: the services that load certificates.
    """
    if not isinstance(host.tls, AcmeTls) or host.tls.renewal != "host":
        return Service("renewal", units=(Unit(TIMER, Running.DOWN),), absent=(_FOLDER,))
    roots = stack.roots
    return Service(
        name="renewal",
        packages=("certbot", "openssl", "python3-cryptography"),
        directories=(
            Directory(LIB),
            Directory(_FOLDER, exclusive=True),
            Directory(STATE),
        ),
        files=(
            File(_PROGRAM, program("renewal/renew.py")),
            *((File(_ROOTS, roots),) if roots else ()),
            File(f"{_FOLDER}/renewal.json", _config(stack, host, material, tuple(loading))),
            File(f"/etc/systemd/system/{UNIT}", _unit()),
            File(f"/etc/systemd/system/{TIMER}", render("renewal/sendwright-renewal.timer.j2")),
        ),
        validate=(f"/usr/bin/python3 -I {_PROGRAM} --check",),
        units=(Unit(TIMER),),
        reload_units=(TIMER,),
        apply=Apply.RESTART,
    )


def _unit() -> str:
    writes = " ".join((TLS, FOLDER, STAMPS))
    values = {"program": _PROGRAM, "state_name": STATE.rpartition("/")[2], "writes": writes}
    return render("renewal/sendwright-renewal.service.j2", **values)


def _config(stack: Stack, host: Host, material: Material, loading: tuple[Service, ...]) -> str:
    wanted = frozenset(sts.names(stack, host))
    certificates = [
        {"chain": chain_path(c), "key": key_path(c), "names": sorted(named(c.chain) & wanted)}
        for c in material.certificates
        # The first one of the authority's comes from the controller.
        if c.mode == "acme"
    ]
    private = stack.roots is not None
    trusted = None if stack.acme.directory == "staging" else _TRUSTED
    found = {
        "server": directories.url(stack.acme),
        "contact": [uri.removeprefix("mailto:") for uri in stack.acme.contact],
        "webroot": FOLDER,
        "state": STATE,
        "stamps": STAMPS,
        "roots": _ROOTS if private else trusted,
        "private": private,
        "certificates": [c for c in certificates if c["names"]],
        "daemons": [{"name": s.name, "unit": s.reload_units[0], "paths": [f.path for f in s.files]} for s in loading],
    }
    return json.dumps(found, indent=1) + "\n"

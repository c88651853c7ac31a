"""The web server of a host: answers to certificate authorities over HTTP, and policies of MTA-STS over HTTPS.

nginx under a unit and a configuration of our own: Debian's is for sites, and some hosts have some.
"""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sendwright import sts
from sendwright.acme.provable import kind_of
from sendwright.deploys.base import ETC, TLS, certificate_files, chain_path, key_path, named, tls_folder
from sendwright.deploys.challenges import FOLDER, WELL_KNOWN
from sendwright.deploys.material import Material
from sendwright.deploys.render import render
from sendwright.service import Directory, File, Running, Service, Socket, Unit
from sendwright.stack import AcmeTls, Host, Stack
from sendwright.state.model import Certificate, Claim

UNIT = "sendwright-web.service"
_FOLDER = f"{ETC}/web"
_CONF = f"{_FOLDER}/nginx.conf"
_POLICIES = f"{_FOLDER}/policies"
_RUN = "sendwright-web"


def web(stack: Stack, host: Host, material: Material) -> Service:
    """Return the web server of a host that serves policies or proves its names over HTTP; else, that there is none."""
    if not wanted(stack, host):
        return Service("web", units=(Unit(UNIT, Running.DOWN),), absent=(_FOLDER,))
    texts = _texts(stack, host, material.claims)
    shown = _shown(texts, material.certificates)
    return Service(
        name="web",
        packages=("nginx",),
        directories=(
            Directory(_FOLDER),
            # A text that is not served any more goes once nginx has loaded which is.
            Directory(_POLICIES, exclusive=True),
            *(Directory(path) for path in (FOLDER, posixpath.dirname(WELL_KNOWN), WELL_KNOWN)),
            *((Directory(TLS, mode=0o700),) if shown else ()),
            *(Directory(path, mode=0o700) for path in dict.fromkeys(tls_folder(s.certificate) for s in shown)),
        ),
        files=(
            *dict.fromkeys(file for s in shown for file in certificate_files(s.certificate)),
            *(File(f"{_POLICIES}/{_file(text)}", text) for text in dict.fromkeys(texts.values())),
            File(f"/etc/systemd/system/{UNIT}", render("nginx/sendwright-web.service.j2", conf=_CONF, run_name=_RUN)),
            File(_CONF, _conf(host, _others(stack, host), texts, shown)),
        ),
        # Even to look at its configuration it wants to write down which process it is.
        validate=(f"mkdir -p /run/{_RUN} && nginx -q -t -e stderr -c {_CONF}",),
        units=(
            # Debian's would take the ports.
            Unit("nginx.service", Running.DOWN),
            Unit(UNIT),
        ),
        reload_units=(UNIT,),
        listens=tuple(Socket(port) for port in ((80, 443) if texts else (80,))),
    )


def wanted(stack: Stack, host: Host) -> bool:
    """Return whether a host needs a web server."""
    if not isinstance(host.tls, AcmeTls):
        return False
    # A host that renews by itself has no access to DNS.
    return (
        host.tls.renewal == "host"
        or bool(sts.domains(stack, host))
        or any(kind_of(stack, host, name) == "http-01" for name in sts.names(stack, host))
    )


@dataclass(frozen=True)
class _Shown:
    """A certificate and the names for which it is shown."""

    certificate: Certificate
    names: tuple[str, ...]

    @property
    def chain(self) -> str:
        return chain_path(self.certificate)

    @property
    def key(self) -> str:
        return key_path(self.certificate)


def _texts(stack: Stack, host: Host, claims: Iterable[Claim]) -> dict[str, str]:
    """Return the text of each policy by the name that it is served for."""
    of = sts.exchanges(claims)
    found = {d.name: sts.policy(stack, d, of.get(d.name, ())) for d in sts.domains(stack, host)}
    return {sts.policy_host(domain): text for domain, text in found.items() if text is not None}


def _shown(texts: Mapping[str, str], certificates: tuple[Certificate, ...]) -> tuple[_Shown, ...]:
    """Return which certificate is shown for which names: the one that holds them, before there is one the first."""
    holding = {name: c.number for c in reversed(certificates) for name in named(c.chain)}
    by_number: dict[int, list[str]] = {}
    for name in texts:
        by_number.setdefault(holding.get(name, certificates[0].number), []).append(name)
    return tuple(_Shown(c, tuple(by_number[c.number])) for c in certificates if c.number in by_number)


def _file(text: str) -> str:
    return f"{sts.policy_id(text)}.txt"


def _others(stack: Stack, host: Host) -> tuple[str, ...]:
    """Return where else an answer may lie: at hosts that renew by themselves a certificate with a name that leads here.

    What the controller has proven lies on all hosts at once.
    """
    serving = {h.name: h for domain in sts.domains(stack, host) for h in sts.servers(stack, domain)}
    renewing = (h for h in serving.values() if isinstance(h.tls, AcmeTls) and h.tls.renewal == "host" and h != host)
    families = {a.version for a in host.addresses}
    reached = (next((a for a in h.addresses if a.version in families), None) for h in renewing)
    return tuple(sorted(f"[{a}]:80" if a.version == 6 else f"{a}:80" for a in reached if a is not None))


def _conf(host: Host, others: tuple[str, ...], texts: Mapping[str, str], shown: tuple[_Shown, ...]) -> str:
    families = sorted({a.version for a in host.addresses})
    return render(
        "nginx/nginx.conf.j2",
        others=others,
        addresses=[{4: "", 6: "[::]:"}[version] for version in families],
        run=f"/run/{_RUN}",
        challenges=FOLDER,
        folder=_POLICIES,
        # nginx says so at every start where a table is too small to be quick.
        hash_size=max(1024, 4 * len(texts)),
        policies={name: _file(text) for name, text in texts.items()},
        certificates=shown,
    )

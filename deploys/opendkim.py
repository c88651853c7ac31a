"""The signers: one OpenDKIM an algorithm, because one instance cannot sign with both kinds of key (RFC 6376, RFC 8463).

What signs what is decided by ``sendwright.signing``. Mail is signed because of the service that took it (its daemon
name is ORIGINATING), never because of the address it came from.
"""

from collections.abc import Iterable

from sendwright.deploys.material import Material
from sendwright.deploys.render import render
from sendwright.service import Directory, File, Running, Service, Unit
from sendwright.signing import installed, probe_address, signing
from sendwright.stack import DkimAlgorithm, Host, Stack
from sendwright.state.model import DkimKey

_ETC = "/etc/opendkim"
# What a reader is shown or a program acts on (RFC 6376 section 5.4.1).
_FIELDS = (
    "From,Reply-To,Subject,Date,To,Cc,MIME-Version,Content-Type,Message-ID,In-Reply-To,References,List-Id,List-Help,"
    "List-Unsubscribe,List-Unsubscribe-Post,List-Subscribe,List-Post,List-Owner,List-Archive"
)
_SOCKETS = "opendkim"  # below /var/spool/postfix: Postfix's daemons are chrooted there


def algorithms(stack: Stack, host: Host) -> tuple[DkimAlgorithm, ...]:
    """Return the algorithms that a host's domains sign with, in the order in which their signers are asked."""
    wanted = {a for d in stack.domains_of(host) for a in d.dkim.algorithms}
    return tuple(a for a in DkimAlgorithm if a in wanted)


def sockets(stack: Stack, host: Host) -> tuple[str, ...]:
    """Return the signers' sockets as Postfix names them, relative to its queue directory."""
    return tuple(f"unix:{_SOCKETS}/{a}.sock" for a in algorithms(stack, host))


def opendkim(stack: Stack, host: Host, material: Material) -> Service:
    """Return the signers of a host, with every key that lies on it and a table of those that sign."""
    wanted = algorithms(stack, host)
    keys = tuple(k for d in stack.domains_of(host) for k in installed(d, material.keys))
    folders = sorted({_folder(k) for k in keys})
    return Service(
        name="opendkim",
        # postfix, because its queue directory holds our sockets and its group opens them.
        packages=("opendkim", "postfix"),
        directories=(
            Directory(_ETC),
            *(
                Directory(f, owner="opendkim", group="opendkim", mode=0o700, exclusive=True)
                for f in (f"{_ETC}/keys", *folders)
            ),
            Directory(f"/var/spool/postfix/{_SOCKETS}", owner="opendkim", group="postfix", mode=0o750),
        ),
        files=(
            File(
                "/etc/systemd/system/sendwright-opendkim@.service", render("opendkim/sendwright-opendkim@.service.j2")
            ),
            *(File(_path(k), k.sealed, owner="opendkim", group="opendkim", mode=0o600) for k in keys),
            *(f for a in wanted for f in _instance(stack, host, a, material.keys)),
        ),
        absent=tuple(f"{_ETC}/{a}.{kind}" for a in DkimAlgorithm if a not in wanted for kind in _KINDS),
        validate=tuple(f"runuser -u opendkim -- opendkim -n -x {_ETC}/{a}.conf" for a in wanted),
        units=(
            # Debian's single instance would run with package defaults beside ours.
            Unit("opendkim.service", Running.MASKED),
            *(Unit(_unit(a), Running.UP if a in wanted else Running.DOWN) for a in DkimAlgorithm),
        ),
        reload_units=tuple(_unit(a) for a in wanted),
    )


_KINDS = ("conf", "keytable", "signingtable")


def _instance(stack: Stack, host: Host, algorithm: DkimAlgorithm, keys: Iterable[DkimKey]) -> tuple[File, ...]:
    keys = tuple(keys)
    held = [k for d in stack.domains_of(host) for k in installed(d, keys) if k.algorithm is algorithm]
    sockets = f"/var/spool/postfix/{_SOCKETS}"
    texts = (
        render("opendkim/opendkim.conf.j2", algorithm=algorithm, etc=_ETC, sockets=sockets, fields=_FIELDS),
        render("opendkim/keytable.j2", rows=[(k.record_name, f"{k.domain}:{k.selector}:{_path(k)}") for k in held]),
        render("opendkim/signingtable.j2", probes=_probes(held), signers=_signers(stack, host, algorithm, keys)),
    )
    return tuple(File(f"{_ETC}/{algorithm}.{kind}", text) for kind, text in zip(_KINDS, texts, strict=True))


def _probes(held: Iterable[DkimKey]) -> list[tuple[str, str]]:
    return [(probe_address(k), k.record_name) for k in held]


def _signers(stack: Stack, host: Host, algorithm: DkimAlgorithm, keys: Iterable[DkimKey]) -> list[tuple[str, str]]:
    keys = tuple(keys)
    found = {d.name: k for d in stack.domains_of(host) for k in signing(d, host, keys) if k.algorithm is algorithm}
    covering = stack.covering(host.name)
    if covering is not None and covering.name in found:
        # Bounces come from MAILER-DAEMON at the host's own name: aligned under the domain above it (RFC 9989).
        found.setdefault(host.name, found[covering.name])
    return [(name, key.record_name) for name, key in sorted(found.items())]


def _folder(key: DkimKey) -> str:
    return f"{_ETC}/keys/{key.domain}"


def _path(key: DkimKey) -> str:
    return f"{_folder(key)}/{key.selector}.pem"


def _unit(algorithm: DkimAlgorithm) -> str:
    return f"sendwright-opendkim@{algorithm}.service"

"""The signers: one OpenDKIM an algorithm, because one instance cannot sign with both kinds of key (RFC 6376, RFC 8463).

What signs what is decided by ``sendwright.signing``. Mail is signed because of the service that took it (its daemon
name is ORIGINATING), never because of the address it came from.
"""

from collections.abc import Iterable, Mapping

from sendwright.deploys.material import Material
from sendwright.deploys.render import render
from sendwright.service import Directory, File, Running, Service, Unit
from sendwright.signing import by_domain, installed, probe_address, signing, signs
from sendwright.stack import DkimAlgorithm, Domain, Host, Stack
from sendwright.state.model import DkimKey

_ETC = "/etc/opendkim"
# What a reader is shown or a program acts on (RFC 6376 section 5.4.1).
_FIELDS = (
    "From,Reply-To,Subject,Date,To,Cc,MIME-Version,Content-Type,Message-ID,In-Reply-To,References,List-Id,List-Help,"
    "List-Unsubscribe,List-Unsubscribe-Post,List-Subscribe,List-Post,List-Owner,List-Archive"
)
# What signs for a name whose mail has to wait: in no key table.
WAITING = "no-proven-key"
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
    of = by_domain(material.keys)
    keys = tuple(k for d in stack.domains_of(host) for k in installed(d, of[d.name]))
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
            *(File(key_path(k), k.sealed, owner="opendkim", group="opendkim", mode=0o600) for k in keys),
            *(f for a in wanted for f in _instance(stack, host, a, of)),
        ),
        absent=tuple(path for a in DkimAlgorithm if a not in wanted for path in instance_paths(a)),
        validate=tuple(command for a in wanted for command in validate(a)),
        units=(
            # Debian's single instance would run with package defaults beside ours.
            Unit("opendkim.service", Running.MASKED),
            *(Unit(unit(a), Running.UP if a in wanted else Running.DOWN) for a in DkimAlgorithm),
        ),
        reload_units=tuple(unit(a) for a in wanted),
    )


_KeysOf = Mapping[str, tuple[DkimKey, ...]]


def _instance(stack: Stack, host: Host, algorithm: DkimAlgorithm, of: _KeysOf) -> tuple[File, ...]:
    domains = tuple(d for d in stack.domains_of(host) if algorithm in d.dkim.algorithms)
    held = [k for d in domains for k in installed(d, of[d.name]) if k.algorithm is algorithm]
    sockets = f"/var/spool/postfix/{_SOCKETS}"
    signers = _signers(stack, host, domains, algorithm, of)
    texts = (
        render("opendkim/opendkim.conf.j2", algorithm=algorithm, etc=_ETC, sockets=sockets, fields=_FIELDS),
        render("opendkim/keytable.j2", rows=[(k.record_name, f"{k.domain}:{k.selector}:{key_path(k)}") for k in held]),
        render(
            "opendkim/signingtable.j2",
            probes=[row for d in domains for row in _probes(d, host, algorithm, of[d.name])],
            signers=[(name, key.record_name) for name, key in signers.items() if key],
            waiting=[(name, WAITING) for name, key in signers.items() if not key],
        ),
    )
    return tuple(File(path, text) for path, text in zip(instance_paths(algorithm), texts, strict=True))


def validate(algorithm: DkimAlgorithm) -> tuple[str, ...]:
    """OpenDKIM looks at its configuration only: a bad row, or a key that it may not read, holds all mail back later."""
    conf, key_table, _ = instance_paths(algorithm)
    row = f"^[^ ]+ [^ :]+:[^ :]+:{_ETC}/keys/[^ ]+$"
    return (
        f"runuser -u opendkim -- opendkim -n -x {conf}",
        f"! grep -nvE '{row}|^#|^$' {key_table} >&2",
        f"sed -n '/^[^#]/s/.*://p' {key_table} | runuser -u opendkim -- xargs -r -d '\\n' head -qc1 -- >/dev/null",
    )


def _probes(domain: Domain, host: Host, algorithm: DkimAlgorithm, keys: tuple[DkimKey, ...]) -> list[tuple[str, str]]:
    """Each key's probe is signed by that key; the other signer adds what it would sign with, if anything."""
    held = sorted(installed(domain, keys), key=lambda k: k.created)
    own = [k for k in held if k.algorithm is algorithm]
    other = _signer(domain, host, algorithm, keys) or (own[-1] if own else None)
    found = [(k, k if k in own else other) for k in held]
    return [(probe_address(probed), key.record_name) for probed, key in found if key is not None]


def _signers(
    stack: Stack, host: Host, domains: Iterable[Domain], algorithm: DkimAlgorithm, of: _KeysOf
) -> dict[str, DkimKey | None]:
    """Return the key that signs for each name, None for a name whose mail has to wait: nothing signs it that counts.

    No name that another signer signs already: its mail would wait for the second signature.
    """
    signers = ((d, _signer(d, host, algorithm, of[d.name])) for d in domains)
    found = {d.name: key for d, key in signers if key or not signs(d, host, of[d.name])}
    covering = stack.covering(host.name)
    if covering is not None and covering.name in found:
        # Bounces come from MAILER-DAEMON at the host's own name: aligned under the domain above it (RFC 9989).
        found.setdefault(host.name, found[covering.name])
    return dict(sorted(found.items()))


def _signer(domain: Domain, host: Host, algorithm: DkimAlgorithm, keys: tuple[DkimKey, ...]) -> DkimKey | None:
    return next((k for k in signing(domain, host, keys) if k.algorithm is algorithm), None)


def _folder(key: DkimKey) -> str:
    return f"{_ETC}/keys/{key.domain}"


def key_path(key: DkimKey) -> str:
    """Return where a key lies on the hosts that hold it."""
    return f"{_folder(key)}/{key.selector}.pem"


def instance_paths(algorithm: DkimAlgorithm) -> tuple[str, ...]:
    """Return where an algorithm's signer has its configuration, its key table and its signing table, in that order."""
    return tuple(f"{_ETC}/{algorithm}.{kind}" for kind in ("conf", "keytable", "signingtable"))


def unit(algorithm: DkimAlgorithm) -> str:
    """Return the systemd unit of an algorithm's signer."""
    return f"sendwright-opendkim@{algorithm}.service"

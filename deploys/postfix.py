"""Postfix: sends, takes submission once a domain is live, and receives the little that a sender must."""

from collections.abc import Mapping

from sendwright.deploys.base import TLS, certificate_files, chain_path, key_path, tls_folder
from sendwright.deploys.dovecot import SASL_PATH
from sendwright.deploys.guard import SOCKET as GUARD
from sendwright.deploys.material import Material
from sendwright.deploys.opendkim import sockets
from sendwright.deploys.outbound import MAP, override
from sendwright.deploys.receiving import KEPT, MAILDIRS, Receiving, probe_mailbox, receiving
from sendwright.deploys.render import render
from sendwright.deploys.resolver import resolv_conf_file
from sendwright.deploys.submission import may_leave, opened, owners, rights
from sendwright.service import Directory, File, Release, Service, Socket, SystemUser, Unit
from sendwright.stack import Host, Stack

USER = "sendwright-mail"
_CHROOT = "/var/spool/postfix"


def postfix(stack: Stack, host: Host, release: Release, material: Material) -> Service:
    """Return Postfix: main.cf, master.cf and tables wholly ours, submission open only once a domain is live."""
    units = _units(release)
    ports = (25, 587, 465) if opened(stack, host, material) else (25,)
    return Service(
        name="postfix",
        packages=("postfix",),
        users=(SystemUser(USER, home=MAILDIRS),),
        directories=(
            Directory(MAILDIRS, owner=USER, group=USER, mode=0o700),
            # Postfix's own scripts copy resolv.conf here at some starts and not at others.
            Directory(f"{_CHROOT}/etc"),
            # Postfix is the last to load a certificate: what lay here before is needed by nobody then.
            Directory(TLS, mode=0o700, exclusive=True),
            Directory(tls_folder(material.certificate), mode=0o700),
        ),
        files=(
            *certificate_files(material.certificate),
            *_tables(stack, host, material),
            File("/etc/postfix/privacy", render("postfix/privacy.j2", host=host.name)),
            resolv_conf_file(f"{_CHROOT}/etc/resolv.conf"),
            File("/etc/tmpfiles.d/sendwright-mail.conf", _trimming(stack)),
            File("/etc/postfix/master.cf", render("postfix/master.cf.j2", submission=opened(stack, host, material))),
            # Last, because every process that starts reads it: what it names lies there by then.
            File("/etc/postfix/main.cf", _main(stack, host, material)),
        ),
        validate=(
            # A misspelt setting is only a warning to Postfix, on standard error; to us it is a mistake.
            'test -z "$(postconf 2>&1 >/dev/null)"',
            'test -z "$(postconf -M 2>&1 >/dev/null)"',
            *(f"postmap -q sendwright texthash:/etc/postfix/{name} || test $? -eq 1" for name in _TABLES),
            "postmap -q sendwright regexp:/etc/postfix/privacy || test $? -eq 1",
            "postfix check",
        ),
        units=tuple(Unit(u) for u in units),
        reload_units=units[:1],
        listens=tuple(Socket(p) for p in ports),
    )


def _units(release: Release) -> tuple[str, ...]:
    if release is Release.BOOKWORM:
        # The daemon is an instance; postfix.service is a oneshot that is always "active".
        return ("postfix@-.service", "postfix.service")
    return ("postfix.service",)


def _main(stack: Stack, host: Host, material: Material) -> str:
    families = {a.version for a in host.addresses}
    return render(
        "postfix/main.cf.j2",
        host=host,
        protocols=_PROTOCOLS[tuple(sorted(families))],
        binds=[(_BIND[e.bind.version], e.bind) for e in host.egress if e.bind is not None],
        loopback="127.0.0.0/8" + (" [::1]/128" if host.ipv6 else ""),
        smtp=stack.smtp,
        may_leave=may_leave(stack, host, material),
        submission=opened(stack, host, material),
        kept=KEPT,
        user=USER,
        guard=GUARD,
        signers=sockets(stack, host),
        sasl=SASL_PATH,
        tls_key=key_path(material.certificate),
        tls_chain=chain_path(material.certificate),
        tls_policy=MAP,
    )


_PROTOCOLS = {(4,): "ipv4", (6,): "ipv6", (4, 6): "all"}
_BIND = {4: "smtp_bind_address", 6: "smtp_bind_address6"}
_TABLES = ("domains", "addresses", "maildirs", "recipients", "internal", "null_sender", "logins", "tls_overrides")


def _tables(stack: Stack, host: Host, material: Material) -> tuple[File, ...]:
    mail = receiving(stack, host, material.lingering)
    tables = {
        "domains": ("Domains that this host receives mail for.", dict.fromkeys(mail.domains, "received")),
        "addresses": ("Each address to where its mail goes; @domain is for bounces.", _addresses(mail, host)),
        "maildirs": ("Internal names to Maildirs.", mail.maildirs),
        "recipients": ("Whom anybody may write to; everybody else is refused.", _recipients(mail)),
        "internal": ("What cannot be reached over SMTP.", _internal(mail, host)),
        "null_sender": ("Bounces may come to any local part.", {"<>": "accept_bounces"}),
        "logins": (
            "Which logins own an envelope sender, domains that are live on this host only.",
            {sender: " ".join(logins) for sender, logins in owners(rights(stack, host, material)).items()},
        ),
        "tls_overrides": (
            "What some destinations have to prove, whatever they publish.",
            {name: override(declared) for name, declared in sorted(stack.smtp.tls_overrides.items())},
        ),
    }
    return tuple(_table(name, *tables[name]) for name in _TABLES)


def _table(name: str, about: str, rows: Mapping[str, str]) -> File:
    width = max(map(len, rows), default=0)
    return File(f"/etc/postfix/{name}", render("postfix/table.j2", about=about, rows=rows.items(), width=width))


def _addresses(mail: Receiving, host: Host) -> Mapping[str, str]:
    catch_all = {f"@{domain}": target for domain, target in mail.catch_all.items()}
    return {**mail.addresses, probe_mailbox(host): f"{host.name}=probe@{KEPT}", **catch_all}


def _recipients(mail: Receiving) -> Mapping[str, str]:
    refused = dict.fromkeys(mail.domains, "550 5.1.1 No such mailbox here")
    return {**dict.fromkeys(mail.addresses, "DUNNO"), **refused}


def _internal(mail: Receiving, host: Host) -> Mapping[str, str]:
    # Internal names are refused at whatever domain: an address literal of this host, user@[192.0.2.1], is local too.
    names = {f"{name}@": "550 5.1.1 No such mailbox here" for name in mail.maildirs}
    return {probe_mailbox(host): "550 5.7.1 Not reachable over SMTP", KEPT: "550 5.1.1 No such mailbox here", **names}


def _trimming(stack: Stack) -> str:
    return render("postfix/tmpfiles.j2", days=stack.smtp.keep_bounces_days, maildirs=MAILDIRS)

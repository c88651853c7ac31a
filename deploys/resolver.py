"""A validating resolver on the host itself, and a resolv.conf that really points at it, whoever wrote it before.

DANE (RFC 7672 section 2.2) holds only if the answers are validated on this very host: the AD bit of a resolver across
a network is a stranger's word.
"""

from sendwright.deploys.render import render
from sendwright.service import Apply, Directory, File, Running, Service, Socket, Unit
from sendwright.stack import Host, Stack

_HINTS = "/etc/unbound/sendwright.hints"
_ANCHOR = "/etc/unbound/sendwright.anchor"

_SEED = "/usr/libexec/unbound-helper root_trust_anchor_update"

# NetworkManager reads its configuration at start and on reload only; most hosts have none.
_RELOAD_NETWORK_MANAGER = (
    "if systemctl is-active --quiet NetworkManager.service; then systemctl reload NetworkManager.service; fi"
)


def unbound(stack: Stack, host: Host) -> Service:
    """Return the resolver: unbound on loopback, validating from the root down (RFC 4035)."""
    config = render("unbound/unbound.conf.j2", ipv6=host.ipv6, rehearsal=stack.rehearsal, hints=_HINTS, anchor=_ANCHOR)
    overlay: tuple[File, ...] = ()
    if stack.rehearsal is not None:
        overlay = (File(_HINTS, stack.rehearsal.root_hints), File(_ANCHOR, stack.rehearsal.trust_anchor))
    return Service(
        name="unbound",
        packages=("unbound", "dns-root-data"),
        files=(File("/etc/unbound/unbound.conf", config), *overlay),
        absent=() if overlay else (_HINTS, _ANCHOR),
        # The check wants to see the anchor's file, which Debian's helper otherwise seeds only when the unit starts.
        validate=(*(() if overlay else (_SEED,)), "unbound-checkconf /etc/unbound/unbound.conf"),
        units=(Unit("unbound.service"),),
        reload_units=("unbound.service",),
        # A reload keeps the sockets, the cache of keys and, with them, an anchor that is no longer configured.
        apply=Apply.RESTART,
        listens=(Socket(53, "127.0.0.1"), *((Socket(53, "::1"),) if host.ipv6 else ())),
    )


def resolv_conf() -> Service:
    """Return the switch to that resolver, a service of its own so that it happens once the resolver answers.

    Each file silences one of the programs that write resolv.conf on Debian; one that is not installed is not disturbed.
    """
    return Service(
        name="resolv.conf",
        directories=(
            Directory("/etc/dhcp"),
            Directory("/etc/dhcp/dhclient-enter-hooks.d"),
            Directory("/etc/cloud"),
            Directory("/etc/cloud/cloud.cfg.d"),
            Directory("/etc/NetworkManager"),
            Directory("/etc/NetworkManager/conf.d"),
        ),
        files=(
            File("/etc/dhcp/dhclient-enter-hooks.d/zz-sendwright", render("resolver/dhclient.j2")),
            File("/etc/dhcpcd.enter-hook", render("resolver/dhcpcd.j2")),
            File("/etc/cloud/cloud.cfg.d/99-sendwright-resolver.cfg", render("resolver/cloud-init.j2")),
            File("/etc/NetworkManager/conf.d/90-sendwright-resolver.conf", render("resolver/network-manager.j2")),
            resolv_conf_file("/etc/resolv.conf"),
        ),
        validate=(_RELOAD_NETWORK_MANAGER,),
        units=(Unit("systemd-resolved.service", Running.MASKED),),
    )


def resolv_conf_file(path: str) -> File:
    """Return resolv.conf at a path: the host's own, and the copy inside Postfix's chroot."""
    return File(path, render("resolver/resolv.conf.j2"))

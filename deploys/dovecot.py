"""Dovecot, for SASL only: it tells Postfix whether a login and its password belong together (RFC 4954)."""

from sendwright.deploys.material import Material
from sendwright.deploys.render import render
from sendwright.service import Directory, File, Release, Running, Service, Unit

SASL_PATH = "sendwright-sasl/auth"  # below /var/spool/postfix
_SOCKETS = "/var/spool/postfix/sendwright-sasl"
_TEMPLATES = {Release.BOOKWORM: "dovecot/dovecot-2.3.conf.j2", Release.TRIXIE: "dovecot/dovecot-2.4.conf.j2"}


def dovecot(release: Release, material: Material) -> Service:
    """Return Dovecot with its list of logins, in the configuration language of the release: 2.3 on 12, 2.4 on 13."""
    users = sorted(material.users, key=lambda u: u.login)
    return Service(
        name="dovecot",
        # postfix, because its queue directory holds our socket.
        packages=("dovecot-core", "postfix"),
        directories=(Directory(_SOCKETS, group="postfix", mode=0o750),),
        files=(
            File("/etc/dovecot/dovecot.conf", render(_TEMPLATES[release], socket=f"{_SOCKETS}/auth")),
            File(
                "/etc/dovecot/sendwright.users",
                render("dovecot/users.j2", users=users),
                group="dovecot",
                mode=0o640,
                secret=True,
            ),
        ),
        validate=("doveconf -n >/dev/null",),
        # Its sockets are IMAP's and POP3's, which do not exist here.
        units=(Unit("dovecot.socket", Running.DOWN), Unit("dovecot.service")),
        reload_units=("dovecot.service",),
    )

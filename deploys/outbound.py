"""What others' servers have to prove before they get our mail: overrides, then DANE, then MTA-STS (RFC 7672, RFC 8461).

postfix-mta-sts-resolver as a policy map of its own would override DANE, which RFC 8461 section 2 forbids: a program of
ours stands in front of it, ``templates/tlspolicy/tls_policy.py``. Postfix does DANE itself.
"""

from sendwright.deploys.base import LIB
from sendwright.deploys.render import program, render
from sendwright.service import Apply, Directory, File, Service, SystemUser, Unit
from sendwright.stack import TlsOverride

USER = "sendwright-tlspolicy"
# As smtp(8) in its chroot sees it.
MAP = "socketmap:unix:sendwright-tlspolicy/socket:tlspolicy"
# In a folder that belongs to the daemon: nobody else can answer there.
STS_SOCKET = "/var/lib/mta-sts/socket"
_FOLDER = "/var/spool/postfix/sendwright-tlspolicy"
_UNIT = "sendwright-tlspolicy"
_STS_UNIT = "postfix-mta-sts-resolver.service"
_PROGRAM = "tlspolicy/tls_policy.py"


def mta_sts() -> Service:
    """Return what fetches and remembers others' MTA-STS policies: Debian's daemon, behind a socket."""
    config = render("tlspolicy/mta-sts-daemon.yml.j2", lib=LIB, socket=STS_SOCKET)
    return Service(
        name="mta-sts",
        packages=("postfix-mta-sts-resolver",),
        directories=(Directory(f"/etc/systemd/system/{_STS_UNIT}.d"),),
        files=(
            File("/etc/mta-sts-daemon.yml", config),
            File(f"/etc/systemd/system/{_STS_UNIT}.d/sendwright.conf", render("tlspolicy/mta-sts-unit.j2")),
        ),
        units=(Unit(_STS_UNIT),),
        reload_units=(_STS_UNIT,),
        apply=Apply.RESTART,
    )


def tls_policy() -> Service:
    """Return our policy map. Its socket stays open while it starts anew, so that nobody's mail is deferred for that."""
    return Service(
        name="tlspolicy",
        # postfix, because its queue directory holds our socket and its group opens it.
        packages=("python3-dnspython", "postfix"),
        users=(SystemUser(USER, home="/nonexistent"),),
        directories=(Directory(LIB), Directory(_FOLDER, group="postfix", mode=0o750)),
        files=(
            File(f"{LIB}/tls_policy.py", program(_PROGRAM)),
            *(
                File(f"/etc/systemd/system/{_UNIT}.{kind}", render(f"tlspolicy/{_UNIT}.{kind}.j2", **values))
                for kind, values in (("socket", {"socket": f"{_FOLDER}/socket"}), ("service", {"lib": LIB}))
            ),
        ),
        validate=(f"/usr/bin/python3 -I {LIB}/tls_policy.py --check",),
        units=(Unit(f"{_UNIT}.socket"), Unit(f"{_UNIT}.service")),
        reload_units=(f"{_UNIT}.service",),
        apply=Apply.RESTART,
    )


def override(declared: TlsOverride) -> str:
    """Return what a declared override is to Postfix (smtp_tls_policy_maps)."""
    if declared.level != "secure":
        return declared.level
    # Servers of many names show the certificate for the one that they are asked by.
    match = f" match={':'.join(declared.match)}" if declared.match else ""
    return f"secure{match} servername=hostname"

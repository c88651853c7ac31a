"""The sender guard: a milter of ours that holds every login to its own names, in the envelope and in the header.

``reject_sender_login_mismatch`` looks at the envelope only, and the signers sign whatever From they see: without the
guard one login could obtain another domain's signature. The program is ``templates/guard/sender_guard.py``.
"""

import json
from collections.abc import Iterable
from datetime import timedelta

from sendwright.deploys.base import ETC, LIB
from sendwright.deploys.render import program, render
from sendwright.deploys.submission import Rights
from sendwright.service import Apply, Directory, File, Service, SystemUser, Unit

USER = "sendwright-guard"
# The longest that a session goes on signing by tables that its host has replaced; the guard ends older ones.
SESSION = timedelta(hours=1)
SOCKET = "unix:sendwright-guard/guard.sock"
_FOLDER = "/var/spool/postfix/sendwright-guard"
_UNIT = "sendwright-guard.service"


def guard() -> Service:
    """Return the milter; what it allows is a service of its own (``rights``), which needs no other process."""
    return Service(
        name="guard",
        # postfix, because its queue directory holds our socket and its group opens it.
        packages=("python3-milter", "postfix"),
        users=(SystemUser(USER, home="/nonexistent"),),
        directories=(
            Directory(LIB),
            Directory(_FOLDER, owner=USER, group="postfix", mode=0o750),
        ),
        files=(
            File(f"{LIB}/sender_guard.py", program("guard/sender_guard.py")),
            File(f"/etc/systemd/system/{_UNIT}", render("guard/sendwright-guard.service.j2", lib=LIB, folder=_FOLDER)),
        ),
        validate=(f"/usr/bin/python3 -I {LIB}/sender_guard.py --check",),
        units=(Unit(_UNIT),),
        reload_units=(_UNIT,),
        apply=Apply.RESTART,
    )


def rights(found: Iterable[Rights]) -> Service:
    """Return what the guard reads afresh for each message: login to what it may send as, now and later.

    It comes before the signers: a domain that leaves them is refused already. One that comes waits for its key there.
    """
    text = json.dumps({r.login: {"now": r.now, "later": r.later} for r in found}, indent=1)
    return Service("rights", files=(File(f"{ETC}/senders.json", text + "\n", group=USER, mode=0o640),))

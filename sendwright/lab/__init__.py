"""The lab: a world of real hosts, DNS and a strict inbox on one machine, out of which nothing gets.

::

    from sendwright.lab import HostSpec, Lab, LabSpec, ZoneSpec

    spec = LabSpec("try", (HostSpec("mx1.example.com", ("203.0.113.10",)),), (ZoneSpec("example.com"),))
    lab = Lab.up(spec, print)
    lab.run(["ping", "-c1", "203.0.113.10"])
    lab.host("mx1.example.com").run(["systemctl", "is-system-running"])
    lab.down()
"""

from sendwright.lab.inbox import Inbox, Received
from sendwright.lab.lab import Lab, LabHost
from sendwright.lab.registry import Condition, Status, down, labs, sweep
from sendwright.lab.spec import HostSpec, LabSpec, Resolver, RRset, ZoneSpec
from sendwright.lab.world import LOCAL_ZONES

__all__ = [
    "LOCAL_ZONES",
    "Condition",
    "HostSpec",
    "Inbox",
    "Lab",
    "LabHost",
    "LabSpec",
    "RRset",
    "Received",
    "Resolver",
    "Status",
    "ZoneSpec",
    "down",
    "labs",
    "sweep",
]

"""The least that any controller must do: import the transport, connect to one host, run one command.

``python -m benchmarks.floor NAME ADDRESS USER KEY FINGERPRINT``
"""

import sys
from pathlib import Path

from sendwright.secrets import resolve
from sendwright.ssh import connect
from sendwright.stack import Host, Ssh


def main(name: str, address: str, user: str, key: str, fingerprint: str) -> int:
    """Run ``true`` on a host over sendwright's own transport and return its status."""
    ssh = Ssh(hostname=address, user=user, key=key, host_key=fingerprint)
    host = Host.model_validate({"name": name, "ssh": ssh, "egress": [{"public": address}]})
    with connect(host, Path(), secret=resolve) as connection:
        return connection.run("true").status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

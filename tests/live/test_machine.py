"""The machine itself: its clock, its disk, its certificate."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from testinfra.host import Host as Asked

from sendwright.live import Smtp
from sendwright.stack import Host
from sendwright.state.model import State


def test_the_clock_is_right(host: Asked) -> None:
    """Signatures, TLS and TSIG tolerate minutes; this machine's clock is the measure."""
    assert abs(float(host.check_output("date +%s")) - time.time()) < 60


def test_the_disk_has_room_for_a_queue(host: Asked) -> None:
    """Where the queue lies, half a gigabyte is free."""
    megabytes = int(host.check_output("df --output=avail -m /var/spool/postfix").split()[-1])

    assert megabytes >= 500


def test_the_certificate_is_the_declared_one_and_not_expired(
    smtp: Callable[[int], Smtp], declared: Host, state: State
) -> None:
    """What the daemon serves is what lies in the state folder, for this host's name, and still good for a day."""
    served = x509.load_der_x509_certificate(smtp(25).certificate)
    remembered = state.certificate_of(declared.name)
    names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert remembered is not None
    assert remembered.chain.startswith(served.public_bytes(Encoding.PEM).decode())
    assert declared.name in names.get_values_for_type(x509.DNSName)
    assert (served.not_valid_after_utc - datetime.now(UTC)).total_seconds() > 86400

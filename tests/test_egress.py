"""A host that sends keeps its address until receivers know the new one."""

from dataclasses import replace

import pytest

from sendwright.egress import moves
from sendwright.observation import Observation, PathState
from sendwright.service import File, Release, Service

MAIN = "/etc/postfix/main.cf"
OLD = "inet_protocols = ipv4\nsmtp_bind_address = 203.0.113.10\nmyhostname = mx1.example.com\n"


def _service(text: str) -> tuple[Service, ...]:
    return (Service(name="postfix", files=(File(MAIN, text),)),)


def _seen(text: str | None, *, managed: bool = True) -> Observation:
    state = PathState("regular file", "root", "root", 0o644, 0.0, "0" * 64, text)
    bare = Observation("Debian 12", Release.BOOKWORM, root=True, systemd=True, clock=0.0, disk_free=1 << 34)
    return replace(bare, paths={MAIN: state}, managed=managed)


@pytest.mark.parametrize(
    "new",
    [
        OLD.replace("203.0.113.10", "203.0.113.11"),
        OLD.replace("ipv4", "all") + "smtp_bind_address6 = 2001:db8::10\n",
        OLD.replace("smtp_bind_address = 203.0.113.10\n", ""),
    ],
    ids=["another address", "a second family", "none bound"],
)
def test_another_source_address_is_a_move(new: str) -> None:
    """Whatever changes where mail leaves from: receivers may hold an SPF record without it."""
    assert moves(_service(new), _seen(OLD))


def test_any_other_change_is_none() -> None:
    """Another setting, the same file, or an order of lines delays nothing."""
    assert not moves(_service(OLD.replace("mx1", "mx2")), _seen(OLD))
    assert not moves(_service(OLD), _seen(None))
    assert not moves(_service("".join(reversed(OLD.splitlines(keepends=True)))), _seen(OLD))


def test_a_host_that_was_never_ours_sends_nothing_yet() -> None:
    """Its package's own main.cf is no address that we ever published."""
    assert not moves(_service(OLD), _seen("inet_protocols = all\n", managed=False))

import pytest

from sendwright.verify.sending import sends_nothing
from sendwright.verify.target import Target
from tests.verify.worlds import declared, host, look_at

HOST = host("mx1.example.com", "192.0.2.10")


@pytest.mark.parametrize(
    ("record", "nothing"),
    [
        ('"v=spf1 -all"', True),
        ('"V=SPF1  -ALL "', True),
        ('"v=spf1 " "-all"', True),
        ('"v=spf1 ~all"', False),
        ('"v=spf1 ip4:192.0.2.1 -all"', False),
        ('"v=spf1 -all exp=why.example"', False),
        ('"v=spf1"', False),
        ('"other"', False),
    ],
)
def test_a_domain_of_others_sends_nothing_if_its_record_lets_nobody(record: str, nothing: bool) -> None:
    """Case and spaces make no difference (RFC 7208, 10.1.2)."""
    look = look_at(f"example.com. IN TXT {record}")

    assert sends_nothing(Target("example.com"), look) is nothing


def test_two_records_say_nothing() -> None:
    """They are an error, whatever each says."""
    look = look_at('example.com. IN TXT "v=spf1 -all"\nexample.com. IN TXT "v=spf1  -all"')

    assert not sends_nothing(Target("example.com"), look)


def test_of_a_declared_domain_the_inventory_says_it() -> None:
    """Not what happens to be published."""
    locked, open_ = look_at('example.com. IN TXT "v=spf1 -all"'), look_at('example.com. IN TXT "v=spf1 mx ~all"')

    assert not sends_nothing(declared("example.com", HOST), locked)
    assert sends_nothing(declared("example.com", HOST, sends=False), open_)

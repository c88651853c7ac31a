from sendwright.verify.look import Told
from tests.verify.names import Names, zone

WORLD = """
example.com.      IN MX  10 MX1.example.com.
example.com.      IN TXT "v=spf1 " "-all"
mx1.example.com.  IN A   192.0.2.1
www.example.com.  IN CNAME mx1.example.com.
loop.example.com. IN CNAME loop.example.com.
null.example.     IN MX  0 .
"""


def test_a_resolver_in_memory_answers_as_a_real_one_does() -> None:
    """Joined strings, aliases, lower case, and the difference between no data and no name."""
    names = Names(zone(WORLD), secure={"example.com"})

    assert names.ask("example.com", "TXT").values == ("v=spf1 -all",)
    assert names.ask("example.com", "TXT").strings == ((7, 4),)
    assert names.ask("example.com", "MX").values == ("10 mx1.example.com",)
    assert names.ask("null.example", "MX").values == ("0 .",)
    assert names.ask("www.example.com", "A").values == ("192.0.2.1",)
    assert names.ask("www.example.com", "A").aliases == ("mx1.example.com",)
    assert names.ask("example.com", "AAAA").told is Told.NO_DATA
    assert names.ask("nobody.example.com", "A").told is Told.NO_NAME
    assert names.ask("loop.example.com", "A").told is Told.FAILED
    assert names.ask("mx1.example.com", "A").secure
    assert not names.ask("null.example", "MX").secure

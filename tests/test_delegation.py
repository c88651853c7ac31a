"""The zone must be the right one: the provider serves what the public delegation says, or a clear warning."""

from sendwright.delegation import warning

HERE, THERE = {"ns1.example.net", "ns2.example.net"}, {"ns.elsewhere.example"}


def test_a_zone_that_the_world_looks_up_elsewhere_is_named() -> None:
    """Both sides are said: a person sees at once which of the two is wrong."""
    said = warning("example.com", "the server 192.0.2.1", HERE, THERE)

    assert said is not None
    assert said.startswith("zone example.com: the public delegation leads to ns.elsewhere.example, ")
    assert "the server 192.0.2.1 keeps it for ns1.example.net, ns2.example.net" in said


def test_a_zone_that_nobody_serves_is_named() -> None:
    """What is written into it is seen by nobody."""
    assert "nobody is known to serve it" in str(warning("example.com", "Cloudflare", HERE, ()))


def test_one_server_in_common_is_enough() -> None:
    """A delegation may name more servers, or fewer: a secondary is moved one at a time."""
    assert warning("example.com", "Cloudflare", HERE, {"ns2.example.net", *THERE}) is None


def test_a_hidden_primary_that_names_nobody_is_no_mistake() -> None:
    """It cannot be judged by what it does not say."""
    assert warning("example.com", "the server 192.0.2.1", (), THERE) is None

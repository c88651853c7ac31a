"""Messages of name servers are whatever somebody sent."""

import dns.message
import dns.rrset

from sendwright.dns.answers import addresses, record_set

NAME = "example.com"


def test_records_of_another_class_are_nobodys_addresses() -> None:
    """They have the number of a type that is known here, and none of its fields."""
    message = dns.message.make_response(dns.message.make_query(NAME, "A"))
    for rdtype in ("A", "AAAA"):
        message.answer.append(dns.rrset.from_text(f"{NAME}.", 60, "CLASS77", rdtype, r"\# 4 c0000201"))

    read = dns.message.from_wire(message.to_wire())

    assert list(addresses(read)) == []
    assert record_set(read, NAME, "A") is None

"""A small DNS for the tests of SPF: zone data in, the lookup that SPF asks out."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from sendwright.dns.spf_lookup import Answer, Lookup

Zone = Mapping[str, Mapping[str, Sequence[str]]]


@pytest.fixture(scope="session")
def world() -> Callable[[Zone], Lookup]:
    """Return what makes a lookup of ``{name: {type: values}}``; the value ``!`` is a time-out, the type ``*`` all."""

    def made(zone: Zone) -> Lookup:
        def lookup(name: str, rdtype: str) -> Answer:
            types = zone.get(name.lower(), {})
            values = tuple(types.get("*", types.get(rdtype, ())))
            return Answer(failure="timed out") if "!" in values else Answer(values)

        return lookup

    return made

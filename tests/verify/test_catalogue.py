import re

import pytest

from sendwright.verify.catalogue import CHECKS
from sendwright.verify.finding import OTHERS, Check

NEEDS = {"", "port 25", "HTTPS", "an inventory", "--hosts"}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_check_says_what_holds_why_and_where_it_is_written(check: Check) -> None:
    """A newcomer understands it, and an engineer can look it up."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*\.[a-z0-9]+(-[a-z0-9]+)*", check.name)
    assert not check.rule.endswith(".")
    assert check.why[0].isupper() or check.why[0].isdigit()
    assert check.reference
    assert check.needs in NEEDS
    assert check.others <= set(OTHERS)

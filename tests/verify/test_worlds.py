from sendwright.verify.catalogue import CHECKS
from tests.lab.verify.cases import DOMAINS, HOSTS, INVENTORY, SERVERS

INSIDE = {"dkim.key-matches-host", "dkim.probe"}
# Where an authority issues: tests/lab/tls/test_verify.py.
ISSUED = {"dane.as-desired", "mta-sts.as-desired"}


def test_every_check_has_a_world_in_which_it_fails_and_one_in_which_it_passes() -> None:
    """A check that cannot fail is a defect: the lab's cases name each, and nothing else."""
    inside = {name for name, check in CHECKS.items() if check.group == HOSTS} | INSIDE

    assert {case.check for case in (*DOMAINS, *SERVERS, *INVENTORY)} | inside | ISSUED == set(CHECKS)

"""Every check that ``verify`` knows, in the order in which reports name them."""

from collections.abc import Mapping

from sendwright.verify.finding import Check
from sendwright.verify.rules import (
    behaviour,
    bimi,
    blocklist,
    dane,
    dkim,
    dmarc,
    hosts,
    mta_sts,
    mx,
    ptr,
    spf,
    tls,
    tls_rpt,
    zone,
)

_MODULES = (mx, spf, dkim, dmarc, zone, ptr, tls, dane, mta_sts, tls_rpt, bimi, behaviour, blocklist, hosts)

OF_MODULE: Mapping[str, tuple[Check, ...]] = {m.__name__.rpartition(".")[2]: m.CHECKS for m in _MODULES}
"""By the module of `rules`, which is also called as what judges them."""

CHECKS: Mapping[str, Check] = {check.name: check for module in _MODULES for check in module.CHECKS}
"""By name."""

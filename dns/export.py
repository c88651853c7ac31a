"""What to publish by hand, in the order in which it is safe. Pure: nothing is looked at.

Which zone a name lies in only its servers know, so records stand under the declared domain that they lie in.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sendwright.dns.records import Record, asked_of_others, desired
from sendwright.plan import Stage
from sendwright.stack import DkimAlgorithm, Domain, Stack
from sendwright.state.model import DkimKey
from sendwright.tlsa import NO_TLS, TlsFacts


@dataclass(frozen=True)
class Exported:
    """A declared domain with its records, the first to publish first.

    ``dns``: its entry of the inventory's ``dns``, None if its owner publishes by hand; ``unknown``: the kinds of DKIM
    keys that are yet to be made.
    """

    domain: str
    dns: str | None
    records: tuple[Record, ...]
    unknown: tuple[DkimAlgorithm, ...]

    def relative(self, record: Record) -> str:
        """Return a record's name as forms want it: without the domain, which itself is ``@``."""
        return "@" if record.name == self.domain else record.name.removesuffix(f".{self.domain}")

    @property
    def stages(self) -> tuple[tuple[Stage, tuple[Record, ...]], ...]:
        """The records by the stage from which on they may be published."""
        grouped = ((stage, tuple(r for r in self.records if r.stage is stage)) for stage in Stage)
        return tuple((stage, records) for stage, records in grouped if records)


def export(
    stack: Stack,
    keys: Iterable[DkimKey],
    missing: Collection[tuple[Domain, DkimAlgorithm]],
    tls: TlsFacts = NO_TLS,
) -> tuple[Exported, ...]:
    """Return what each domain of a stack needs; ``missing``: keys that are declared and do not exist yet."""
    found: dict[str, list[Record]] = {domain.name: [] for domain in stack.domains}
    keys = tuple(keys)
    for record in (*desired(stack, keys, tls), *asked_of_others(stack, keys, tls)):
        if domain := stack.covering(record.name):
            found[domain.name].append(record)
    unknown: dict[str, list[DkimAlgorithm]] = {}
    for domain, algorithm in missing:
        unknown.setdefault(domain.name, []).append(algorithm)
    return tuple(
        Exported(
            domain.name,
            domain.dns,
            # The domain's own records first, then by name.
            tuple(sorted(found[domain.name], key=lambda r: (r.stage, r.name != domain.name, r.name, r.type, r.value))),
            tuple(unknown.get(domain.name, ())),
        )
        for domain in stack.domains
    )

"""The logo and the evidence of BIMI: whether a receiver would show what an address led to. Pure but for the clock."""

from collections.abc import Iterator
from datetime import datetime
from xml.parsers import expat

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier

from sendwright.certparts import STRANGE
from sendwright.verify.wording import shown

LARGEST_LOGO = 32 * 1024
_SVG = "http://www.w3.org/2000/svg"
# draft-svg-tiny-ps-abrotman, 2.3: nothing that runs, moves, or is fetched from elsewhere.
_FORBIDDEN = frozenset(
    {"script", "foreignObject", "image", "animate", "animateColor", "animateMotion", "set", "iframe"}
)
_INDICATOR = ObjectIdentifier("1.3.6.1.5.5.7.3.31")


class _Stop(Exception):
    """End the reading of a logo that says what it must not."""


class _Reader:
    """What expat calls: it notes what is wrong with a logo, once each."""

    def __init__(self) -> None:
        self.wrong: dict[str, None] = {}
        self.depth = 0
        self.title = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if not self.depth:
            self._root(space, local, attributes)
        self.depth += 1
        self.title |= local == "title"
        if local in _FORBIDDEN:
            self.wrong[f"it holds <{local}>"] = None
        for key, value in attributes.items():
            if key.rpartition(" ")[2] == "href" and not value.strip().startswith("#"):
                self.wrong[f"it fetches {shown(value, 60)}"] = None
            if key.startswith("on"):
                self.wrong[f"it runs {key[:20]}"] = None

    def entity(self, *_: object) -> None:
        raise _Stop

    def _root(self, space: str, local: str, attributes: dict[str, str]) -> None:
        if (space, local) != (_SVG, "svg"):
            self.wrong["it is no SVG"] = None
            raise _Stop
        if attributes.get("baseProfile") != "tiny-ps":
            self.wrong['baseProfile="tiny-ps" is missing'] = None
        if attributes.get("version") != "1.2":
            self.wrong['version="1.2" is missing'] = None


def logo_faults(body: bytes) -> tuple[str, ...]:
    """Return why receivers would not show a logo, in words (SVG Tiny Portable/Secure); none if they would."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    # Entities can grow without bounds, and no logo needs any.
    parser.EntityDeclHandler = reader.entity
    try:
        parser.Parse(body, True)
    except _Stop:
        return tuple(reader.wrong) or ("it declares entities",)
    except (expat.ExpatError, ValueError, LookupError) as error:
        return (*reader.wrong, f"it is no XML ({shown(str(error), 60)})")
    if not reader.title:
        reader.wrong["its <title> is missing"] = None
    return tuple(reader.wrong)


def evidence_faults(body: bytes, domain: str, now: datetime) -> Iterator[str]:
    """Yield why a mark certificate is no evidence for a domain at a time; its chain is not judged."""
    try:
        leaf = x509.load_pem_x509_certificates(body)[0]
        usages = leaf.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
        names = leaf.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        yield "it is no mark certificate"
        return
    except (*STRANGE, IndexError):
        yield "it holds no certificates in PEM"
        return
    if not (isinstance(usages, x509.ExtendedKeyUsage) and _INDICATOR in usages):
        yield "it is no mark certificate"
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        yield f"it is valid from {leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}"
    said = names.get_values_for_type(x509.DNSName) if isinstance(names, x509.SubjectAlternativeName) else []
    lower = [name.lower() for name in said]
    if not any(domain == n or domain.endswith(f".{n}") or n == f"default._bimi.{domain}" for n in lower):
        yield f"it is for {', '.join(lower[:3]) or 'no domain'}"

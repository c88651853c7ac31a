"""TLS cipher suites of TLS 1.2 and older by their numbers (IANA's registry): what a server is offered, and why."""

from collections.abc import Mapping, Sequence
from enum import StrEnum


class Weakness(StrEnum):
    """Why a suite does not protect, the worst first."""

    NULL = "no encryption"
    EXPORT = "export-grade keys of 40 or 56 bits"
    DES = "DES with keys of 56 bits"
    RC4 = "RC4"
    BLOCKS = "blocks of 64 bits (3DES, IDEA)"
    ANONYMOUS = "no certificate"


_WEAK: Mapping[Weakness, Mapping[int, str]] = {
    Weakness.NULL: {
        0x0001: "RSA_WITH_NULL_MD5",
        0x0002: "RSA_WITH_NULL_SHA",
        0x003B: "RSA_WITH_NULL_SHA256",
        0xC001: "ECDH_ECDSA_WITH_NULL_SHA",
        0xC006: "ECDHE_ECDSA_WITH_NULL_SHA",
        0xC00B: "ECDH_RSA_WITH_NULL_SHA",
        0xC010: "ECDHE_RSA_WITH_NULL_SHA",
        0xC015: "ECDH_anon_WITH_NULL_SHA",
    },
    Weakness.EXPORT: {
        0x0003: "RSA_EXPORT_WITH_RC4_40_MD5",
        0x0006: "RSA_EXPORT_WITH_RC2_CBC_40_MD5",
        0x0008: "RSA_EXPORT_WITH_DES40_CBC_SHA",
        0x0011: "DHE_DSS_EXPORT_WITH_DES40_CBC_SHA",
        0x0014: "DHE_RSA_EXPORT_WITH_DES40_CBC_SHA",
        0x0017: "DH_anon_EXPORT_WITH_RC4_40_MD5",
        0x0019: "DH_anon_EXPORT_WITH_DES40_CBC_SHA",
        0x0062: "RSA_EXPORT1024_WITH_DES_CBC_SHA",
        0x0064: "RSA_EXPORT1024_WITH_RC4_56_SHA",
    },
    Weakness.DES: {
        0x0009: "RSA_WITH_DES_CBC_SHA",
        0x0012: "DHE_DSS_WITH_DES_CBC_SHA",
        0x0015: "DHE_RSA_WITH_DES_CBC_SHA",
        0x001A: "DH_anon_WITH_DES_CBC_SHA",
    },
    # With them goes the last suite that authenticates records by MD5.
    Weakness.RC4: {
        0x0004: "RSA_WITH_RC4_128_MD5",
        0x0005: "RSA_WITH_RC4_128_SHA",
        0x0018: "DH_anon_WITH_RC4_128_MD5",
        0xC007: "ECDHE_ECDSA_WITH_RC4_128_SHA",
        0xC011: "ECDHE_RSA_WITH_RC4_128_SHA",
        0xC016: "ECDH_anon_WITH_RC4_128_SHA",
    },
    Weakness.BLOCKS: {
        0x0007: "RSA_WITH_IDEA_CBC_SHA",
        0x000A: "RSA_WITH_3DES_EDE_CBC_SHA",
        0x0013: "DHE_DSS_WITH_3DES_EDE_CBC_SHA",
        0x0016: "DHE_RSA_WITH_3DES_EDE_CBC_SHA",
        0xC008: "ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA",
        0xC012: "ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    },
    Weakness.ANONYMOUS: {
        0x001B: "DH_anon_WITH_3DES_EDE_CBC_SHA",
        0x0034: "DH_anon_WITH_AES_128_CBC_SHA",
        0x003A: "DH_anon_WITH_AES_256_CBC_SHA",
        0x006C: "DH_anon_WITH_AES_128_CBC_SHA256",
        0x006D: "DH_anon_WITH_AES_256_CBC_SHA256",
        0x00A6: "DH_anon_WITH_AES_128_GCM_SHA256",
        0x00A7: "DH_anon_WITH_AES_256_GCM_SHA384",
        0xC017: "ECDH_anon_WITH_3DES_EDE_CBC_SHA",
        0xC018: "ECDH_anon_WITH_AES_128_CBC_SHA",
        0xC019: "ECDH_anon_WITH_AES_256_CBC_SHA",
    },
}
_NAMES = {code: name for group in _WEAK.values() for code, name in group.items()}
_KINDS = {name: kind for kind, group in _WEAK.items() for name in group.values()}

# AES, ChaCha20, Camellia, with certificates of RSA and DSA: whatever key a server has, its group is to be seen.
FINITE_FIELD: tuple[int, ...] = (
    *(0x009F, 0x009E, 0xCCAA, 0x006B, 0x0067, 0x0039, 0x0033, 0x00C4, 0x00BE, 0x0088, 0x0045),
    *(0x00A3, 0x00A2, 0x006A, 0x0040, 0x0038, 0x0032),
)
"""Suites of ephemeral Diffie-Hellman over a finite field, whose prime a server sends in the clear."""
CURVES: tuple[int, ...] = (
    *(0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC02B, 0xC02F, 0xC024, 0xC028, 0xC023, 0xC027),
    *(0xC00A, 0xC014, 0xC009, 0xC013),
)
"""Suites of ephemeral Diffie-Hellman over a curve."""
STATIC: tuple[int, ...] = (0x009D, 0x009C, 0x003D, 0x003C, 0x0035, 0x002F, 0x000A, 0x0005, 0x0004)
"""Suites whose secret is encrypted to the server's RSA key: whoever gets it reads all that was ever recorded."""


def weak(without: Sequence[Weakness]) -> tuple[int, ...]:
    """Return the suites that do not protect, the worst first: servers that have no preference take the first."""
    return tuple(code for kind, group in _WEAK.items() if kind not in without for code in group)


def name(code: int) -> str:
    """Return the name of a weak suite, without ``TLS_``; KeyError for another."""
    return _NAMES[code]


def weakness(suite: str) -> Weakness:
    """Return why a suite of that name does not protect; KeyError for one that is not weak."""
    return _KINDS[suite]

"""What every service of a host stands on: its name, its certificate's files, the folder of what it remembers."""

from functools import lru_cache

from sendwright.service import Directory, File, Service
from sendwright.stack import Host
from sendwright.state.model import Certificate

ETC = "/etc/sendwright"
LIB = "/usr/local/lib/sendwright"
TLS = f"{ETC}/tls"


def base(host: Host) -> Service:
    """Return what is shared: /etc/mailname, certificate authorities, and our own folders."""
    return Service(
        name="base",
        packages=("ca-certificates",),
        directories=(
            Directory(ETC),
            Directory(TLS, mode=0o700),
            Directory(LIB),
            # Stamps of loaded configurations and the host's generation number: nobody but root has to read them.
            Directory("/var/lib/sendwright", mode=0o700),
        ),
        # Debian's programs that make mail addresses read the host's mail name here (Debian policy 11.6).
        files=(File("/etc/mailname", f"{host.name}\n"),),
    )


def tls_folder(certificate: Certificate) -> str:
    """Return where a certificate's files lie: one folder a key, so that no process loads a key with another's chain.

    A renewal that keeps the key renames one file; another key is another folder, and daemons change over by the rename
    of their own configuration.
    """
    return f"{TLS}/{certificate.key.sha256[:16]}"


def key_path(certificate: Certificate) -> str:
    """Return where a certificate's private key lies on its host."""
    return f"{tls_folder(certificate)}/key.pem"


def chain_path(certificate: Certificate) -> str:
    """Return where a certificate's chain lies on its host: beside its key."""
    return f"{tls_folder(certificate)}/chain{f'-{certificate.number}' if certificate.number else ''}.pem"


@lru_cache(maxsize=4096)
def named(chain: str) -> frozenset[str]:
    """Return the names of a chain's first certificate; none where it is yet to be made."""
    from cryptography import x509

    try:
        leaf = x509.load_pem_x509_certificate(chain.encode())
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return frozenset()
    return frozenset(names.get_values_for_type(x509.DNSName))


def certificate_files(certificate: Certificate) -> tuple[File, ...]:
    """Return a certificate's files, to be declared by each daemon that loads them, so that a renewal reloads it.

    Daemons read both as root before they drop their privileges; Dovecot speaks to Postfix only and needs none.
    """
    return (
        File(key_path(certificate), certificate.key, mode=0o600),
        File(chain_path(certificate), certificate.chain),
    )

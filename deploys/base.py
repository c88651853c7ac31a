"""What every service of a host stands on: its name, its certificate's files, the folder of what it remembers."""

from sendwright.deploys.material import Material
from sendwright.service import Directory, File, Service
from sendwright.stack import Host

ETC = "/etc/sendwright"
LIB = "/usr/local/lib/sendwright"
TLS_KEY = f"{ETC}/tls/key.pem"
TLS_CHAIN = f"{ETC}/tls/chain.pem"


def base(host: Host) -> Service:
    """Return what is shared: /etc/mailname, certificate authorities, and our own folders."""
    return Service(
        name="base",
        packages=("ca-certificates",),
        directories=(
            Directory(ETC),
            Directory(f"{ETC}/tls", mode=0o700),
            Directory(LIB),
            # Stamps of loaded configurations and the host's generation number: nobody but root has to read them.
            Directory("/var/lib/sendwright", mode=0o700),
        ),
        # Debian's programs that make mail addresses read the host's mail name here (Debian policy 11.6).
        files=(File("/etc/mailname", f"{host.name}\n"),),
    )


def certificate_files(material: Material) -> tuple[File, ...]:
    """Return the certificate's files, to be declared by each daemon that loads them, so that a renewal reloads it.

    Postfix reads both as root before it drops its privileges; Dovecot speaks to Postfix only and needs none.
    """
    return (
        File(TLS_KEY, material.certificate.key, mode=0o600),
        File(TLS_CHAIN, material.certificate.chain),
    )

"""A whole sending host: every service in the order in which they are to be converged."""

from sendwright.deploys.base import base
from sendwright.deploys.dovecot import dovecot
from sendwright.deploys.guard import guard, rights
from sendwright.deploys.material import Material
from sendwright.deploys.opendkim import opendkim
from sendwright.deploys.outbound import mta_sts, tls_policy
from sendwright.deploys.postfix import postfix
from sendwright.deploys.renewal import renewal
from sendwright.deploys.resolver import resolv_conf, unbound
from sendwright.deploys.submission import rights as allowed
from sendwright.deploys.web import web
from sendwright.service import Release, Service
from sendwright.stack import Host, Stack


def services(stack: Stack, host: Host, release: Release, material: Material) -> tuple[Service, ...]:
    """Return everything that should be on a host, the resolver first and Postfix, which uses all others, last.

    What takes mail back comes before the signers, and what opens up to more of it after them.
    """
    web_server, mail_server = web(stack, host, material), postfix(stack, host, release, material)
    return (
        base(host),
        unbound(stack, host),
        resolv_conf(),
        guard(),
        rights(allowed(stack, host, material)),
        opendkim(stack, host, material),
        dovecot(release, material),
        web_server,
        mta_sts(),
        tls_policy(),
        # Before the last one, after which no key of before lies there any more.
        renewal(stack, host, material, (web_server, mail_server)),
        mail_server,
    )


# pyinfra executes this file without a name of its own; imported, it only answers `services`.
if __name__ == "builtins":
    from sendwright.deploys.stock import converge_this_host

    converge_this_host()

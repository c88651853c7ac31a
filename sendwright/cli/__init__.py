"""The command line: parses, calls, prints. No logic lives here, and nothing heavy is imported before it is needed."""

import contextlib
import gc
import os
import sys
from typing import Any

import click

from sendwright import __version__
from sendwright.cli.lazy import Lazy
from sendwright.cli.options import FORM
from sendwright.errors import SendwrightError, refused_by_system
from sendwright.interrupts import hear_one

# name -> (module, one line): the help must not import the modules.
_VERBS = {
    "init": ("sendwright.cli.init", "Scaffold an inventory folder for a first domain and host."),
    "plan": ("sendwright.cli.plan", "Show every change to keys, DNS and hosts; touch nothing."),
    "provision": ("sendwright.cli.provision", "Show the plan, ask, carry it out, verify."),
    "rotate": ("sendwright.cli.rotate", "Move every DKIM key to its next safe stage, or say what it waits for."),
    "verify": ("sendwright.cli.verify", "Check DNS, TLS, signing and servers, of an inventory or of any domain."),
    "rehearse": ("sendwright.cli.rehearse", "Prove an inventory on throw-away hosts on this machine."),
    "lab": ("sendwright.cli.lab", "Keep the world that rehearse uses open, to play with."),
    "dns": ("sendwright.cli.dns", "The records by themselves, without the hosts."),
    "keys": ("sendwright.cli.keys", "DKIM keys: list, generate, import, export, recover."),
    "certs": ("sendwright.cli.certs", "Certificates: list, issue, renew."),
    "users": ("sendwright.cli.users", "Submission credentials: add, list, remove."),
}


# Whoever interrupts them has nothing to finish.
_ONLY_LOOK = {"plan", "verify"}


class _Verbs(Lazy):
    """The verbs, and the one place where their errors are printed."""

    def invoke(self, ctx: click.Context) -> Any:
        from sendwright.report.colour import wanted

        ctx.color = wanted()
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (click.Abort, KeyboardInterrupt):
            if ctx.invoked_subcommand not in _ONLY_LOOK:
                raise
            click.echo("Stopped. Nothing was changed.", err=True)
            return 1
        except OSError as error:
            return _refused(ctx, refused_by_system(error))
        except SendwrightError as error:
            return _refused(ctx, error)


@click.group(cls=_Verbs, verbs=_VERBS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="sendwright %(version)s")
def sendwright() -> None:
    """From an inventory to a sending server whose mail is accepted, and the proof of it."""


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 tried and failed, 2 bad usage or input, 3 changes pending."""
    collect_rarely()
    hear_one()
    try:
        sys.exit(_run(args))
    finally:
        gc.freeze()


def collect_rarely() -> None:
    """Look for garbage less often than Python does.

    Nearly all that a run allocates stays: imported code, records, the ledger. Looking through it as often as Python
    does would take a fifth of the time of a run that changes nothing.
    """
    gc.set_threshold(50_000)


def _run(args: list[str] | None) -> int:
    try:
        result: Any = sendwright.main(args=args, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped. What was applied stays; running again finishes it.", err=True)
        return 1
    return result if isinstance(result, int) else 0


def _refused(ctx: click.Context, error: SendwrightError) -> int:
    """Say what happened on standard error, and as the one document on standard output where JSON was asked for."""
    from sendwright.report.json import error_document
    from sendwright.report.text import error_lines

    if ctx.meta.get(FORM) == "json":
        # It may be standard output itself that has no room.
        with contextlib.suppress(OSError):
            click.echo(error_document(error))
    click.echo(error_lines(error), err=True)
    return error.exit_code

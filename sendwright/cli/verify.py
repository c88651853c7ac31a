"""``sendwright verify``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sendwright.cli.options import FORM

if TYPE_CHECKING:
    from collections.abc import Callable

    from sendwright.report.findings_view import View
    from sendwright.verify.finding import Report
    from sendwright.verify_usage import Asked

_FILE = click.Path(path_type=Path)
# A pipe has no width: as wide as is comfortable to read.
_WIDTH = 100


def _remember(ctx: click.Context, _: click.Parameter, forms: tuple[str, ...]) -> tuple[str, ...]:
    ctx.meta[FORM] = "json" if "json" in forms else "text"
    return forms


def _show_schema(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from sendwright.report.findings_json import schema

        click.echo(schema().rstrip())
        ctx.exit()


@click.command("verify")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("--hosts", is_flag=True, help="Look at the inventory's hosts from the inside too, over SSH.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="FORM[=FILE]",
    is_eager=True,
    callback=_remember,
    help="text, json, junit, sarif, markdown or html, to standard output or to a file; may be given again.",
)
@click.option("--strict", is_flag=True, help="Warnings and what cannot be told from here fail too.")
@click.option("--only", multiple=True, metavar="CHECK", help="Make only these checks or groups: spf,dkim.present.")
@click.option("--skip", multiple=True, metavar="CHECK", help="Leave these checks or groups out.")
@click.option("--selector", "selectors", multiple=True, metavar="NAME", help="A DKIM selector to look at; or several.")
@click.option("--resolver", metavar="ADDRESS[:PORT]", help="Ask this resolver, not the one of this machine.")
@click.option("--timeout", metavar="SECONDS", default="10", show_default=True, help="How long one server may take.")
@click.option("--trust", type=_FILE, metavar="FILE", help="Trust the authorities in this PEM file, not the system's.")
@click.option("--baseline", type=_FILE, metavar="FILE", help="Accept what is wrong in this older JSON report already.")
@click.option("--diff", type=_FILE, metavar="OLD.json", help="Show what changed since this older JSON report.")
@click.option("-v", "--all", "every", is_flag=True, help="Show what is right too.")
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_show_schema, help="Print the JSON's schema."
)
def command(
    targets: tuple[str, ...],
    formats: tuple[str, ...],
    only: tuple[str, ...],
    skip: tuple[str, ...],
    selectors: tuple[str, ...],
    resolver: str | None,
    timeout: str,
    trust: Path | None,
    baseline: Path | None,
    diff: Path | None,
    *,
    hosts: bool,
    strict: bool,
    every: bool,
) -> int:
    """Check DNS, TLS, signing and servers, from outside; touch nothing.

    TARGET is an inventory (its folder, alone), or one domain or more, of anybody.
    """
    from sendwright import verify_usage
    from sendwright.report import outputs
    from sendwright.report.progress import Progress

    asked = verify_usage.asked(
        targets,
        formats=formats,
        only=only,
        skip=skip,
        selectors=selectors,
        resolver=resolver,
        timeout=timeout,
        trust=trust,
        baseline=baseline,
        diff=diff,
        hosts=hosts,
    )
    with outputs.drafts([path for path, _ in asked.files]) as drafts:
        progress = Progress()
        with progress.step("looked from outside and inside" if hosts else "looked from outside"):
            report, broken = _verified(asked, progress.note)
        view = _view(report, asked, broken=bool(broken), strict=strict, every=every)
        for draft, (_, form) in zip(drafts, asked.files, strict=True):
            draft.write(_rendered(report, form, view))
        _print(_shown(report, asked, view))
        for error in broken:
            click.echo(_bug(error), err=True)
    return 1 if view.failed(report) else 0


def _print(text: str) -> None:
    from sendwright.errors import SendwrightError

    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        hint = "Send it elsewhere, or to a file: --format FORM=FILE."
        raise SendwrightError(f"standard output cannot be written: {error.strerror}.", hint) from None


def _verified(asked: "Asked", progress: "Callable[[str], None]") -> "tuple[Report, tuple[Exception, ...]]":
    """Run the checks; what is found counts even if one of them has a bug, which is returned beside it."""
    from sendwright.verify import verify
    from sendwright.verify.runner import BrokenChecks

    try:
        report = verify(
            asked.domains,
            inventory=asked.inventory,
            hosts=asked.hosts,
            selectors=asked.selectors,
            resolver=asked.resolver,
            timeout=asked.timeout,
            only=asked.only,
            skip=asked.skip,
            trust=asked.trust,
            progress=progress,
        )
    except BrokenChecks as broken:
        return broken.report, broken.errors
    return report, ()


def _bug(error: Exception) -> str:
    import traceback

    from sendwright.escape import printable

    told = "".join(traceback.format_exception(error))
    return printable(f"A check of ours has a bug; what it would have found is missing. Please report this:\n{told}")


def _view(report: "Report", asked: "Asked", *, broken: bool, strict: bool, every: bool) -> "View":
    import shutil

    from sendwright.report.findings_view import View
    from sendwright.report.places import places
    from sendwright.verify import known

    names = {subject.name for subject in report.subjects}
    return View(
        accepted=known.accepted(asked.baseline or (), report.findings),
        broken=broken,
        strict=strict,
        every=every,
        width=min(shutil.get_terminal_size((_WIDTH, 0)).columns, 120),
        places=places(asked.inventory, names, Path.cwd()) if asked.inventory else {},
    )


def _rendered(report: "Report", form: str, view: "View") -> str:
    from sendwright.report.findings import render

    return click.unstyle(render(report, form, view)) if form == "text" else render(report, form, view)


def _shown(report: "Report", asked: "Asked", view: "View") -> str:
    """What goes to standard output: the report, or what changed since an older one."""
    from sendwright.report.findings import render
    from sendwright.report.findings_diff import diff_document, diff_lines
    from sendwright.verify import known

    if asked.before is None:
        return render(report, asked.form, view)
    changes = known.changes(asked.before, report.findings, asked.checks)
    left_out = known.left_out(asked.before, report.findings)
    if asked.form == "json":
        return diff_document(changes, report, view, left_out)
    return diff_lines(changes, view, left_out)

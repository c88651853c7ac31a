"""``sendwright lab``: the world that ``rehearse`` uses, kept open to play with."""

import os
from pathlib import Path

import click

from sendwright.cli import options


@click.group("lab")
def command() -> None:
    """Keep the world that rehearse uses open: real hosts, DNS and a strict receiver, and no way out."""


@command.command("up")
@options.inventory
@click.option("--debian", type=click.Choice(["12", "13"]), default="12", show_default=True, help="The hosts' release.")
def up(inventory: Path, debian: str) -> None:
    """Build the world of an inventory: bare hosts with its names and addresses, DNS for its zones, an inbox."""
    from sendwright import rehearse
    from sendwright.report.progress import Progress

    world = rehearse.build(inventory, debian, Progress(), keep=True)
    click.echo(f"lab {world.lab.name} is up; its inventory is {world.folder}")
    click.echo(f"  sendwright lab exec {world.lab.name} -- sendwright provision {world.folder}")


@command.command("status")
@options.output_format
def status(form: str) -> None:
    """List the labs of this machine and their hosts."""
    from sendwright.lab.registry import labs
    from sendwright.report.lab import lab_document, lab_lines

    click.echo(lab_document(labs()) if form == "json" else lab_lines(labs()))


@command.command("ssh")
@click.argument("host")
@click.option("--lab", "name", default=None, help="Which lab; not needed while there is one.")
def ssh(host: str, name: str | None) -> None:
    """Open a shell on a lab host, by SSH with the lab's own key and known hosts."""
    from sendwright import rehearse

    argv = rehearse.ssh_command(rehearse.find(name), host)
    os.execvp(argv[0], argv)


@command.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(name: str, argv: tuple[str, ...]) -> None:
    """Run a command as the lab's controller: inside its network, with its resolver."""
    from sendwright import rehearse

    inside = rehearse.inside_command(rehearse.find(name), argv)
    os.execvp(inside[0], inside)


@command.command("down")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Take every lab of this machine down.")
def down(name: str | None, *, everything: bool) -> None:
    """Take a lab down: processes, mounts, namespaces, files."""
    from sendwright import rehearse
    from sendwright.lab.registry import labs
    from sendwright.report.progress import Progress

    progress = Progress()
    names = [found.name for found in labs()] if everything else [rehearse.choose(name)]
    for each in names:
        rehearse.take_down(each, progress)

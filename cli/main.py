"""The `mood` command. Each command is one module, loaded when it is called, so each needs its own extra only."""

from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup

from cli.extras import loaded


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where a command lives, and what of the distribution it needs."""

    module: str
    help: str
    extra: str | None = None  # None: the base will do
    panel: str


RUN, HAND_IN, ORGANIZE, LOOK = "Run it", "Take part", "Organize", "Score and look"
COMMANDS = {
    "demo": Entry(module="cli.demo", help="Run a whole small challenge on this machine", extra="demo", panel=RUN),
    "up": Entry(module="cli.up", help="Start server and worker together", extra="demo", panel=RUN),
    "serve": Entry(module="cli.serve", help="Start the server", extra="server", panel=RUN),
    "worker": Entry(module="cli.worker", help="Start a worker on this host", extra="worker", panel=RUN),
    "login": Entry(module="cli.login", help="Remember a server and a token", panel=HAND_IN),
    "try": Entry(
        module="cli.try_",
        help="Run an image on toy cases here, as the server would",
        extra="worker",
        panel=HAND_IN,
    ),
    "new-submission": Entry(
        module="cli.new_submission",
        help="Write a method that works, to start from",
        extra="reference",
        panel=HAND_IN,
    ),
    "submit": Entry(module="cli.submit", help="Hand in an image", panel=HAND_IN),
    "status": Entry(module="cli.status", help="Show submissions, or one with its report", panel=HAND_IN),
    "cancel": Entry(module="cli.cancel", help="Take a submission back", panel=HAND_IN),
    "leaderboard": Entry(module="cli.leaderboard", help="Show a published ranking", panel=HAND_IN),
    "challenge": Entry(
        module="cli.challenge", help="Make, check and load a challenge folder", extra="server", panel=ORGANIZE
    ),
    "data": Entry(
        module="cli.data", help="Make a challenge's data from normal scans, by a recipe", extra="cases", panel=ORGANIZE
    ),
    "rescore": Entry(
        module="cli.rescore", help="Score all submissions again from what is stored", extra="server", panel=ORGANIZE
    ),
    "report": Entry(
        module="cli.report", help="Write the challenge's report, tables and figures", extra="server", panel=ORGANIZE
    ),
    "user": Entry(module="cli.user", help="Add an account", extra="server", panel=ORGANIZE),
    "host": Entry(
        module="cli.host", help="Add a host (prints its worker's token) or shut it out", extra="server", panel=ORGANIZE
    ),
    "images": Entry(
        module="cli.images", help="Train methods and build their images", extra="reference", panel=ORGANIZE
    ),
    "evaluate": Entry(module="cli.evaluate", help="Score a folder of predictions", extra="evaluator", panel=LOOK),
    "rank": Entry(module="cli.rank", help="Rank teams from a CSV of scores", extra="evaluator", panel=LOOK),
}


def load(name: str, entry: Entry) -> Any:
    """Import a command's module; say which extra is missing where that fails."""
    command = typer.main.get_command(loaded(entry.module, f"mood {name}", entry.extra).app)
    command.name = name
    return command


def label(name: str, entry: Entry) -> Any:
    """Stand in for a command in the list of commands, without importing it."""
    app = typer.Typer()

    @app.command(name, help=entry.help, rich_help_panel=entry.panel)
    def shown() -> None:
        """Never called: only its help is read."""

    return typer.main.get_command(app)


class Commands(TyperGroup):
    """Lists the commands from the table; imports a module only when its command is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, in the table's order."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Give what the list of commands shows."""
        del ctx
        return label(cmd_name, COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Give the real command: it is about to run."""
        name, *rest = args
        if name in COMMANDS:
            return name, load(name, COMMANDS[name]), rest
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Medical anomaly-detection challenges on an organizer's own hosts.",
)


@app.callback()
def top() -> None:
    """Medical anomaly-detection challenges on an organizer's own hosts."""


def main() -> None:
    """Start at the command line."""
    app()

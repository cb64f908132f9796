"""`mood cancel`: take a submission back."""

import typer

from cli.console import out
from cli.remote import remote

app = typer.Typer()


@app.command()
def cancel(submission: str = typer.Argument(help="its id, as `mood status` shows it")) -> None:
    """Take a submission back; one that still waits does not use a try."""
    view = remote().post(f"/submissions/{submission}/cancel")
    out.print(f"{submission} is {view['status']}")

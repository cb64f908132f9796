"""`mood status`: submissions, or one with its report."""

import typer

from cli.console import out
from cli.remote import remote
from cli.watching import follow, sentence, table
from evaluator.wording import report_lines

app = typer.Typer()


@app.command()
def status(
    submission: str | None = typer.Argument(None, help="one of them; without, the newest twenty"),
    watch: bool = typer.Option(False, "--follow", help="stay until it ends"),
) -> None:
    """Show your team's submissions, or one with its toy report."""
    server = remote()
    if submission is None:
        views = server.get("/submissions", limit=20)["items"]
        out.print(table(views) if views else "Nothing was handed in yet: mood submit IMAGE --task sample")
        return
    view = follow(server, [submission])[0] if watch else server.get(f"/submissions/{submission}")
    if not watch:
        out.print(sentence(view), soft_wrap=True)
    for dataset, report in server.get(f"/submissions/{submission}/report").items():
        out.print(f"\n{dataset}: toy cases", style="bold")
        for line in report_lines(report):
            out.print(line, markup=False)

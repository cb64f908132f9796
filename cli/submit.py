"""`mood submit`: hand in an image."""

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cli.console import err, out
from cli.handing_in import hand_in
from cli.remote import remote
from cli.watching import follow, was_scored
from server.protocol import Queue, Task

app = typer.Typer()


@app.command()
def submit(
    image: str = typer.Argument(help="a local image's name, or an archive written by docker save"),
    task: Task = typer.Option(help="what the image is asked"),
    queue: Queue = typer.Option(Queue.TOY, help="toy: unlimited, never counts; final: uses one of your tries"),
    watch: bool = typer.Option(False, "--follow", help="stay and show how it goes; ends with 1 unless it is scored"),
) -> None:
    """Hand in an image for one task."""
    server = remote()
    columns = (TextColumn("Uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        line = bar.add_task("upload", total=None)
        view = hand_in(server, image, task, queue, lambda sent, count: bar.update(line, completed=sent, total=count))
    out.print(f"Submission {view['id']} ({task}, {queue}): {server.server}/submissions/{view['id']}", soft_wrap=True)
    if watch and not was_scored(follow(server, [view["id"]])):
        raise typer.Exit(1)

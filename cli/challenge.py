"""`mood challenge`: from a folder of volumes and labels to a loaded challenge."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

import typer
import yaml

from cli.console import complain, err, out
from cli.facts import facts, server_settings
from evaluator.commitment import FILE as COMMITMENT
from evaluator.commitment import Commitment, broken
from evaluator.dataset import DatasetError, Manifest, build_manifest
from server import challenges, companions
from server.errors import Refused
from server.storage import Store

app = typer.Typer(no_args_is_help=True, add_completion=False)

TITLES = {"brain": "Brain MR", "abdom": "Abdominal CT"}


@app.callback()
def challenge() -> None:
    """Challenge folders."""


@app.command()
def init(
    folder: Path = typer.Argument(help="holds a folder for each data set, laid out as docs/organizing.md says"),
    seed: int | None = typer.Option(None, help="of the deal of cases into batches; without, one is drawn"),
) -> None:
    """Write challenge.yaml (if there is none), manifest.json and deal.json into a folder of volumes."""
    if not folder.is_dir():
        complain(f"{folder} is not a folder: name the one that holds a folder for each data set.")
    names = sorted(path.name for path in folder.iterdir() if (path / "toy").is_dir() or (path / "test").is_dir())
    if not names:
        complain(f"{folder} holds no data set: a data set is a folder with toy/ and test/ in it.")
    refuse_what_a_recipe_made(folder)
    settings = folder / "challenge.yaml"
    if not settings.exists():
        settings.write_text(template(folder.absolute().name, names), encoding="utf-8")
        out.print(f"Wrote {settings}: title, rules and timeline are yours to fill in", soft_wrap=True)
    file = read(folder)
    try:
        manifest = build_manifest(
            folder,
            [dataset.name for dataset in file.datasets],
            seed=secrets.randbits(32) if seed is None else seed,
            batch_size=file.batch_size,
        )
    except ValueError as error:
        complain(str(error))
    manifest.write(folder)
    out.print(f"Wrote manifest.json and deal.json: {summary(manifest)}", soft_wrap=True)


@app.command()
def check(folder: Path = typer.Argument(help="a challenge folder")) -> None:
    """Compare every file with the manifest; ends with 1 where something is wrong."""
    file = read(folder)
    manifest = Manifest.read(folder)
    wrong = [complaint for dataset in file.datasets for complaint in manifest.verify(folder, dataset.name)]
    end_with([*wrong, *manifest.verify_files(folder)])
    out.print(f"{folder} is as its manifest says: {summary(manifest)}", soft_wrap=True)


@app.command()
def commit(folder: Path = typer.Argument(help="a challenge folder, complete")) -> None:
    """Print one hash over manifest, labels and deal, to publish before the challenge opens."""
    try:
        manifest = Manifest.read(folder)
        wrong = [complaint for dataset in manifest.datasets for complaint in manifest.verify(folder, dataset)]
        end_with([*wrong, *manifest.verify_files(folder)])
        made = Commitment.of(folder)
    except DatasetError as error:
        complain(str(error))
    made.write(folder)
    out.print(f"Wrote {folder / COMMITMENT}: keep it with the labels, which it gives away. Publish:", soft_wrap=True)
    out.print(made.sha256)


@app.command()
def verify(
    folder: Path = typer.Argument(help="a challenge folder"),
    commitment: str = typer.Option(help="the hash that was published"),
) -> None:
    """Prove that manifest, labels and deal are what was committed to; name what is not, and end with 1."""
    try:
        wrong = broken(folder, commitment)
    except DatasetError as error:
        complain(str(error))
    end_with(wrong)
    out.print(f"{folder} is what was committed to: {commitment}", soft_wrap=True)


@app.command()
def load(
    folder: Path = typer.Argument(help="a challenge folder; the hidden volumes themselves may be elsewhere"),
    home: Path | None = typer.Option(None, help="the server's folder [MOOD_HOME]"),
) -> None:
    """Make a challenge, or a companion set of one, known to the server."""
    settings = server_settings(home=home)
    with facts(settings) as database:
        try:
            slug = challenges.load(database, Store(settings.store_dir), folder, datetime.now(UTC))
        except Refused as refused:
            complain(refused.message)
    file = read(folder)
    out.print(f"Loaded {slug}" + (f", the {file.set} set of {file.part_of}" if file.part_of else ""), soft_wrap=True)


@app.command()
def analyse(
    slug: str = typer.Argument(help="the challenge's short name"),
    home: Path | None = typer.Option(None, help="the server's folder [MOOD_HOME]"),
) -> None:
    """Let the submissions that count run on the companion sets; call it again to see how far they are."""
    settings = server_settings(home=home)
    with facts(settings) as database:
        try:
            with database.read() as session:
                found = challenges.by_slug(session, slug)
            added = companions.analyse(database, found, datetime.now(UTC))
        except Refused as refused:
            complain(refused.message)
        with database.read() as session:
            lines = companions.progress(session, found)
    out.print(f"Added {added} submissions on companion sets; teams do not see them.")
    for line in lines:
        out.print(
            f"{line.set_name} ({line.slug}), {line.task} task: {line.scored} of {line.counting} scored, "
            f"{line.on_their_way} on their way, {line.failed} failed",
            soft_wrap=True,
        )


def refuse_what_a_recipe_made(folder: Path) -> None:
    """Complain where a new manifest would forget the recipe, and a new deal break a commitment."""
    try:
        made = Manifest.read(folder).made
    except DatasetError:
        return
    if made:
        complain(
            f"{folder} was made by `mood data make` and is complete: edit challenge.yaml as you like. "
            "To have manifest and deal made anew all the same, remove manifest.json."
        )


def end_with(wrong: list[str]) -> None:
    """Print complaints and end with 1, if there are any."""
    for complaint in wrong:
        err.print(complaint, style="red", markup=False, soft_wrap=True)
    if wrong:
        raise typer.Exit(1)


def read(folder: Path) -> challenges.ChallengeFile:
    """Parse challenge.yaml, or complain."""
    try:
        return challenges.read_folder(folder)
    except Refused as refused:
        complain(refused.message)


def template(slug: str, names: list[str]) -> str:
    """Write a challenge.yaml to fill in."""
    given = {
        "slug": slug,
        "title": slug,
        "description": "What the challenge is about.",
        "rules": "Who may take part, and how.",
        "opens_at": None,
        "closes_at": None,
        "datasets": [{"name": name, "title": TITLES.get(name, name)} for name in names],
        "budget_s": 600,
        "final_submissions": 10,
    }
    return yaml.safe_dump(given, sort_keys=False, allow_unicode=True)


def summary(manifest: Manifest) -> str:
    """Say how many cases each data set has."""
    return "; ".join(
        f"{name} "
        + ", ".join(f"{len(manifest.cases(name, 'test', task))} {task} cases" for task in ("sample", "pixel"))
        for name in manifest.datasets
    )

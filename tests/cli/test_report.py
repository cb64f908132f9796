"""`mood report` on a server's folder, and the page of `mood try`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import report, trial_page, try_
from cli.facts import facts
from evaluator.readings import SampleReading, Status
from evaluator.report import ToyCase, toy_report
from server import challenges
from server.protocol import Task
from server.settings import Settings
from server.storage import Store
from tests.server.test_leaderboard import score
from tests.server.web.test_toy_report import pixel_report, toy_slices
from tests.server.world import NOW, World, make_challenge
from worker.runners.base import Ended, Outcome
from worker.trial import Trial


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A server's folder, `home`, with a loaded challenge."""
    monkeypatch.delenv("MOOD_DATABASE_URL", raising=False)
    settings = Settings(home=tmp_path / "home")
    folder = make_challenge(tmp_path / "challenge")
    with facts(settings) as database:
        store = Store(settings.store_dir)
        challenges.load(database, store, folder, NOW)
        yield World(db=database, store=store, folder=folder)


def called(tmp_path: Path, *words: str) -> Result:
    out = tmp_path / "out"
    return CliRunner().invoke(report.app, ["--home", str(tmp_path / "home"), "--out", str(out), *words])


def test_report_is_written_with_all_its_files(world: World, tmp_path: Path) -> None:
    score(world, "One", task=Task.SAMPLE)
    result = called(tmp_path)
    assert result.exit_code == 0, result.output
    assert "1 submission" in result.output
    assert "not published" in result.output
    folder = tmp_path / "out/sample"
    assert (folder / "tiny-sample-report.pdf").read_bytes().startswith(b"%PDF-")
    assert "One" in (folder / "tiny-sample-report.html").read_text()
    assert "One" in (folder / "tables/consensus.csv").read_text()
    assert r"\begin{table}" in (folder / "tables/consensus.tex").read_text()
    assert (folder / "figures/consensus.svg").read_text().startswith("<svg")
    assert not (tmp_path / "out/pixel").exists()


def test_nothing_to_report_is_said(world: World, tmp_path: Path) -> None:
    assert world.folder.is_dir()
    result = called(tmp_path, "--task", "pixel")
    assert result.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_challenge_that_is_not_there_is_named(world: World, tmp_path: Path) -> None:
    assert world.folder.is_dir()
    assert called(tmp_path, "--challenge", "other").exit_code == 1


def outcome(log: str) -> Outcome:
    return Outcome(
        ended=Ended.EXITED,
        exit_code=0,
        killed_for_memory=False,
        wall_s=2.0,
        peak_memory_bytes=None,
        log=log,
        log_cut=False,
        predicted_at_s={},
    )


def test_trial_has_a_page_with_its_pictures(tmp_path: Path) -> None:
    slices = toy_slices()
    case = str(pixel_report()["cases"][0]["case"])
    trial = Trial(failure=None, report=pixel_report(), outcome=outcome("it <ran>"), slices={case: slices})
    trial_page.write(trial, tmp_path / "new/page.html", image="mine:1", dataset="brain", task=Task.PIXEL)
    page = (tmp_path / "new/page.html").read_text()
    assert page.count("data:image/png;base64,") == 1
    assert "mine:1" in page
    assert "it &lt;ran&gt;" in page


def test_trial_of_the_sample_task_has_a_page_of_plots(tmp_path: Path) -> None:
    cases = [
        ToyCase(case=f"{label}.nii.gz", reading=SampleReading(score=label / 2, label=label, status=Status.OK, notes={}))
        for label in (0, 1)
    ]
    made = toy_report("sample", cases, wall_s=1.0, peak_memory_bytes=None)
    trial = Trial(failure=None, report=made, outcome=outcome(""))
    trial_page.write(trial, tmp_path / "page.html", image="mine", dataset="brain", task=Task.SAMPLE)
    page = (tmp_path / "page.html").read_text()
    assert "0.nii.gz" in page
    assert page.count("<svg") == 2


def test_page_that_would_be_a_folder_is_refused_before_the_run(tmp_path: Path) -> None:
    words = ["image", "--data", str(tmp_path), "--dataset", "brain", "--task", "pixel", "--html", str(tmp_path)]
    result = CliRunner().invoke(try_.app, words)
    assert result.exit_code == 1

"""A reference submission's image through the whole system: both tasks, both data sets."""

from pathlib import Path

import pytest

from cli.images import base_image, build_reference_images
from cli.watching import follow
from reference_submissions.kit.detector import Preset
from tests.conftest import Backend
from tests.stack import running_stack
from toy_cases.build import write_training
from worker.runners.docker import Engine

pytestmark = pytest.mark.docker

CACHE = Path(__file__).resolve().parents[2] / "var"  # where `make images` keeps the base
TASKS = ("sample", "pixel")


@pytest.fixture
def pca_image(tmp_path: Path) -> str:
    """Its ID."""
    write_training(tmp_path / "training", sizes={"brain": 24, "abdom": 24}, count=8)
    engine = Engine()
    built = build_reference_images(
        engine,
        ["pca"],
        training=tmp_path / "training",
        work=tmp_path / "work",
        say=print,
        base=base_image(engine, cache=CACHE, say=print),
        prefix="mood-test/reference",
        preset=Preset.TINY,
    )
    engine.close()
    return built["pca"]


def test_a_reference_submission_is_scored_and_ranked_in_both_tasks(
    production_backend: Backend, tmp_path: Path, tiny_challenge: Path, pca_image: str
) -> None:
    with running_stack(production_backend, tmp_path / "home", tiny_challenge) as stack:
        team, organizer = stack.team("PCA"), stack.organizer()

        views = follow(team, [stack.submit(team, pca_image, task, "final") for task in TASKS])

        assert [view["status"] for view in views] == ["scored", "scored"], stack.worker_log
        for task in TASKS:
            organizer.post(f"/leaderboards/{task}/publish", {"published": True})
            (row,) = team.get(f"/leaderboards/{task}")["rows"]
            assert set(row["values"]) == {"brain", "abdom"}
            assert all(value > 0 for value in row["values"].values())

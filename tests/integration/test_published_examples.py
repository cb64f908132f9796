"""Images laid out as both published examples of 2020 run unchanged, through the normal path."""

from pathlib import Path

import pytest

from cli.images import base_image
from cli.watching import follow_all
from tests.conftest import Backend
from tests.stack import running_stack
from worker.runners.docker import Engine

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "reference_submissions"


@pytest.mark.docker
@pytest.mark.redis
@pytest.mark.postgres
def test_published_layouts_are_scored_in_both_tasks(
    production_backend: Backend, tmp_path: Path, tiny_challenge: Path
) -> None:
    engine = Engine()
    base = base_image(engine, cache=ROOT / "var", say=print)
    images = {
        name: engine.build(EXAMPLES / name, tag=f"mood-test/{name.replace('_', '-')}", buildargs={"BASE": base})
        for name in ("published_simple", "published_tmpdir")
    }
    facts = {name: engine.image(image) for name, image in images.items()}
    engine.close()
    assert {image.user for image in facts.values() if image} == {"", "root"}  # root, by silence and by name
    with running_stack(production_backend, tmp_path / "home", tiny_challenge) as stack:
        teams = {name: stack.team(name) for name in images}
        handed_in = [
            (teams[name], stack.submit(teams[name], image, task, "final"))
            for name, image in images.items()
            for task in ("sample", "pixel")
        ]
        views = follow_all(handed_in)
        assert [view["status"] for view in views] == ["scored"] * 4, stack.worker_log
        assert [job["warnings"] for view in views for job in view["jobs"]] == [[]] * 8

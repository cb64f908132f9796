from pathlib import Path

import numpy as np
import pytest

from evaluator.slices import Slices
from server import analyses, challenges, lifecycle
from server.protocol import Finished, Task
from server.web import examples, report
from tests.server.test_challenges import rewrite
from tests.server.test_leaderboard import anonymise
from tests.server.world import World, make_challenge

SHOWN = "test1.nii.gz"


def slices() -> bytes:
    label = np.eye(4, dtype=bool)
    return Slices(z=0, image=np.full((4, 4), 90, np.uint8), label=label, prediction=label.astype(np.float16)).to_bytes()


@pytest.fixture
def shown_world(world: World, tmp_path: Path) -> World:
    """A challenge that marks a case of one data set for show."""
    folder = make_challenge(tmp_path / "shown", slug="shown", show={"brain": [SHOWN]})
    challenges.load(world.db, world.store, folder, world.later(seconds=1))
    return world


def scored(world: World, team: str, kept: bytes | None) -> None:
    """A submission of which slices of the marked case are kept."""
    world.submit(team, task=Task.PIXEL)
    for _ in range(2):
        spec = world.claim()
        world.to_scoring(spec)
        sha256 = world.store.put(kept) if kept is not None and spec.dataset == "brain" else None
        cases = [
            case.model_copy(update={"slices_sha256": sha256}) if case.case == SHOWN else case
            for case in world.results(spec)
        ]
        finished = Finished(token=spec.token, cases=cases, warnings=[], evaluator_version="0.1.0")
        lifecycle.finish(world.db, world.store, world.host(), spec.job, finished, world.now)


def galleries(world: World, *order: str) -> tuple[examples.Gallery, ...]:
    with world.db.read() as session:
        return examples.galleries(session, world.store, world.challenge(session), Task.PIXEL, order)


def test_marked_case_is_shown_for_each_team_in_the_order_of_the_ranking(shown_world: World) -> None:
    scored(shown_world, "One", slices())
    scored(shown_world, "Two", None)
    (gallery,) = galleries(shown_world, "Two", "One")
    assert (gallery.title, gallery.teams) == ("Brain", ("Two", "One"))
    (example,) = gallery.examples
    assert [(one.team, one.picture is not None) for one in example.maps] == [("Two", False), ("One", True)]
    assert SHOWN not in repr(gallery)


@pytest.mark.parametrize("kept", [None, b"damaged"])
def test_there_is_no_gallery_without_slices(shown_world: World, kept: bytes | None) -> None:
    scored(shown_world, "One", kept)
    assert galleries(shown_world, "One") == ()


def test_a_case_that_is_no_longer_for_show_is_not_shown(shown_world: World, tmp_path: Path) -> None:
    scored(shown_world, "One", slices())
    assert galleries(shown_world, "One")
    rewrite(tmp_path / "shown", f"show: {{'brain': ['{SHOWN}']}}", "show: {'brain': ['test2.nii.gz']}")
    challenges.load(shown_world.db, shown_world.store, tmp_path / "shown", shown_world.now)
    assert galleries(shown_world, "One") == ()


def source(world: World) -> report.Source:
    found = report.source(world.db, world.store, "shown", Task.PIXEL, world.now)
    assert found is not None
    return found


def test_a_report_has_no_gallery_while_names_may_have_moved(shown_world: World) -> None:
    for team in ("One", "Two", "Three"):
        scored(shown_world, team, slices())
    anonymise(shown_world, "Three")  # it is Anonymous 1
    analyses.compute(shown_world.db, shown_world.store, "shown", Task.PIXEL, shown_world.now)
    before = source(shown_world)
    assert before.galleries()
    anonymise(shown_world, "One")  # it is now, and Three is Anonymous 2
    assert before.galleries() == ()
    assert source(shown_world).galleries() == ()


def test_a_report_has_no_gallery_of_a_later_document(shown_world: World) -> None:
    scored(shown_world, "One", slices())
    analyses.compute(shown_world.db, shown_world.store, "shown", Task.PIXEL, shown_world.now)
    before = source(shown_world)
    scored(shown_world, "Two", slices())
    later = shown_world.later(minutes=1)
    analyses.compute(shown_world.db, shown_world.store, "shown", Task.PIXEL, later)
    assert before.galleries() == ()
    assert source(shown_world).galleries()

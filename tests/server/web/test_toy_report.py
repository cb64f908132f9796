import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evaluator.slices import Slices
from server.protocol import Task
from server.web import toy_report
from server.web.pictures import GAP, Window
from tests.server.web.conftest import People, Play, report
from tests.server.world import World

CURVE = {"recall": [0.5, 1.0, 1.0], "precision": [1.0, 0.5, 0.25]}
HISTOGRAM = {"edges": [0.0, 0.25, 0.5, 0.75, 1.0], "normal": [0, 3000, 5, 0], "anomalous": [0, 0, 40, 0]}


def toy_slices(score: float = 1.0) -> Slices:
    """Three by two pixels, of which one is anomalous."""
    label = np.zeros((3, 2), dtype=bool)
    label[0, 0] = True
    return Slices(
        z=1,
        image=np.full((3, 2), 128, dtype=np.uint8),
        label=label,
        prediction=np.where(label, score, 0).astype(np.float16),
    )


def pixel_report(**changes: Any) -> dict[str, Any]:
    return report(task="pixel", curve=CURVE, histogram=HISTOGRAM, **changes)


def with_slices(sha256: str) -> list[dict[str, Any]]:
    first, *rest = report()["cases"]
    return [first | {"slices_sha256": sha256}, *rest]


def test_plots_and_window_come_from_curve_and_histogram() -> None:
    view = toy_report.report_view(pixel_report(ap=0.75))
    assert view is not None
    assert view.curve is not None
    assert "average precision 0.750" in view.curve
    assert "constant score 0.013" in view.curve  # 40 of 3,045
    assert view.histogram is not None
    assert "voxels" in view.histogram
    assert view.window == Window(low=0.25, high=0.75)  # empty bins at both ends are no scores


def test_report_of_an_older_evaluator_has_no_plots() -> None:
    view = toy_report.report_view({key: value for key, value in report().items() if key not in {"curve", "histogram"}})
    assert view is not None
    assert (view.curve, view.histogram, view.has_pictures) == (None, None, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"curve": {"recall": [0.5], "precision": []}},
        {"curve": {"recall": [1.0, 0.5], "precision": [1.0, 1.0]}},
        {"curve": {"recall": [0.5], "precision": [2.0]}},
        {"histogram": HISTOGRAM | {"normal": [1]}},
        {"histogram": HISTOGRAM | {"edges": [0.0, float("nan"), 0.5, 0.75, 1.0]}},
        {"histogram": HISTOGRAM | {"edges": [1.0, 0.75, 0.5, 0.25, 0.0]}},
        {"histogram": HISTOGRAM | {"anomalous": [0, 0, -40, 0]}},
    ],
)
def test_report_that_cannot_be_drawn_is_not_one(changes: dict[str, Any]) -> None:
    assert toy_report.report_view(report(**changes)) is None


def test_data_set_without_anything_read_is_shown_without_plots() -> None:
    empty = {"edges": [0.0, 1.0], "normal": [0], "anomalous": [0]}
    view = toy_report.report_view(report(ap=None, curve={"recall": [], "precision": []}, histogram=empty))
    assert view is not None
    assert (view.ap, view.curve, view.histogram) == (None, None, None)
    assert view.window == Window(low=0.0, high=1.0)


def test_page_shows_pictures_that_only_the_team_can_open(people: People, world: World, play: Play) -> None:
    submission = world.submit("Owner", task=Task.PIXEL)
    sha256 = world.store.put(toy_slices().to_bytes())
    play.toy(world.claim(), task="pixel", curve=CURVE, histogram=HISTOGRAM, cases=with_slices(sha256))
    owner = people.browser("Owner")
    page = owner.get(f"/submissions/{submission}").text
    address = f"/submissions/{submission}/slices/brain/0.png"
    assert f'src="{address}?v={sha256[:12]}"' in page
    assert "Precision against recall" in page
    answer = owner.get(address)
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (
        2 * 3 * 85 + GAP,
        2 * 85,
    )  # enlarged by 256 // 3, and the gap
    assert people.browser("Stranger").get(address).status_code == 404


@pytest.mark.parametrize("path", ["brain/1.png", "brain/9.png", "abdom/0.png", "nose/0.png", "brain/-1.png"])
def test_picture_of_nothing_is_not_there(people: People, world: World, play: Play, path: str) -> None:
    submission = world.submit("Owner", task=Task.PIXEL)
    play.toy(world.claim(), cases=with_slices(world.store.put(toy_slices().to_bytes())))
    assert people.browser("Owner").get(f"/submissions/{submission}/slices/{path}").status_code == 404


def test_slices_that_were_damaged_are_no_fault_of_the_page(people: People, world: World, play: Play) -> None:
    submission = world.submit("Owner", task=Task.PIXEL)
    play.toy(world.claim(), cases=with_slices(world.store.put(b"no slices")))
    browser = people.browser("Owner")
    assert browser.get(f"/submissions/{submission}").status_code == 200
    assert browser.get(f"/submissions/{submission}/slices/brain/0.png").status_code == 404


def test_page_of_its_own_needs_no_other_file() -> None:
    view = toy_report.report_view(
        pixel_report(cases=with_slices("a" * 64)), lambda _place, _sha256: "data:image/png;base64,AA=="
    )
    assert view is not None
    page = toy_report.page(view, title="mine:latest", facts=("data set brain",), log_text="<b>hello</b>")
    assert 'src="data:image/png;base64,AA=="' in page
    assert "&lt;b&gt;hello" in page
    assert "http" not in page.replace("http://www.w3.org", "")

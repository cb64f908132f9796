import json
from typing import Any

import numpy as np
import pytest

from evaluator import __version__, notes
from evaluator.readings import PixelReading, SampleReading, Status
from evaluator.report import ToyCase, toy_report
from evaluator.sketch import Sketch
from evaluator.wording import report_lines


def pixel(case: str, scores: list[float], mask: list[int], **counts: int) -> ToyCase:
    sketch = Sketch.of(np.array(scores), np.array(mask, dtype=bool))
    found = {code.replace("_", "-"): count for code, count in counts.items()}
    return ToyCase(case=case, reading=PixelReading(status=Status.OK, sketch=sketch, notes=found))


def sample(case: str, score: float, label: int, status: Status = Status.OK, **counts: int) -> ToyCase:
    found = {code.replace("_", "-"): count for code, count in counts.items()}
    return ToyCase(case=case, reading=SampleReading(status=status, score=score, label=label, notes=found))


def report(task: str, *cases: ToyCase, **options: Any) -> dict[str, Any]:
    return toy_report(task, cases, **{"wall_s": 1.5, "peak_memory_bytes": None, **options})


def test_pixel_report_pools_the_voxels_of_all_cases() -> None:
    found = report("pixel", pixel("a.nii.gz", [0.5, 0.25], [1, 0]), pixel("n.nii.gz", [0.75, 0.0], [0, 0]))
    assert found["ap"] == 0.5  # 0 of 1, then 1 of 2
    assert [case["ap"] for case in found["cases"]] == [1.0, None]
    assert [case["label"] for case in found["cases"]] == [1, 0]
    assert found["distinct"] == 4


def test_pixel_report_bounds_what_rounding_may_have_changed() -> None:
    exact = report("pixel", pixel("a", [0.5, 0.25], [1, 0]))
    assert exact["ap_bounds"] == [1.0, 1.0]
    rounded = report("pixel", pixel("a", [0.5, 0.50001], [1, 0]))  # one half
    assert rounded["ap"] == 0.5
    assert rounded["ap_bounds"] == pytest.approx([0.5, 1.0])
    assert "unrounded          average precision between 0.500000 and 1.000000" in report_lines(rounded)
    assert report("pixel", pixel("n", [0.5], [0]))["ap_bounds"] is None
    assert report("sample", sample("a", 0.1, 1))["ap_bounds"] is None


def test_sample_report_has_one_average_precision() -> None:
    found = report("sample", sample("a", 0.9, 1), sample("b", 0.8, 0), sample("c", 0.1, 1))
    assert found["ap"] == pytest.approx(5 / 6)
    assert found["cases"][0] == {"case": "a", "label": 1, "score": 0.9, "status": "ok", "notes": {}}


def test_report_goes_through_json_unchanged() -> None:
    found = report("pixel", pixel("n", [0.5], [0]), peak_memory_bytes=2_000_000, job_warnings={"W-LOG-CUT": 1})
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found) == {
        "task", "ap", "ap_bounds", "distinct", "curve", "histogram", "cases", "wall_s", "peak_memory_bytes", "warnings",
        "evaluator_version",
    }  # fmt: skip
    assert (found["task"], found["ap"], found["evaluator_version"]) == ("pixel", None, __version__)


def test_curve_and_histogram_are_of_all_voxels() -> None:
    found = report("pixel", pixel("a.nii.gz", [0.5, 0.25], [1, 0]), pixel("n.nii.gz", [0.75, 0.0], [0, 0]))
    assert found["curve"] == {"recall": [0.0, 0.0, 1.0, 1.0, 1.0], "precision": [0.0, 0.0, 0.5, 0.333333, 0.25]}
    histogram = found["histogram"]
    assert (histogram["edges"][0], histogram["edges"][-1], len(histogram["edges"])) == (0.0, 0.75, 65)
    assert [place for place, count in enumerate(histogram["normal"]) if count] == [0, 21, 63]
    assert [place for place, count in enumerate(histogram["anomalous"]) if count] == [42]


def test_curve_and_histogram_are_of_all_cases() -> None:
    found = report("sample", sample("a", 0.75, 1), sample("b", 0.25, 0), sample("c", 0.25, 1))
    assert found["curve"] == {"recall": [0.0, 0.5, 1.0], "precision": [1.0, 1.0, 0.666667]}
    assert (found["histogram"]["normal"][0], found["histogram"]["anomalous"][0]) == (1, 1)
    assert found["histogram"]["anomalous"][63] == 1


def test_normal_cases_alone_have_no_curve() -> None:
    found = report("pixel", pixel("n", [0.5, 0.25], [0, 0]))
    assert found["curve"] is None
    assert sum(found["histogram"]["normal"]) == 2


def test_report_without_a_case_has_an_empty_histogram() -> None:
    for task in ("pixel", "sample"):
        found = report(task)
        assert found["curve"] is None
        assert sum(found["histogram"]["normal"] + found["histogram"]["anomalous"]) == 0


def test_slices_are_named_where_there_are_some() -> None:
    cases = pixel("a", [0.5], [1]), pixel("n", [0.5], [0])
    found = report("pixel", *cases, slices={"a": "0" * 64})
    assert [case.get("slices_sha256") for case in found["cases"]] == ["0" * 64, None]


def test_warnings_count_cases_and_follow_one_order() -> None:
    found = report(
        "sample",
        sample("a", 0.0, 1, Status.MISSING, W_MISSING=1),
        sample("b", 0.0, 0, W_NAN=1),
        sample("c", 0.5, 0, W_NAN=1),
        job_warnings={"W-LOG-CUT": 1},
    )
    assert found["warnings"] == [
        {"code": notes.MISSING, "count": 1},
        {"code": notes.NAN, "count": 2},
        {"code": "W-LOG-CUT", "count": 1},
    ]


def test_constant_scores_are_warned_of() -> None:
    constant = [{"code": notes.CONSTANT, "count": 2}]
    assert report("sample", sample("a", 0.5, 1), sample("b", 0.5, 0))["warnings"] == constant
    assert report("pixel", pixel("a", [0.5, 0.5], [1, 0]), pixel("b", [0.5], [0]))["warnings"] == constant


def test_scores_that_differ_between_cases_are_not_constant() -> None:
    assert report("sample", sample("a", 0.5, 1), sample("b", 0.25, 0))["warnings"] == []
    assert report("pixel", pixel("a", [0.5], [1]), pixel("b", [0.25], [0]))["warnings"] == []


def test_zeros_for_want_of_predictions_are_not_called_constant() -> None:
    found = report("sample", sample("a", 0.0, 1, Status.MISSING, W_MISSING=1))
    assert found["warnings"] == [{"code": notes.MISSING, "count": 1}]


def test_task_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="task is 'voxel'"):
        report("voxel")


def test_text_says_what_the_report_holds() -> None:
    found = report(
        "pixel",
        pixel("a.nii.gz", [0.5, 0.25], [1, 0], W_NAN=7),
        pixel("n.nii.gz", [0.0], [0]),
        peak_memory_bytes=3_000_000,
    )
    assert report_lines(found) == [
        "average precision  1.000000",
        "distinct scores    3",
        "run time           1.5 s",
        "peak memory        3 MB",
        "a.nii.gz                 anomalous AP 1.000000  ok  W-NAN ×7",
        "n.nii.gz                 normal    AP n/a  ok",
        "W-NAN ×1: NaN counts 0",
    ]


def test_text_of_a_sample_report_without_a_run() -> None:
    found = report("sample", sample("a.nii.gz", 0.5, 0), wall_s=None, job_warnings={"W-LOG-CUT": 2})
    assert report_lines(found) == [
        "average precision  n/a",
        "distinct scores    1",
        "a.nii.gz                 normal    score 0.500000  ok",
        "W-CONSTANT ×1: every score is the same",
        "W-LOG-CUT ×2",
    ]


def test_run_too_short_to_sample_says_so() -> None:
    assert "peak memory        too short to measure" in report_lines(report("sample", sample("a", 0.5, 1)))

import pytest

from evaluator.analysis.entries import Entry
from evaluator.analysis.levels import both_levels, levels
from tests.evaluator.analysis.made import NORMAL, case_set, kind, of_voxels, row, rows, sketch


def entry(n_scans: int) -> Entry:
    """So many anomalous scans, each with its anomalous voxel second of two, and a normal one."""
    cases = case_set({f"a{i}": kind("sphere") for i in range(n_scans)} | {"n": NORMAL}, "pixel")
    return of_voxels("A", cases, [sketch([0.5], [0.7])] * n_scans + [sketch([], [0.6, 0.1])])


def test_both_levels_stand_side_by_side() -> None:
    table, histograms = levels({"brain": [both_levels(entry(2))]}, "pixel")
    # pooled, from the top: .7 .7 normal, .6 normal, .5 .5 anomalous, .1 normal
    found = row(table, metric="ap")
    assert found["dataset_level"] == pytest.approx(2 / 5, abs=1e-15)
    assert (found["scan_mean"], found["scan_median"], found["n_scans"], found["left_out"]) == (0.5, 0.5, 2, 1)
    assert row(table, metric="auroc")["dataset_level"] == pytest.approx(1 / 4, abs=1e-15)
    assert row(table, metric="auroc")["scan_mean"] == 0.0
    bins = rows(histograms, metric="ap")
    assert (len(bins), [(one["low"], one["high"]) for one in bins if one["scans"]]) == (20, [(0.5, 0.55)])


def test_few_scans_are_a_sentence() -> None:
    table, _ = levels({"brain": [both_levels(entry(2))]}, "pixel")
    assert table.notes == ("brain: 2 scans hold both classes, too few to say anything.",)


def test_nothing_is_told_of_a_single_scan() -> None:
    table, histograms = levels({"brain": [both_levels(entry(1))]}, "pixel")
    found = row(table, metric="ap")
    assert (found["scan_mean"], found["scan_median"], found["n_scans"]) == (None, None, 1)
    assert not histograms.rows
    assert table.notes == ("brain: one scan holds both classes; nothing is told of a single hidden case.",)


def test_no_scan_with_both_classes_is_a_sentence() -> None:
    table, _ = levels({"brain": [both_levels(entry(0))]}, "pixel")
    assert (row(table, metric="ap")["dataset_level"], row(table, metric="ap")["scan_mean"]) == (None, None)
    assert table.notes == ("brain: no scan holds both classes, so there is no value of a scan.",)


def test_the_sample_task_has_none() -> None:
    for table in levels({}, "sample"):
        assert not table.rows
        assert len(table.notes) == 1

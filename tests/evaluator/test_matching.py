"""Object-level detection on drawings worked by hand, and against the rule taken pair by pair."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.components import label
from evaluator.matching import Matching
from evaluator.objects import MOST_LISTED, Detection, Detections, ObjectRule
from evaluator.runs import Components, Runs

RULE = ObjectRule(threshold=0.5)


def components(drawing: str) -> Components:
    """Rows of # and . one below the other, as one plane; the row is axis 0."""
    rows = drawing.split()
    mask = np.array([c == "#" for c in "".join(rows)])
    return label(Runs.of_plane(mask, row=len(rows[0]), offset=0), (len(rows[0]), len(rows), 1))


def match(
    truth: Components, found: Components, shape: tuple[int, int, int], voxel_mm3: float, rule: ObjectRule
) -> Detections:
    """See all of `found` at once."""
    matching = Matching(truth, shape, voxel_mm3, rule)
    matching.see(found.runs)
    return matching.detections()


def matched(truth: str, found: str, *, voxel_mm3: float = 1.0, rule: ObjectRule = RULE) -> tuple[int, int, int]:
    """Objects, detections, true positives."""
    rows = truth.split()
    counts = match(components(truth), components(found), (len(rows[0]), len(rows), 1), voxel_mm3, rule)
    return counts.objects, counts.detections, counts.true_positives


def test_same_objects_are_all_found() -> None:
    drawing = "##...# ##...# ...... ..#..."
    assert matched(drawing, drawing) == (3, 3, 3)


@pytest.mark.parametrize(
    ("found", "true"),
    [
        ("......#. ........", 0),  # 1 of 4
        ("....##.. ........", 1),  # 2 of 4, its centre at 4.5 counts as 5
        ("..##.... ........", 0),  # its centre at 2.5 counts as 3, beside the object
        ("...##### ...###..", 1),  # 8, twice the object's
        ("...##### ...####.", 0),  # 9
    ],
)
def test_sizes_differ_by_at_most_the_factor(found: str, true: int) -> None:
    assert matched("....#### ........", found) == (1, 1, true)


def test_factor_is_the_rules() -> None:
    rule = ObjectRule(threshold=0.5, size_factor=4)
    assert matched("....####", "......#.", rule=rule) == (1, 1, 1)
    assert matched("....####", "......#.", rule=ObjectRule(threshold=0.5, size_factor=3.9)) == (1, 1, 0)


def test_touching_an_object_is_not_finding_it() -> None:
    assert matched("##......", ".##.....") == (1, 1, 0)  # its centre at 1.5 counts as 2
    assert matched(".##.....", "##......") == (1, 1, 1)  # its centre at 0.5 counts as 1


def test_centre_of_a_bent_detection_may_lie_in_neither() -> None:
    bent = "####. #.... #.... #.... ####."  # 11 voxels; centre (12/11, 2): beside its back, in the hollow
    assert matched(bent, bent) == (1, 1, 0)
    assert matched("..... ..... .###. .###. .....", bent) == (1, 1, 1)


def test_small_detections_are_dropped_and_small_objects_are_not() -> None:
    drawing = "#..##"
    rule = ObjectRule(threshold=0.5, min_volume_mm3=3)
    assert matched(drawing, drawing, voxel_mm3=1.5, rule=rule) == (2, 1, 1)  # 1.5 mm³ dropped, 3 mm³ kept
    assert matched(drawing, drawing, voxel_mm3=3, rule=rule) == (2, 2, 2)
    assert matched(drawing, drawing, voxel_mm3=1.49, rule=rule) == (2, 0, 0)


def test_object_is_found_once() -> None:
    assert matched("########", "##..####") == (1, 2, 1)  # of 2 voxels and 4: the smaller differs by too much
    assert matched("########", "####.###", rule=ObjectRule(threshold=0.5, size_factor=8)) == (1, 2, 1)
    assert matched("########", "###..###", rule=ObjectRule(threshold=0.5, size_factor=8)) == (1, 2, 1)


def test_detection_finds_one_object() -> None:
    assert matched("##.##", "#####") == (2, 1, 0)  # its centre lies between
    assert matched("#.###", "#####") == (2, 1, 1)


def test_centre_is_taken_over_all_axes() -> None:
    shape = (3, 3, 3)
    every = label(Runs(np.arange(0, 27, 3), np.full(9, 3)), shape)
    middle = label(Runs(np.array([13]), np.array([1])), shape)
    corner = label(Runs(np.array([0]), np.array([1])), shape)
    rule = ObjectRule(threshold=0.5, size_factor=27)
    assert match(middle, every, shape, 1.0, rule).true_positives == 1
    assert match(corner, every, shape, 1.0, rule).true_positives == 0


@pytest.mark.parametrize(("truth", "found"), [("....", ".##."), (".##.", "...."), ("....", "....")])
def test_nothing_finds_nothing(truth: str, found: str) -> None:
    assert matched(truth, found) == (int("#" in truth), int("#" in found), 0)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.integers(0, 2**32), st.floats(0, 0.5))
def test_true_positives_are_those_of_the_rule_taken_at_its_word(seed: int, density: float) -> None:
    shape = (6, 5, 4)
    rng = np.random.default_rng(seed)
    truth, found = (
        label(Runs.of_plane(rng.random(120) < density, row=6, offset=0), shape, slab_voxels=1) for _ in range(2)
    )
    rule = ObjectRule(threshold=0.5, min_volume_mm3=3, size_factor=2.5)
    assert match(truth, found, shape, 1.5, rule) == at_its_word(truth, found, shape, 1.5, rule)


def at_its_word(
    truth: Components, found: Components, shape: tuple[int, int, int], voxel_mm3: float, rule: ObjectRule
) -> Detections:
    """Pair one detection after the other, the largest first, of equal ones that whose centre comes first."""
    of_object, of_detection = np.full(shape, -1), np.full(shape, -1)
    for grid, given_components in ((of_object, truth), (of_detection, found)):
        at = np.unravel_index(given_components.runs.indices(), shape, order="F")
        grid[at] = np.repeat(given_components.of_run, given_components.runs.lengths)
    kept = []
    for n, size in enumerate(found.sizes.tolist()):
        x, y, z = np.floor(np.argwhere(of_detection == n).mean(axis=0) + 0.5).astype(int).tolist()
        if size * voxel_mm3 >= rule.min_volume_mm3:
            kept.append((-size, z, y, x))
    taken: set[int] = set()
    listed = []
    for negative_size, z, y, x in sorted(kept):
        size, target = -negative_size, int(of_object[x, y, z])
        is_new = target >= 0 and target not in taken
        matched = is_new and bool(1 / rule.size_factor <= size / truth.sizes[target] <= rule.size_factor)
        if matched:
            taken.add(target)
        listed.append(Detection(volume_mm3=size * voxel_mm3, centre=(x, y, z), matched=matched))
    return Detections(
        objects=truth.sizes.size,
        detections=len(kept),
        true_positives=len(taken),
        largest=tuple(listed[:MOST_LISTED]),
    )


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.integers(0, 2**32), st.floats(0, 0.6), st.integers(1, 40), st.sampled_from([(6, 5, 12), (6, 60, 1)]))
def test_rows_seen_in_parts_give_what_the_whole_gives(
    seed: int, density: float, most_runs: int, shape: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(seed)
    truth = label(Runs.of_plane(rng.random(360) < density, row=6, offset=0), shape)
    voxels = rng.random(360) < density
    voxels[60:120] &= bool(rng.integers(2))  # there may be rows or planes without any
    matching = Matching(truth, shape, 1.5, RULE, most_runs=most_runs)
    step = 6 * int(rng.integers(1, 12))
    for start in range(0, 360, step):
        matching.see(Runs.of_plane(voxels[start : start + step], row=6, offset=start))
    found = label(Runs.of_plane(voxels, row=6, offset=0), shape)
    assert matching.detections() == at_its_word(truth, found, shape, 1.5, RULE)


def test_detections_are_listed_with_volume_centre_and_match() -> None:
    truth, found = components("###... ...... ......"), components("###... ...... ..####")
    assert match(truth, found, (6, 3, 1), 1.5, RULE).largest == (
        Detection(volume_mm3=6.0, centre=(4, 2, 0), matched=False),  # its centre is at 3.5
        Detection(volume_mm3=4.5, centre=(1, 0, 0), matched=True),
    )


def test_largest_detection_of_an_object_is_the_true_one() -> None:
    found = match(components("########"), components("####.###"), (8, 1, 1), 1.0, RULE)
    assert [(one.volume_mm3, one.matched) for one in found.largest] == [(4.0, True), (3.0, False)]


def test_two_detections_in_one_place_are_one_true_positive() -> None:
    shape = (5, 5, 16)
    voxels = np.zeros(shape, dtype=bool)
    voxels[:, :, 8] = True
    voxels[1:4, 1:4, 8] = False  # a frame of 16 voxels
    voxels[2, 2, :] = True  # a column of 16 through its middle
    every, found = (
        label(Runs.of_plane(mask.ravel(order="F"), row=5, offset=0), shape) for mask in (np.ones(shape, bool), voxels)
    )
    largest = match(every, found, shape, 1.0, ObjectRule(threshold=0.5, size_factor=100)).largest
    assert [(one.volume_mm3, one.centre, one.matched) for one in largest] == [
        (16.0, (2, 2, 8), True),
        (16.0, (2, 2, 8), False),
    ]


def test_voxels_without_a_volume_are_no_detection() -> None:
    for voxel_mm3 in (float("nan"), float("inf")):
        assert matched("##", "##", voxel_mm3=voxel_mm3) == (1, 0, 0)


def test_only_the_largest_are_listed_wherever_they_come() -> None:
    row = MOST_LISTED + 50
    shape = (2 * row, 4, 1)
    matching = Matching(label(Runs.joined(()), shape), shape, 1.0, RULE, most_runs=1)
    dots = Runs(np.arange(0, 2 * row, 2), np.ones(row, dtype=np.int64))
    matching.see(dots)
    matching.see(Runs(np.array([2 * 2 * row]), np.array([9])))
    found = matching.detections()
    assert found.detections == row + 1
    assert len(found.largest) == MOST_LISTED
    assert [one.centre for one in found.largest[:3]] == [(4, 2, 0), (0, 0, 0), (2, 0, 0)]
    assert found.largest[0].volume_mm3 == 9


def test_detection_goes_on_in_the_nearest_row_of_the_next_plane() -> None:
    shape = (6, 4, 3)
    voxels = ((1, 1, 0), (5, 1, 1), (2, 2, 1))  # the first and the last touch at a corner
    matching = Matching(label(Runs.joined(()), shape), shape, 1.0, RULE, most_runs=1)
    for x, y, z in voxels:
        matching.see(Runs(np.array([x + 6 * (y + 4 * z)]), np.array([1])))
    assert matching.detections().detections == 2


def test_memory_does_not_grow_with_the_number_of_detections() -> None:
    shape = (64, 64, 400)
    plane = np.zeros((64, 64), dtype=bool)
    plane[::2, ::2] = True  # 1024 detections in every second plane
    matching = Matching(label(Runs.joined(()), shape), shape, 1.0, RULE, most_runs=5_000)
    tracemalloc.start()
    try:
        for z in range(0, shape[2], 2):
            matching.see(Runs.of_plane(plane.ravel(), row=64, offset=64 * 64 * z))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert matching.detections().detections == 1024 * 200
    assert peak < 3 << 20  # all runs of it would take 3.3 MB, and labelling several times that

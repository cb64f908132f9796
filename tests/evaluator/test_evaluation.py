"""A folder of predictions beside a folder of labels: official numbers against scikit-learn, and what stops it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from evaluator.evaluation import EvaluationError, evaluate, read_deal, toy_threshold
from evaluator.objects import ObjectRule
from tests.evaluator.files import SHAPE, Array, packed, volume, write

NAMES = ("bent", "lost", "normal", "other", "torn", "whole")
PIXEL_KEYS = {
    "ap", "batches", "dataset_ap", "dataset_auroc", "dataset_max_dice", "dataset_fpr_at_95tpr",
    "aupro_30", "pl_30", "pl_50", "pl_package_30", "pl_package_50", "cases",
}  # fmt: skip


def case(name: str) -> str:
    return f"{name}.nii.gz"


def blob(shape: tuple[int, ...] = SHAPE) -> Array:
    mask = np.zeros(shape, dtype=bool)
    mask[1:4, 1:3, 0:2] = True
    return mask


def scores_of(name: str) -> Array:
    return np.random.default_rng(NAMES.index(name)).random(SHAPE).astype(np.float32)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Hold a prediction of every fate: only those of `whole`, `normal` and `other` can be used."""
    predictions, labels = tmp_path / "predictions", tmp_path / "labels"
    for name in NAMES:
        write(labels / case(name), volume(np.zeros(SHAPE) if name == "normal" else blob(), dtype="u1"))
        if name != "lost":
            write(predictions / case(name), volume(scores_of(name)))
    write(predictions / case("torn"), (predictions / case("torn")).read_bytes()[:-100])
    write(predictions / case("bent"), volume(np.ones((7, 3, 5))))
    write(predictions / case("stray"), volume(scores_of("whole")))
    write(predictions / "notes.txt", b"not a prediction")
    return predictions, labels


def pooled(*names: str) -> tuple[Array, Array]:
    """Give labels and half-precision scores of cases, as the published script would have them."""
    used = {"whole", "normal", "other"}
    scores = [scores_of(name).astype(np.float16) if name in used else np.zeros(SHAPE, np.float16) for name in names]
    labels = [np.zeros(SHAPE, bool) if name == "normal" else blob() for name in names]
    return np.concatenate(labels).ravel(), np.concatenate(scores).ravel()


def test_scores_are_those_of_scikit_learn_and_undefined_ones_are_0_or_null(folders: tuple[Path, Path]) -> None:
    batches = (("whole", "lost"), ("torn", "bent", "other"), ("normal",))
    deal = tuple(tuple(case(name) for name in batch) for batch in batches)
    found = evaluate("pixel", *folders, deal=deal).as_dict()
    expected = [average_precision_score(*pooled(*batch)) for batch in batches[:2]]
    assert found["batches"] == [*expected, 0.0]
    assert found["ap"] == pytest.approx(sum(expected) / 3, abs=1e-15)
    assert found["dataset_ap"] == pytest.approx(average_precision_score(*pooled(*NAMES)), abs=1e-12)
    assert found["dataset_auroc"] == pytest.approx(roc_auc_score(*pooled(*NAMES)), abs=1e-12)
    assert found["cases"][case("whole")]["ap"] == average_precision_score(*pooled("whole"))
    assert found["cases"][case("normal")]["ap"] is None
    low, high = found["ap_bounds"]
    assert low < found["ap"] < high
    assert found.keys() >= PIXEL_KEYS
    assert found["validation"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_prediction_that_cannot_be_used_counts_0_with_a_reason(folders: tuple[Path, Path]) -> None:
    found = evaluate("pixel", *folders).as_dict()
    missing = {name for name, one in found["cases"].items() if one["missing"]}
    assert missing == {case("lost"), case("torn"), case("bent")}
    prevalence = blob().mean()
    assert {found["cases"][name]["ap"] for name in missing} == {prevalence}
    reasons = [found["cases"][case(name)]["reason"] for name in ("lost", "torn", "bent", "whole")]
    assert [reason and reason.split(":")[0] for reason in reasons] == [
        "no prediction",
        "the prediction cannot be read",
        "the prediction has not the input's shape",
        None,
    ]
    assert found["ignored"] == [case("stray")]
    assert {warning["code"] for warning in found["warnings"]} == {"W-MISSING", "W-UNREADABLE", "W-SHAPE"}


def test_label_outside_the_deal_counts_in_the_data_set_only(folders: tuple[Path, Path]) -> None:
    found = evaluate("pixel", *folders, deal=((case("whole"),),), detailed=False).as_dict()
    assert found["batches"] == [found["cases"][case("whole")]["ap"]]
    assert found["not_dealt"] == [case(name) for name in NAMES if name != "whole"]
    assert found["dataset_ap"] == pytest.approx(average_precision_score(*pooled(*NAMES)), abs=1e-12)
    assert set(found["cases"]) == {case(name) for name in NAMES}


@pytest.mark.parametrize(
    ("deal", "complaint"),
    [
        ((), "the deal has no batch"),
        (((case("whole"),), ()), "the deal has a batch without a case"),
        (((case("whole"),), (case("lost"), case("whole"))), r"whole\.nii\.gz: is dealt twice"),
        (((case("whole"), "absent.nii.gz"),), r"absent\.nii\.gz: stands in the deal, but has no label"),
    ],
)
def test_deal_that_does_not_fit_the_cases_stops(
    folders: tuple[Path, Path], deal: tuple[tuple[str, ...], ...], complaint: str
) -> None:
    with pytest.raises(EvaluationError, match=complaint):
        evaluate("pixel", *folders, deal=deal)


def test_every_label_whose_header_cannot_be_read_is_named(folders: tuple[Path, Path]) -> None:
    write(folders[1] / case("whole"), b"no label")
    write(folders[1] / case("lost"), packed(b"no header"))
    with pytest.raises(EvaluationError) as stopped:
        evaluate("pixel", *folders)
    assert [complaint.split(":")[0] for complaint in stopped.value.complaints] == [
        "label lost.nii.gz",
        "label whole.nii.gz",
    ]


def test_label_that_is_cut_short_stops_with_its_name(folders: tuple[Path, Path]) -> None:
    path = folders[1] / case("other")
    write(path, volume(np.random.default_rng(0).random(SHAPE))[:-100])
    with pytest.raises(EvaluationError, match=r"label other\.nii\.gz: cannot be read"):
        evaluate("pixel", *folders, detailed=False)


@pytest.mark.parametrize("which", [0, 1])
def test_folder_that_is_not_there_is_named(folders: tuple[Path, Path], which: int) -> None:
    given = [*folders]
    given[which] = folders[which] / "absent"
    with pytest.raises(EvaluationError, match="absent: cannot be read"):
        evaluate("pixel", given[0], given[1])


def test_folder_without_labels_says_what_they_are_called(folders: tuple[Path, Path]) -> None:
    with pytest.raises(EvaluationError, match=r"those of the sample task end in \.nii\.gz\.txt"):
        evaluate("sample", *folders)


def test_numbers_are_the_same_with_any_number_of_workers(folders: tuple[Path, Path]) -> None:
    def numbers(workers: int) -> dict[str, Any]:
        found = evaluate("pixel", *folders, workers=workers, rule=ObjectRule(threshold=0.5)).as_dict()
        del found["wall_s"]
        for one in found["cases"].values():
            del one["seconds"]
        return found

    assert numbers(2) == numbers(1)


def test_without_details_what_voxels_give_stays_and_the_rest_is_null(folders: tuple[Path, Path]) -> None:
    found, full = (evaluate("pixel", *folders, detailed=detailed).as_dict() for detailed in (False, True))
    assert found.keys() == full.keys()
    for key in ("ap", "batches", "dataset_fpr_at_95tpr", "scan_level"):
        assert found[key] == full[key]
    assert {key for key in found if found[key] is None and full[key] is not None} == {
        "aupro_30", "pl_30", "pl_50", "pl_package_30", "pl_package_50", "lesions", "slices", "volumes",
    }  # fmt: skip


def test_every_case_is_reported_as_it_is_read(folders: tuple[Path, Path]) -> None:
    seen: list[tuple[int, int]] = []
    evaluate("pixel", *folders, detailed=False, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, len(NAMES)) for i in range(len(NAMES))]


def many(tmp_path: Path, count: int, anomalous: int) -> tuple[Path, Path]:
    predictions, labels = tmp_path / "predictions", tmp_path / "labels"
    rng = np.random.default_rng(1)
    for i in range(count):
        mask = np.zeros((2, 2, 1))
        mask[0, 0, 0] = i < anomalous
        write(labels / f"{i:02d}.nii.gz", volume(mask, dtype="u1"))
        write(predictions / f"{i:02d}.nii.gz", volume(rng.random((2, 2, 1))))
    return predictions, labels


def test_without_a_deal_cases_are_dealt_by_the_seed_and_validated_by_another_deal(tmp_path: Path) -> None:
    folders = many(tmp_path, count=41, anomalous=20)
    found = evaluate("pixel", *folders, detailed=False).as_dict()
    assert sorted(map(len, found["deal"])) == [13, 14, 14]
    assert sorted(name for batch in found["deal"] for name in batch) == sorted(found["cases"])
    assert found["validation"]["deal"] != found["deal"]
    assert len(found["validation"]["batches"]) == 3
    assert found["validation"]["ap"] == pytest.approx(sum(found["validation"]["batches"]) / 3)
    again, other = (evaluate("pixel", *folders, seed=seed, detailed=False).as_dict()["deal"] for seed in (0, 1))
    assert again == found["deal"] != other


def test_deal_with_too_few_anomalous_cases_warns_and_its_empty_batches_count_0(tmp_path: Path) -> None:
    found = evaluate("pixel", *many(tmp_path, count=21, anomalous=1), detailed=False).as_dict()
    assert found["batches"].count(0.0) == 1
    assert found["ap"] == max(found["batches"]) / 2
    (warning,) = found["warnings"]
    assert warning["code"] == "W-DEAL"
    assert "only 1 of the cases" in warning["sentence"]


def test_images_are_volumes_of_one_slice(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    mask = np.zeros((32, 48, 1), dtype=bool)
    mask[4:12, 6:20] = True
    scores = np.where(mask, 0.75, 0.5 * rng.random(mask.shape)).astype(np.float32)
    write(tmp_path / "labels/a.nii.gz", volume(mask, dtype="u1"))
    write(tmp_path / "predictions/a.nii.gz", volume(scores))
    found = evaluate("pixel", tmp_path / "predictions", tmp_path / "labels", deal=(("a.nii.gz",),)).as_dict()
    assert [found[key] for key in ("ap", "aupro_30", "pl_30", "pl_50")] == [1.0, 1.0, 1.0, 1.0]
    assert (found["slices"]["n"], found["slices"]["anomalous"], found["slices"]["auroc"]) == (1, 1, None)


def test_toy_cases_give_the_threshold_of_dice_and_objects(folders: tuple[Path, Path], tmp_path: Path) -> None:
    write(tmp_path / "toy_labels/t.nii.gz", volume(blob(), dtype="u1"))
    toy = np.where(blob(), np.float32(0.625), np.float32(0.25))
    toy[0, 0, 0] = 0.875
    write(tmp_path / "toy/t.nii.gz", volume(toy))
    threshold = toy_threshold(tmp_path / "toy", tmp_path / "toy_labels")
    assert threshold == 0.625  # 12 of 12 found beside one false alarm
    write(folders[0] / case("lost"), volume(np.where(blob(), np.float32(0.75), np.float32(0.5))))
    write(folders[0] / case("torn"), volume(np.where(blob(), np.float32(0.5), np.float32(0.75))))
    names = ((case("lost"), case("torn")),)
    found = evaluate("pixel", *folders, deal=names, rule=ObjectRule(threshold=threshold), threshold=threshold).as_dict()
    assert found["dice_at"]["threshold"] == 0.625
    objects = found["objects"]
    assert (objects["objects"], objects["recall"]) == (5, objects["true_positives"] / 5)
    assert objects["true_positives"] >= 1
    by_case = [case["objects"] for case in found["cases"].values()]
    assert sum(case["detections"] for case in by_case) == objects["detections"]
    listed = [one for case in by_case for one in case["largest"]]
    assert sum(one["matched"] for one in listed) == objects["true_positives"]
    assert all(one["volume_mm3"] >= 1 and len(one["centre"]) == 3 for one in listed)


def test_toy_cases_without_an_anomalous_voxel_give_no_threshold(tmp_path: Path) -> None:
    write(tmp_path / "n.nii.gz", volume(np.zeros(SHAPE)))
    with pytest.raises(EvaluationError, match="no anomalous voxel"):
        toy_threshold(tmp_path, tmp_path)


def samples(tmp_path: Path, scores: dict[str, str], labels: dict[str, str]) -> tuple[Path, Path]:
    for folder, contents in (("predictions", scores), ("labels", labels)):
        (tmp_path / folder).mkdir()
        for name, content in contents.items():
            write(tmp_path / folder / f"{case(name)}.txt", content.encode())
    return tmp_path / "predictions", tmp_path / "labels"


def test_sample_task_has_one_batch_and_no_pixel_keys(tmp_path: Path) -> None:
    folders = samples(
        tmp_path, {"a": "0.9", "b": "0.8", "c": "0.1", "x": "1"}, {"a": "1", "b": "0", "c": "1", "d": "0"}
    )
    found = evaluate("sample", *folders, threshold=0.5).as_dict()
    assert (
        found["batches"] == [found["ap"]] == [pytest.approx(average_precision_score([1, 0, 1, 0], [0.9, 0.8, 0.1, 0]))]
    )
    assert found["dataset_ap"] == found["ap"]
    assert found["dice_at"] == {"threshold": 0.5, "dice": 0.5}
    assert found["cases"][case("a")]["ap"] is None
    assert found["cases"][case("a")]["score"] == 0.9
    assert (found["cases"][case("d")]["missing"], found["cases"][case("d")]["score"]) == (True, 0.0)
    assert found["ignored"] == [case("x")]
    assert not found.keys() & {"aupro_30", "pl_30", "pl_50", "pl_package_30", "slices", "validation"}


def test_sample_task_pools_the_batches_of_a_deal(tmp_path: Path) -> None:
    folders = samples(tmp_path, {"a": "0.9", "b": "0.8", "c": "0.1"}, {"a": "1", "b": "0", "c": "1"})
    found = evaluate("sample", *folders, deal=((case("b"),), (case("a"),))).as_dict()
    assert (found["batches"], found["deal"]) == ([1.0], [[case("a"), case("b")]])
    assert found["not_dealt"] == [case("c")]
    assert found["dataset_ap"] == pytest.approx(5 / 6)


def test_sample_labels_that_are_not_0_or_1_are_all_named(tmp_path: Path) -> None:
    folders = samples(tmp_path, {}, {"a": "yes", "b": "1", "c": ""})
    with pytest.raises(EvaluationError) as stopped:
        evaluate("sample", *folders)
    assert [complaint.split(":")[0] for complaint in stopped.value.complaints] == [
        "label a.nii.gz.txt",
        "label c.nii.gz.txt",
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "is not JSON"),
        (b'"a.nii.gz"', "is not a list of lists of case file names"),
        (b'["a.nii.gz"]', "is not a list of lists of case file names"),
        (b'[["a.nii.gz", 7]]', "'7' is not a case's file name"),
        (b'{"datasets": []}', "is damaged"),
    ],
)
def test_deal_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, complaint: str) -> None:
    with pytest.raises(EvaluationError, match=rf"deal\.json: .*{complaint}"):
        read_deal(write(tmp_path / "deal.json", content))


def test_challenges_own_deal_is_read_for_a_data_set(tmp_path: Path) -> None:
    brain = {"official": [["a.nii.gz"], ["b.nii.gz"]], "validation": [["b.nii.gz"], ["a.nii.gz"]]}
    content = json.dumps({"batch_size": 1, "datasets": {"brain": brain}}).encode()
    path = write(tmp_path / "deal.json", content)
    assert read_deal(path, "brain") == (("a.nii.gz",), ("b.nii.gz",))
    assert read_deal(path, "brain", task="sample") is None  # its batches are of the pixel task's cases alone
    for dataset, complaint in ((None, "name one with --dataset"), ("abdom", "abdom is none of them")):
        with pytest.raises(EvaluationError, match=f"holds the deals of brain: {complaint}"):
            read_deal(path, dataset)


def test_data_set_is_of_a_challenges_deal_alone(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="so there is no data set to name"):
        read_deal(write(tmp_path / "deal.json", b'[["a.nii.gz"]]'), "brain")


def test_deal_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"deal\.json: cannot be read"):
        read_deal(tmp_path / "deal.json")

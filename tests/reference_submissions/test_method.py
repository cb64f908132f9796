from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from reference_submissions.kit.costs import Cost, Run, measured, peak_memory_bytes
from reference_submissions.kit.detector import Preset
from reference_submissions.method import HERE, METHODS, Method
from tests.reference_submissions.conftest import SIDE, importable


def test_methods_are_found_by_name_and_by_folder(tmp_path: Path) -> None:
    assert {"constant", "intensity_distance", "pca", "random"} <= set(METHODS)
    assert "kit" not in METHODS
    assert Method.find("pca").module == "reference_submissions.pca.detector"
    assert Method.find(str(HERE / "pca")) == Method.find("pca")
    with pytest.raises(ValueError, match=r"no reference submission 'magic', and no folder with a detector\.py"):
        Method.find("magic")
    with pytest.raises(ValueError, match="no reference submission"):
        Method.find(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("from reference_submissions.pca.detector import Pca\n", "there is none"),
        (
            "from reference_submissions.pca.detector import Pca\nclass A(Pca): pass\nclass B(Pca): pass\n",
            "there is A, B",
        ),
    ],
)
def test_a_module_defines_one_detector(text: str, complaint: str, tmp_path: Path) -> None:
    folder = tmp_path / f"method_{complaint[-1].lower()}"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "detector.py").write_text(text)

    with pytest.raises(ValueError, match=complaint):
        Method.find(str(folder)).detector()


def test_of_two_folders_with_one_name_the_second_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (HERE / "constant" / "detector.py").read_text()
    for place in ("one", "other"):
        (tmp_path / place / "twice").mkdir(parents=True)
        (tmp_path / place / "twice" / "__init__.py").touch()
        (tmp_path / place / "twice" / "detector.py").write_text(text)

    with importable(tmp_path / "one", "twice", monkeypatch):
        assert Method.find(str(tmp_path / "one" / "twice")).detector().name == "constant"
        with pytest.raises(ValueError, match=r"twice is .*/one/twice to Python, not .*/other/twice: give the folder"):
            Method.find(str(tmp_path / "other" / "twice")).detector()


def test_training_writes_what_it_took_on_each_data_set(weights: Path) -> None:
    cost = Cost.load(weights / "small_torch" / "brain")

    assert cost.method == "small_torch"
    assert cost.preset is Preset.TINY
    assert cost.seed == 0
    assert cost.trainable_parameters == 4 * 9 + 4 + 4 * 9 + 1
    assert cost.training_volumes == 8
    assert tuple(cost.volume_shape) == (SIDE,) * 3
    assert cost.training_s > 0
    assert cost.predicting.volumes == 2
    assert cost.predicting.start_s > 0
    assert cost.predicting.device == "CPU"


def test_scans_that_leave_the_range_are_told_and_a_folder_without_scans_is_refused(tmp_path: Path) -> None:
    said: list[str] = []
    for number in range(5):
        voxels = np.linspace(-1000, 772, 27, dtype=np.int16).reshape(3, 3, 3)
        nib.Nifti1Image(voxels, np.eye(4)).to_filename(tmp_path / f"{number}.nii.gz")
    (tmp_path / "empty").mkdir()

    Method.find("constant").train(tmp_path, tmp_path / "w", preset=Preset.TINY, seed=0, say=said.append)
    with pytest.raises(ValueError, match=r"empty: no \*\.nii\.gz in it"):
        Method.find("constant").train(tmp_path / "empty", tmp_path / "w", preset=Preset.TINY, seed=0, say=print)

    assert said[0].startswith(f"warning: {tmp_path}/0.nii.gz lies in -1000 to 772")


def test_memory_is_that_of_predicting_alone(weights: Path) -> None:
    """A process of numpy's and nibabel's, whatever the one that trained has held."""
    ballast = bytearray(400 * 2**20)
    held = Cost.load(weights / "pca" / "brain").predicting.memory_bytes

    assert 20 * 2**20 < held < 250 * 2**20
    assert peak_memory_bytes() > len(ballast)


def test_a_method_that_cannot_predict_is_told_with_its_traceback(weights: Path, training: Path) -> None:
    scans = sorted((training / "brain").iterdir())[:1]

    with pytest.raises(ChildProcessError, match=r"(?s)pca\.detector ended with 1.*FileNotFoundError"):
        measured("reference_submissions.pca.detector", weights / "constant", scans, roots=[str(HERE.parent)])


def test_too_few_scans_are_refused_with_the_folder(tmp_path: Path) -> None:
    nib.Nifti1Image(np.zeros((3, 3, 3), dtype=np.float32), np.eye(4)).to_filename(tmp_path / "0.nii.gz")

    with pytest.raises(ValueError, match=rf"pca, {tmp_path}: 1 normal volumes"):
        Method.find("pca").train(tmp_path, tmp_path / "w", preset=Preset.TINY, seed=0, say=str)
    assert not Method.find("pca").is_trained(tmp_path / "w")


def test_what_a_run_took_is_a_sentence() -> None:
    run = Run(volumes=4, start_s=1.25, volume_s=0.5, memory_bytes=70_000_000, device="Tesla", gpu_bytes=2_000_000)

    assert run.sentence() == "4 volumes: start 1.2 s, 0.50 s a volume, 70 MB, 2 MB of the GPU's (Tesla)"

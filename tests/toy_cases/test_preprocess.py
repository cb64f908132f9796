from itertools import permutations, product

import numpy as np
import numpy.typing as npt
import pytest
from nibabel.affines import apply_affine
from scipy import ndimage

from toy_cases.preprocess import (
    MARGIN,
    Modality,
    Scan,
    Voxels,
    examine,
    frame_of,
    grid_of,
    oriented,
    prepare,
    resampled,
    windowed,
)

Array = npt.NDArray[np.float32]
AFFINE = np.diag([2.0, 3.0, 2.5, 1])
SIZE = 20


def lopsided() -> Array:
    """Give a head-like box, x right, y front, z up, brighter on the right, at the front and on top."""
    x, y, z = np.ogrid[:20, :24, :16]
    return np.pad(100 + 4 * x + 2 * y + 1 * z, 3).astype(np.float32)


def scan_of(array: Array, affine: npt.NDArray[np.float64] = AFFINE, **told: object) -> Scan:
    modality, window = told.get("modality"), told.get("window")
    assert modality is None or isinstance(modality, Modality)
    assert window is None or isinstance(window, tuple)
    return prepare(oriented("scan", array, affine), SIZE, modality=modality, window=window)


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
def test_all_48_ways_of_storing_a_volume_give_the_same(axes: tuple[int, ...], signs: tuple[int, ...]) -> None:
    array = lopsided()
    stored = np.transpose(array, axes)[tuple(slice(None, None, sign) for sign in signs)]
    affine = np.eye(4)
    affine[:3, :3] = 0
    for voxel_axis, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[axis, voxel_axis] = sign * AFFINE[axis, axis]
        affine[axis, 3] = 0 if sign > 0 else (array.shape[axis] - 1) * AFFINE[axis, axis]

    scan, expected = scan_of(stored, affine), scan_of(array)

    assert np.array_equal(scan.volume, expected.volume)
    np.testing.assert_allclose(scan.affine, expected.affine, atol=1e-9)


def test_a_tilted_scan_keeps_its_tilt_in_the_affine() -> None:
    c, s = np.cos(0.3), np.sin(0.3)
    turn = np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])

    scan = scan_of(lopsided(), turn @ AFFINE)

    assert np.array_equal(scan.volume, scan_of(lopsided()).volume)
    np.testing.assert_allclose(scan.affine, turn @ scan_of(lopsided()).affine, atol=1e-9)


def test_the_grids_affine_leads_each_voxel_back() -> None:
    array = ndimage.gaussian_filter(lopsided(), 1) / np.float32(250)
    voxels = oriented("scan", array, AFFINE)
    frame = frame_of(voxels, examine(voxels).box, 64)
    places = np.argwhere(np.ones((10, 10, 10))) * 2 + 22  # well inside

    volume = resampled(array[frame.box], frame)

    back = apply_affine(np.linalg.inv(AFFINE) @ frame.affine, places)
    expected = ndimage.map_coordinates(array, back.T, order=1)
    np.testing.assert_allclose(volume[tuple(places.T)], expected, atol=1e-5)


def test_a_box_is_filled_as_far_as_the_aspect_allows() -> None:
    scan = prepare(oriented("scan", lopsided(), AFFINE), (20, 40, 30))

    assert scan.volume.shape == (20, 40, 30)
    sides_mm = np.array([20, 24, 16]) * np.diag(AFFINE)[:3]
    voxel_mm = ((sides_mm + 2 * MARGIN * sides_mm.max()) / (20, 40, 30)).max()
    np.testing.assert_allclose(np.linalg.norm(scan.affine[:3, :3], axis=0), voxel_mm)


@pytest.mark.parametrize("size", [4, (20, 20, 4), (20, 20)])
def test_a_grid_must_be_a_volume(size: int | tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="three sides of 8 or more are needed"):
        grid_of(size)


def test_noise_and_specks_round_a_body_are_cropped() -> None:
    rng = np.random.default_rng(0)
    array = np.abs(rng.normal(0, 4, (90, 90, 90))).astype(np.float32)
    array[30:60, 32:62, 34:64] = 200
    array[3:5, 3:5, 3:5] = 200

    box = examine(Voxels(name="scan", array=array, affine=AFFINE)).box

    assert [(part.start, part.stop) for part in box] == [(30, 60), (32, 62), (34, 64)]


def test_a_dark_rim_is_kept() -> None:
    array = np.zeros((60, 60, 60), dtype=np.float32)
    array[10:50, 10:50, 10:50] = 5
    array[12:48, 12:48, 12:48] = 100

    volume = prepare(oriented("scan", array, AFFINE), 64).volume

    assert np.any((volume > 0.04) & (volume < 0.06))


def test_a_window_can_be_told() -> None:
    scan = scan_of(lopsided(), window=(0.0, 1000.0))

    assert scan.window == (0, 1000)
    assert scan.volume.max() == pytest.approx(lopsided().max() / 1000, rel=0.05)


def test_windowing_clips() -> None:
    hu = np.array([-2000, -1000, 0, 1000, 3000], dtype=np.float32)

    assert windowed(hu, (-1000, 1000)).tolist() == [0, 0, 0.5, 1, 1]


def test_the_input_is_left_as_it_was() -> None:
    array = lopsided()
    scan_of(array)
    assert np.array_equal(array, lopsided())


def speckle(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(1).uniform(0, 100, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("array", "affine", "complaint"),
    [
        (np.full((20, 20, 20), 7, np.float32), AFFINE, r"every voxel is 7\.0"),
        (np.where(lopsided() > 150, 1, 0), AFFINE, r"holds 0 and 1 alone: a mask, not a scan"),
        (-lopsided() / 100, AFFINE, "no voxel is above 0"),
        (np.where(lopsided() > 200, np.inf, lopsided()), AFFINE, "voxels are not finite"),
        (speckle((30, 30, 30)), AFFINE, "no body found: neighbouring voxels have no more in common than in noise"),
        (np.pad(lopsided()[:, :, :5], ((0, 0), (0, 0), (8, 8))), AFFINE, "no body found: only 2 slices along axis 2"),
        (lopsided(), AFFINE / 1000, r"0\.04 × 0\.072 × 0\.04 mm.*are the voxel sizes in mm\?"),
        (lopsided(), np.diag([1000.0, 1000, 1000, 1]), r"2e\+04 × 2\.4e\+04 × 1\.6e\+04 mm.*are the voxel sizes in mm"),
        (lopsided(), np.diag([1.0, 1, 0, 1]), "its affine is not invertible"),
        (lopsided(), AFFINE * np.nan, "its affine is not invertible"),
        (lopsided()[:, :, :4], AFFINE, "is not one 3D volume"),
    ],
)
def test_what_is_no_scan_is_refused(array: Array, affine: npt.NDArray[np.float64], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^scan: .*{complaint}"):
        scan_of(array, affine)


def test_ct_without_its_intercept_is_refused() -> None:
    stored = np.zeros((30, 30, 30), dtype=np.float32)
    stored[4:26, 4:26, 4:26] = 1060  # soft tissue, 1024 too high
    stored[10:20, 10:20, 10:20] = 1500

    with pytest.raises(ValueError, match="is not CT in HU"):
        scan_of(stored, modality=Modality.CT)


def test_a_window_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="a window from 5 to 5 leaves nothing to see"):
        scan_of(lopsided(), window=(5, 5))


def test_a_header_and_a_recipe_must_agree() -> None:
    voxels = oriented("scan", lopsided(), AFFINE, Modality.MR)

    assert examine(voxels).modality is Modality.MR
    with pytest.raises(ValueError, match="is mr by its header, but was told to be ct"):
        examine(voxels, modality=Modality.CT)

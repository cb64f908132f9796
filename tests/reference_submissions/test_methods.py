import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from reference_submissions.constant.workspace import predict as constant
from reference_submissions.intensity_distance.workspace import predict as intensity
from reference_submissions.kit import Array, Call
from reference_submissions.pca import train
from reference_submissions.pca.workspace import predict as pca
from toy_cases import anomalies
from toy_cases.phantoms import PHANTOMS

SIDE = 32


def scan(dataset: str, seed: int) -> Array:
    return PHANTOMS[dataset](SIDE, np.random.default_rng([99, seed]))


@pytest.fixture(scope="module", params=["brain", "abdom"])
def fitted(request: pytest.FixtureRequest) -> tuple[str, pca.Weights]:
    normal = [pca.normalised(scan(request.param, seed), 16) for seed in range(28)]
    return request.param, train.fit_scans(np.stack(normal))


def test_constant_says_one_half() -> None:
    model = constant.model_of(Call.parse(["sample", "brain", ".", "."]))

    assert model(scan("brain", 0)) == model(scan("brain", 1)) == 0.5


def test_intensity_distance_by_hand() -> None:
    volume = np.array([[[0.0, 0.005, 0.01, 0.25, 0.5, 0.75, 1.0]]], dtype=np.float32)

    assert intensity.distance(volume).ravel() == pytest.approx([0, 0, 0.49, 0.25, 0, 0.25, 0.5])
    sample = intensity.model_of(Call.parse(["sample", "brain", ".", "."]))
    assert sample(volume) == pytest.approx(1.49 / 7)


def test_averaging_and_interpolation_by_hand() -> None:
    np.testing.assert_allclose(pca.averaging(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(pca.averaging(3, 2), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]], atol=1e-6)
    np.testing.assert_allclose(pca.interpolation(2, 4) * 4, [[4, 0], [3, 1], [1, 3], [0, 4]])


def test_smoothing_keeps_a_flat_grid_flat() -> None:
    np.testing.assert_allclose(pca.smoothing(9).sum(axis=1), 1, rtol=1e-6)


def test_what_the_components_span_leaves_nothing() -> None:
    rng = np.random.default_rng(0)
    rows = np.linalg.qr(rng.standard_normal((64, 3)))[0].T.astype(np.float32)
    flat = np.zeros((4, 4, 4), np.float32)

    inside = (rng.standard_normal(3).astype(np.float32) @ rows).reshape(4, 4, 4)

    assert np.abs(pca.left_over(flat, flat + 1, rows, inside)).max() < 1e-5


def test_scores_rise_with_the_residual_and_stay_below_1() -> None:
    values = np.array([0, 0.1, 1, 4, 100, 1e6], dtype=np.float32)

    squashed = np.asarray(pca.squashed(values, 4.0))

    assert np.all(np.diff(squashed) > 0)
    assert squashed[3] == 0.5
    assert squashed.max() <= 1


def test_pca_finds_spheres_in_scans_it_has_not_seen(fitted: tuple[str, pca.Weights]) -> None:
    dataset, weights = fitted
    of_scan, of_voxels = (pca.scorer(weights, task) for task in ("sample", "pixel"))
    scores, labels, voxels, masks = [], [], [], []
    for seed in range(100, 124):
        volume, mask = scan(dataset, seed), np.zeros((SIDE,) * 3, dtype=bool)
        if seed % 2:
            made = anomalies.sphere(volume, np.random.default_rng(seed))
            volume, mask = made.volume, made.mask
        scores.append(of_scan(volume))
        labels.append(seed % 2)
        voxels.append(np.asarray(of_voxels(volume)).ravel())
        masks.append(mask.ravel())

    prevalence = np.mean(masks)
    assert average_precision_score(labels, scores) > 0.6  # a constant has 0.5
    assert average_precision_score(np.concatenate(masks), np.concatenate(voxels)) > 15 * prevalence


def test_a_normal_scan_scores_about_one_half(fitted: tuple[str, pca.Weights]) -> None:
    dataset, weights = fitted

    scores = [float(pca.scorer(weights, "sample")(scan(dataset, seed))) for seed in range(200, 206)]

    assert 0.35 < np.median(scores) < 0.65


def test_weights_survive_the_disk_and_are_small(
    fitted: tuple[str, pca.Weights], tmp_path_factory: pytest.TempPathFactory
) -> None:
    dataset, weights = fitted
    path = tmp_path_factory.mktemp("weights") / "w.npz"

    weights.write(path)
    again = pca.Weights.read(path)

    volume = scan(dataset, 300)
    assert path.stat().st_size < 2**20
    assert pca.scorer(again, "sample")(volume) == pytest.approx(pca.scorer(weights, "sample")(volume), abs=1e-2)


def test_an_empty_scan_has_a_finite_score(fitted: tuple[str, pca.Weights]) -> None:
    _, weights = fitted
    empty = np.zeros((SIDE,) * 3, dtype=np.float32)

    assert np.isfinite(pca.scorer(weights, "sample")(empty))
    assert np.isfinite(pca.scorer(weights, "pixel")(empty)).all()


def test_another_size_than_the_training_scans_will_do(fitted: tuple[str, pca.Weights]) -> None:
    dataset, weights = fitted
    large = PHANTOMS[dataset](45, np.random.default_rng([99, 400]))

    scores = np.asarray(pca.scorer(weights, "pixel")(large))

    assert scores.shape == (45, 45, 45)
    assert np.median(scores) < 0.3

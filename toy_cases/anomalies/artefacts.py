"""MR artefacts from TorchIO (Pérez-García et al. 2021, Comput Methods Programs Biomed 208:106236).

Loaded only when asked for: it imports torch, which the extra `toy` brings. Every parameter comes from the
generator, and TorchIO's deterministic transforms are used, never its Random ones; torch works in one thread
meanwhile, so the bytes depend on neither. Transforms in k-space hold several complex volumes: a process that
draws them comes to 1.8 GB at 256³.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
import torchio
from scipy import ndimage

from toy_cases.anomalies import warps
from toy_cases.anomalies.alterations import FLOOR as STRONG
from toy_cases.anomalies.base import Array, Category, Mask
from toy_cases.anomalies.corruptions import FLOOR as MILD
from toy_cases.anomalies.destructions import FLOOR as FATAL
from toy_cases.anomalies.spoiling import BOTH, MR, Parameters, global_kind
from toy_cases.body import body_side

EXTRA = "toy"
FIELD_GRID = 32  # a bias field is a polynomial of low order: it is drawn on so many voxels a side
DEFORMATION_GRID = 32  # and the places that a deformation pulls from on so many
ORDER = 3  # of that polynomial
TERMS = 20  # it has so many coefficients
KNOTS = 11  # control points of a deformation along each side
FIXED = 3  # of them at each end: the border stays where it is


def elastic(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Bend the body smoothly at every place.

    B-spline free-form deformation (Rueckert et al. 1999, IEEE TMI 18:712), TorchIO's ElasticDeformation.
    """
    size = float(rng.uniform(0.04, 0.06)) * body_side(body)
    knots = rng.uniform(-1, 1, (KNOTS, KNOTS, KNOTS, 3))
    for axis in range(3):
        np.moveaxis(knots, axis, 0)[:FIXED] = 0
        np.moveaxis(knots, axis, 0)[-FIXED:] = 0
    # Coordinates are deformed on a coarse grid, and then the volume by them: at 256³ in a tenth of the time.
    cells = np.array([DEFORMATION_GRID / side for side in normal.shape])
    transform = torchio.ElasticDeformation(control_points=knots * size * cells, max_displacement=tuple(size * cells))
    ramps = np.indices((DEFORMATION_GRID,) * 3, dtype=np.float32)
    offsets = [(_applied(transform, ramp) - ramp) / np.float32(cell) for ramp, cell in zip(ramps, cells, strict=True)]
    return warps.warp(normal, warps.drifting(offsets, normal.shape)), {"displacement_voxels": round(size, 2)}


def biased(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Shade the scan smoothly.

    An uneven field (Van Leemput et al. 1999, IEEE TMI 18:885; Sudre et al. 2017), TorchIO's BiasField.
    """
    return _shaded(normal, float(rng.uniform(0.10, 0.18)), 50, body, rng)


def badly_biased(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Shade the scan until half of it is dark.

    An uneven field (Van Leemput et al. 1999, IEEE TMI 18:885; Sudre et al. 2017), TorchIO's BiasField.
    """
    return _shaded(normal, float(rng.uniform(0.7, 1.1)), 90, body, rng)


def moved(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Let the patient move once, a little, near the end of the scan.

    Motion in k-space (Shaw et al. 2019, MIDL, PMLR 102:427), TorchIO's Motion.
    """
    return _moving(normal, body, rng, times=[float(rng.uniform(0.55, 0.7))], degrees=2.5, shift=0.02)


def badly_moved(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Let the patient move a lot, twice.

    Motion in k-space (Shaw et al. 2019, MIDL, PMLR 102:427), TorchIO's Motion.
    """
    times = [float(rng.uniform(0.38, 0.47)), float(rng.uniform(0.53, 0.62))]
    return _moving(normal, body, rng, times=times, degrees=15, shift=0.1)


def ghosted(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Lay faint copies of the body over it.

    Breathing and pulsation along the phase-encoding axis (Axel et al. 1986, Radiology 160:795), TorchIO's Ghosting.
    """
    return _ghosts(normal, float(rng.uniform(0.25, 0.40)), 0.02, rng)


def badly_ghosted(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001
    """Lay strong copies of the body over it and the air.

    Breathing and pulsation along the phase-encoding axis (Axel et al. 1986, Radiology 160:795), TorchIO's Ghosting.
    """
    return _ghosts(normal, float(rng.uniform(0.9, 1.4)), None, rng)


def spiked(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Cover the scan with stripes.

    Sparks while k-space is read: the herringbone artefact (Heiland 2008, Clin Neuroradiol 18:25), TorchIO's Spike.
    """
    count = int(rng.integers(1, 4))
    size = float(rng.uniform(1.2, 2.5)) / count
    # Near the middle of k-space, as stripes finer than some voxels are lost in the grain.
    offsets = rng.uniform(0.03, 0.15, (count, 3)) * rng.choice([-1, 1], (count, 3))
    volume = _applied(torchio.Spike(spikes_positions=0.5 + offsets, intensity=size), normal)
    return volume, {"spikes": count, "strength": round(size, 4)}


def _shaded(normal: Array, size: float, level: float, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Multiply by a field whose percentile `level` over the body is 1, as a reader of MR windows what is bright."""
    coefficients = rng.uniform(-size, size, TERMS)
    coefficients[0] = 0  # the constant term would only scale
    field = torchio.BiasField(coefficients=coefficients.tolist(), order=ORDER)
    coarse = _applied(field, np.ones((FIELD_GRID,) * 3, dtype=np.float32))
    volume = _enlarged(coarse, normal.shape)
    few = (slice(None, None, max(1, min(normal.shape) // FIELD_GRID)),) * 3
    volume /= np.float32(np.percentile(volume[few][body[few]] if body[few].any() else coarse, level))
    volume *= normal
    return volume, {"coefficients": round(size, 4)}


def _moving(
    normal: Array, body: Mask, rng: np.random.Generator, *, times: list[float], degrees: float, shift: float
) -> tuple[Array, Parameters]:
    """Move at each of `times` (0 to 1) by up to `degrees` and up to `shift` of the body's side."""
    turns = rng.uniform(0.5, 1, (len(times), 3)) * rng.choice([-1, 1], (len(times), 3)) * degrees
    shifts = rng.uniform(0.5, 1, (len(times), 3)) * rng.choice([-1, 1], (len(times), 3)) * shift * body_side(body)
    transform = torchio.Motion(degrees=turns, translation=shifts, times=np.asarray(times), image_interpolation="linear")
    return _applied(transform, normal), {
        "times": " ".join(f"{time:.3f}" for time in times),
        "degrees": round(float(np.abs(turns).max()), 2),
        "shift_voxels": round(float(np.abs(shifts).max()), 2),
    }


def _ghosts(
    normal: Array, strength: float, restore: float | None, rng: np.random.Generator
) -> tuple[Array, Parameters]:
    """Weaken every so many planes of k-space but the share `restore` at its middle, or but the middle one."""
    count, axis = int(rng.integers(3, 8)), int(rng.integers(3))
    transform = torchio.Ghosting(num_ghosts=count, axis=axis, intensity=strength, restore=restore)
    return _applied(transform, normal), {"ghosts": count, "axis": axis, "strength": round(strength, 4)}


def _applied(transform: torchio.Transform, volume: Array) -> Array:
    """Transform a volume of voxels taken as 1 mm wide; gives a new array.

    TorchIO draws from torch's own generator whether to act at all, so that one is put back.
    """
    image = torchio.ScalarImage(tensor=torch.from_numpy(volume[None].copy()), affine=np.eye(4))
    with _one_thread(), torch.random.fork_rng(devices=[]):
        changed = transform(image)
    return np.array(changed.data[0].numpy(), dtype=np.float32)


@contextmanager
def _one_thread() -> Iterator[None]:
    """How sums are split over threads may show in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _enlarged(coarse: Array, shape: tuple[int, ...]) -> Array:
    steps = [c / side for c, side in zip(coarse.shape, shape, strict=True)]
    enlarged = np.empty(shape, dtype=np.float32)
    ndimage.affine_transform(
        coarse, np.asarray(steps), [step / 2 - 0.5 for step in steps], output=enlarged, order=1, mode="nearest"
    )
    return enlarged


_mr = partial(global_kind, modalities=MR, needs=EXTRA)
KINDS = (
    _mr(Category.CORRUPTIONS, "elastic", elastic, difficulty=1, floor=MILD, everywhere=True, modalities=BOTH),
    _mr(Category.CORRUPTIONS, "bias field", biased, difficulty=2, floor=MILD),
    _mr(Category.CORRUPTIONS, "motion", moved, difficulty=1, floor=MILD),
    _mr(Category.CORRUPTIONS, "ghosting", ghosted, difficulty=1, floor=MILD),
    _mr(Category.ALTERATIONS, "bias field", badly_biased, difficulty=4, floor=STRONG),
    _mr(Category.ALTERATIONS, "motion", badly_moved, difficulty=3, floor=STRONG),
    _mr(Category.ALTERATIONS, "ghosting", badly_ghosted, difficulty=4, floor=STRONG, everywhere=True),
    _mr(Category.DESTRUCTIONS, "spikes", spiked, difficulty=4, floor=FATAL, everywhere=True),
)

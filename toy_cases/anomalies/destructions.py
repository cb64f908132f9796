"""The strongest global anomalies: what was done to the scan has made it invalid."""

import numpy as np

from toy_cases.anomalies.base import Array, Category, Mask, NoPlaceError
from toy_cases.anomalies.spoiling import MR, Frame, Parameters, global_kind, in_slabs, slabs
from toy_cases.body import body_side

FLOOR = 0.01  # mean absolute change over the body
FULL_SCALE = 4095  # of a 12-bit scanner


def missing_slices(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Leave out neighbouring slices.

    The published example of a destruction: omitting slices (Zimmerer et al. 2022).
    """
    axis = int(rng.integers(3))
    gone = Frame.of(body).run(rng, axis, 0.06, 0.15)
    volume = normal.copy()
    np.moveaxis(volume, axis, 0)[gone] = 0
    return volume, {"axis": axis, "slices": gone.stop - gone.start}


def repeated_slices(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Show one slice again and again in place of those that follow it.

    A reader that stood still, or a duplicated instance number in a DICOM series.
    """
    axis = int(rng.integers(3))
    same = Frame.of(body).run(rng, axis, 0.15, 0.30)
    volume = normal.copy()
    turned = np.moveaxis(volume, axis, 0)
    turned[same] = turned[same.start]
    return volume, {"axis": axis, "slices": same.stop - same.start}


def shuffled_slices(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Put neighbouring slices into any order.

    A DICOM series sorted by file name; shuffled order is also a pretext task of Zhuang et al. 2019 (Rubik's cube).
    """
    axis = int(rng.integers(3))
    mixed = Frame.of(body).run(rng, axis, 0.4, 1.0)
    volume = normal.copy()
    turned = np.moveaxis(volume, axis, 0)
    turned[mixed] = turned[mixed.start + rng.permutation(mixed.stop - mixed.start)]
    return volume, {"axis": axis, "slices": mixed.stop - mixed.start}


def lost_slices(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Leave every second or third slice empty.

    One of the interleaved parts of a multi-slice acquisition lost.
    """
    axis, every = int(rng.integers(3)), int(rng.integers(2, 4))
    thick = max(1, round(0.012 * body_side(body)))
    at = np.arange(normal.shape[axis]) // thick % every == int(rng.integers(every))
    volume = normal.copy()
    np.moveaxis(volume, axis, 0)[at] = 0
    return volume, {"axis": axis, "every": every, "thick_voxels": thick}


def slipped_slices(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Shift each slice by itself.

    Positions of slices misread: the body falls apart like a pack of cards.
    """
    axis, thick = int(rng.integers(3)), max(1, round(0.015 * body_side(body)))
    reach = float(rng.uniform(0.05, 0.10)) * body_side(body)
    volume = np.zeros_like(normal)
    before, after = np.moveaxis(normal, axis, 0), np.moveaxis(volume, axis, 0)
    for start in range(0, before.shape[0], thick):
        down, right = (int(s) for s in np.rint(rng.uniform(-reach, reach, 2)))
        _place(before[start : start + thick], after[start : start + thick], down, right)
    return volume, {"axis": axis, "reach_voxels": round(reach, 2)}


def half_empty(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Leave about half of the body empty.

    A transfer that broke off half way.
    """
    frame, axis = Frame.of(body), int(rng.integers(3))
    at = round(frame.first[axis] + frame.sides[axis] * float(rng.uniform(0.4, 0.6)))
    upper = bool(rng.integers(2))
    volume = normal.copy()
    np.moveaxis(volume, axis, 0)[slice(at, None) if upper else slice(at)] = 0
    return volume, {"axis": axis, "gone": "upper" if upper else "lower"}


def swapped_octants(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Let the eight corners of the body's box change places.

    An inverse Fourier transform whose halves were not shifted back, or blocks of a file in the wrong order.
    """
    frame = Frame.of(body)
    return _blocks(normal, frame, 2, rng), {"blocks": 2}


def shuffled_blocks(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Cut the body into small cubes and put them into any order.

    The jigsaw of self-supervised learning (Noroozi and Favaro 2016), for what it leaves of an image.
    """
    blocks = int(rng.integers(3, 6))
    return _blocks(normal, Frame.of(body), blocks, rng), {"blocks": blocks}


def chequered(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Leave every other cube of a chequerboard empty.

    Blocks of a compressed file lost; a regular form of cutout (DeVries and Taylor 2017).
    """
    cell = max(2, round(float(rng.uniform(0.08, 0.2)) * body_side(body)))
    x, y, z = (np.arange(int(rng.integers(cell)), side + cell)[:side] // cell for side in normal.shape)
    volume = normal.copy()
    for part in slabs(normal.shape):
        volume[part][(x[part, None, None] + y[:, None] + z) % 2 == 0] = 0
    return volume, {"cell_voxels": cell}


def salted(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Make voxels white or black at random.

    Impulse noise of a bad line (Hendrycks and Dietterich 2019, severity 4 to 5).
    """
    share = float(rng.uniform(0.08, 0.25))

    def peppered(part: Array) -> Array:
        drawn = rng.random(part.shape, dtype=np.float32)
        return np.where(drawn < share / 2, np.float32(0), np.where(drawn < share, np.float32(1), part))

    return in_slabs(normal, peppered), {"share": round(share, 4)}


def overflown(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Let bright voxels start again from black.

    Integer overflow: values too large for the bits they were stored in.
    """
    factor = float(rng.uniform(1.8, 3.5))
    return in_slabs(normal, lambda part: (part * np.float32(factor)) % np.float32(1)), {"factor": round(factor, 3)}


def byte_swapped(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:  # noqa: ARG001  all over
    """Read the two bytes of each voxel in the wrong order.

    Big-endian voxels taken for little-endian ones; NIfTI and DICOM know both.
    """
    scale = int(rng.integers(FULL_SCALE // 2, FULL_SCALE + 1))

    def swapped(part: Array) -> Array:
        stored = (part * scale).astype(np.uint16)
        return stored.byteswap().astype(np.float32) / np.float32(np.iinfo(np.uint16).max)

    return in_slabs(normal, swapped), {"full_scale": scale}


def folded_over(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Lay what lies beyond a too small field of view over its other side.

    Aliasing along the phase-encoding axis (Heiland 2008, Clin Neuroradiol 18:25, wrap-around).
    """
    frame, axis = Frame.of(body), int(rng.integers(3))
    field = max(2, round(2 * frame.reach[axis] * float(rng.uniform(0.5, 0.75))))
    first = round(frame.centre[axis] - field / 2)
    volume = np.zeros_like(normal)
    before, after = np.moveaxis(normal, axis, 0), np.moveaxis(volume, axis, 0)
    for position in range(before.shape[0]):
        after[first + (position - first) % field] += before[position]
    return volume, {"axis": axis, "field_voxels": field}


def zippered(normal: Array, body: Mask, rng: np.random.Generator) -> tuple[Array, Parameters]:
    """Draw dotted lines through the scan.

    A radio-frequency leak: lines of single frequencies in k-space (Heiland 2008, Clin Neuroradiol 18:25, zipper).
    """
    frame, axis = Frame.of(body), int(rng.integers(3))
    count, thick = int(rng.integers(3, 7)), max(1, round(0.012 * body_side(body)))
    volume = normal.copy()
    turned = np.moveaxis(volume, axis, 0)
    for at in rng.integers(frame.first[axis], frame.first[axis] + frame.sides[axis], count):
        line = turned[at : at + thick]
        line[:] = rng.integers(0, 2, line.shape, dtype=np.int8)
    return volume, {"axis": axis, "lines": count, "thick_voxels": thick}


def _place(before: Array, after: Array, down: int, right: int) -> None:
    """Write one shifted; what leaves is lost."""
    rows, columns = before.shape[1:]
    if abs(down) >= rows or abs(right) >= columns:
        return
    after[:, max(down, 0) : rows + min(down, 0), max(right, 0) : columns + min(right, 0)] = before[
        :, max(-down, 0) : rows + min(-down, 0), max(-right, 0) : columns + min(-right, 0)
    ]


def _blocks(normal: Array, frame: Frame, count: int, rng: np.random.Generator) -> Array:
    """Cut the body's box into count³ blocks of one size and put each somewhere else."""
    sides = [side // count for side in frame.sides]
    if min(sides) == 0:
        raise NoPlaceError(f"a body of {frame.sides} voxels cannot be cut into {count} blocks a side")
    corners = [
        tuple(slice(f + i * s, f + (i + 1) * s) for f, i, s in zip(frame.first, index, sides, strict=True))
        for index in np.ndindex((count,) * 3)
    ]
    volume = normal.copy()
    for to, source in enumerate(rng.permutation(len(corners))):
        volume[corners[to]] = normal[corners[int(source)]]
    return volume


KINDS = (
    global_kind(Category.DESTRUCTIONS, "missing slices", missing_slices, difficulty=4, floor=FLOOR, everywhere=True),
    global_kind(
        Category.DESTRUCTIONS, "repeated slices", repeated_slices, difficulty=4, floor=FLOOR / 2, everywhere=True
    ),
    global_kind(Category.DESTRUCTIONS, "shuffled slices", shuffled_slices, difficulty=5, floor=FLOOR, everywhere=True),
    global_kind(
        Category.DESTRUCTIONS, "interleaved slices lost", lost_slices, difficulty=4, floor=FLOOR, everywhere=True
    ),
    global_kind(Category.DESTRUCTIONS, "slipped slices", slipped_slices, difficulty=4, floor=FLOOR, everywhere=True),
    global_kind(Category.DESTRUCTIONS, "half empty", half_empty, difficulty=5, floor=FLOOR, everywhere=True),
    global_kind(Category.DESTRUCTIONS, "swapped octants", swapped_octants, difficulty=5, floor=FLOOR, everywhere=True),
    global_kind(Category.DESTRUCTIONS, "shuffled blocks", shuffled_blocks, difficulty=5, floor=FLOOR, everywhere=True),
    global_kind(Category.DESTRUCTIONS, "chequered", chequered, difficulty=4, floor=FLOOR, everywhere=True),
    global_kind(Category.DESTRUCTIONS, "salt and pepper", salted, difficulty=4, floor=FLOOR),
    global_kind(Category.DESTRUCTIONS, "overflown", overflown, difficulty=5, floor=FLOOR),
    global_kind(Category.DESTRUCTIONS, "byte-swapped", byte_swapped, difficulty=5, floor=FLOOR),
    global_kind(
        Category.DESTRUCTIONS, "folded over", folded_over, difficulty=5, floor=FLOOR, everywhere=True, modalities=MR
    ),
    global_kind(Category.DESTRUCTIONS, "zippered", zippered, difficulty=5, floor=FLOOR, everywhere=True, modalities=MR),
)

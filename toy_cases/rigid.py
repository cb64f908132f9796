"""Small rigid moves: another scan of the same person, as it were."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[np.float32]
MAX_TURN_DEGREES = 6.0  # about each axis
MAX_SHIFT = 0.03  # of the side


def move(volume: Array, rng: np.random.Generator) -> Array:
    """Turn and shift a volume a little about its centre, linearly interpolated; what enters is 0."""
    turn = rotation(np.deg2rad(rng.uniform(-MAX_TURN_DEGREES, MAX_TURN_DEGREES, 3)))
    shift = rng.uniform(-MAX_SHIFT, MAX_SHIFT, 3) * volume.shape
    centre = (np.array(volume.shape) - 1) / 2
    offset = centre - turn @ (centre + shift)
    moved = np.empty_like(volume)
    ndimage.affine_transform(volume, turn, offset, output=moved, order=1, mode="constant", cval=0.0)
    return moved


def rotation(angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The rotation matrix of three angles in radians about x, y and z."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z)

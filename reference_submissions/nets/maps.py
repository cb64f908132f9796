"""From coarse maps of a volume's slices to a score for each voxel. Needs numpy alone."""

import numpy as np
import numpy.typing as npt

from reference_submissions.kit.detector import Array
from reference_submissions.kit.slices import along_axes, gaussian, stacked

BODY = 0.01  # darker voxels are background
SMOOTHING = 4 / 224  # of an axis, standard deviation of the Gaussian: PaDiM's and PatchCore's 4 pixels of 224


def smooth(maps: Array) -> Array:
    """Smooth maps (n, h, w) along all three axes, which are all taken to be of one length in millimetres."""
    return along_axes(maps, [gaussian(length, SMOOTHING * length) for length in maps.shape])


def to_voxels(maps: Array, volume: Array) -> Array:
    """Maps (n, h, w), at least 0, interpolated to the volume's shape; 0 outside the body."""
    voxels = stacked(maps, volume.shape)
    voxels *= hull(volume)
    return voxels


def hull(volume: Array) -> npt.NDArray[np.bool_]:
    """Voxels that have body on both sides, or are body, along each axis.

    A dark anomaly inside a body is kept, what coarse maps smear into the air is not.
    """
    body = (volume > BODY).view(np.uint8)  # whose highest so far is found faster than that of truth values
    inside = np.ones_like(body)
    for axis in range(body.ndim):
        inside &= np.maximum.accumulate(body, axis=axis)
        inside &= np.flip(np.maximum.accumulate(np.flip(body, axis), axis=axis), axis)
    return inside.view(np.bool_)

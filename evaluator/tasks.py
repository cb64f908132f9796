"""The two tasks of a challenge, as folders, files and reports name them."""

from typing import Final

SAMPLE: Final = "sample"  # one score a case
PIXEL: Final = "pixel"  # one score a voxel
TASKS: Final = (SAMPLE, PIXEL)

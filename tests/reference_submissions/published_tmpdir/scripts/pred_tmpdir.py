"""Scores brightness, by way of temporary files: TMPDIR is the output folder, and some of them stay there."""

import argparse
import array
import gzip
import shutil
import struct
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Unpack each scan to a temporary file, which is left behind, and score it from there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-i", type=Path, required=True)
    parser.add_argument("-o", type=Path, required=True)
    parser.add_argument("-mode", choices=("sample", "pixel"), required=True)
    arguments = parser.parse_args()
    if Path(tempfile.gettempdir()) != arguments.o:
        sys.exit(f"temporary files go to {tempfile.gettempdir()}, not to {arguments.o}")
    for path in sorted(arguments.i.glob("*.nii.gz")):
        with gzip.open(path, "rb") as packed, tempfile.NamedTemporaryFile(suffix=".nii", delete=False) as scan:
            shutil.copyfileobj(packed, scan)
        content = Path(scan.name).read_bytes()
        offset = int(struct.unpack_from("<f", content, 108)[0])
        if arguments.mode == "pixel":  # an intensity in [0, 1] is a score
            with tempfile.TemporaryFile() as scores, gzip.open(arguments.o / path.name, "wb", 1) as packed:
                scores.write(content)
                scores.seek(0)
                shutil.copyfileobj(scores, packed)
        else:
            voxels = array.array("f", content[offset:])
            (arguments.o / f"{path.name}.txt").write_text(f"{sum(voxels) / len(voxels)}\n")


if __name__ == "__main__":
    main()

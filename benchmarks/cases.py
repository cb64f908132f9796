"""Cases a minute, beside the floor: the time that writing the same volumes and labels takes.

The same plan is built from nothing; then the volumes that were made are written again, in one process, and
nothing else is done. Both read no scan from disk: phantoms are drawn, which is a part of the time that is
told apart, also in one process. Seconds on a clock; one line a size.

    .venv/bin/python benchmarks/cases.py [--sizes 256 512] [--cases 12] [--processes N]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the working tree's own

import nibabel as nib  # noqa: E402  found by the line above
import numpy as np  # noqa: E402  as above

from toy_cases.build import build  # noqa: E402  as above
from toy_cases.nifti import write_volume  # noqa: E402  as above
from toy_cases.plan import Plan, make_plan  # noqa: E402  as above
from toy_cases.recipe import Recipe  # noqa: E402  as above

CATEGORIES = ("images", "pathologies", "local corruptions", "corruptions", "alterations", "destructions")


def plan_of(size: int, cases: int) -> Plan:
    """Half normal, the others of every category in turn; brain up to 256³, abdomen above, as published."""
    name = "brain" if size <= 256 else "abdom"  # noqa: PLR2004  published
    anomalous = {category: (cases // 2 + 5 - i) // 6 for i, category in enumerate(CATEGORIES)}
    toy = {"spheres": 1, "normal": 0}
    test = {"normal": cases - cases // 2, "anomalous": anomalous}
    dataset = {"name": name, "source": {"kind": "phantoms"}, "size": size, "toy": toy, "test": test}
    recipe = Recipe.model_validate({"slug": "bench", "title": "Benchmark", "seed": 1, "datasets": [dataset]})
    return make_plan(recipe, recipe.to_yaml())


@dataclass
class Clock:
    """Adds up what passes inside `running`."""

    wall_s: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count this."""
        start = time.monotonic()
        yield
        self.wall_s += time.monotonic() - start

    def rate(self, cases: int) -> str:
        """Say it, and how many cases a minute that is."""
        return f"{self.wall_s:.0f} s = {60 * cases / self.wall_s:.1f} a minute"


def drawing(plan: Plan) -> Clock:
    """Draw the phantoms alone, one after the other."""
    clock, (planned,) = Clock(), plan.datasets
    for case in planned.cases:
        with clock.running():
            planned.source.read(case.scan)
    return clock


def writing(out: Path) -> Clock:
    """Write again what was written, volumes and pixel labels."""
    clock = Clock()
    for path in sorted((out / "challenge").rglob("*.nii.gz")):
        image = nib.Nifti1Image.from_filename(path)
        array = np.asarray(image.dataobj)
        with clock.running():
            write_volume(path.with_name("again.nii.gz"), array, image.affine)
        path.with_name("again.nii.gz").unlink()
    return clock


def main() -> None:
    """Print a line for each size."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    asked.add_argument("--cases", type=int, default=12)
    asked.add_argument("--processes", type=int)
    asked.add_argument("--out", type=Path, help="a folder on the disk to measure; a temporary one otherwise")
    given = asked.parse_args()
    for size in given.sizes:
        with tempfile.TemporaryDirectory(dir=given.out) as name:
            plan, out, built = plan_of(size, given.cases), Path(name) / "made", Clock()
            with built.running():
                build(plan, out, processes=given.processes)
            packed = sum(path.stat().st_size for path in (out / "challenge").rglob("*.nii.gz"))
            floor, drawn = writing(out), drawing(plan)
        count = len(plan.cases)
        print(
            f"{size}³: {count} cases in {built.rate(count)}; writing alone {floor.rate(count)}; drawing the phantoms "
            f"alone {drawn.rate(count)}; {packed / count / 1e6:.1f} MB a case = {packed / count / size**3:.2f} bytes a "
            "voxel",
            flush=True,
        )


if __name__ == "__main__":
    main()

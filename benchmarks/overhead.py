"""The platform's own time for a trivial submission beside a bare `docker run` of the same image.

Both see the four toy cases of one data set and copy them. Prints medians and their ratio; needs the Docker
engine and Debian's busybox-static.

    .venv/bin/python benchmarks/overhead.py [RUNS]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the tests' own small stack and image

from tests.conftest import Backend  # noqa: E402  found by the line above
from tests.stack import BRIGHTNESS, build_busybox_image, running_stack  # noqa: E402  as above
from toy_cases.build import build_challenge  # noqa: E402  as above

FINAL = {"scored", "failed", "refused", "cancelled"}


def main(runs: int) -> None:
    """Print both medians."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "challenge"
        build_challenge(
            data,
            sizes={"brain": 32},
            n_test_normal=4,
            n_test_local=4,
            n_test_global=0,
            seed=1,
            volumes=None,
            progress=lambda _: None,
        )
        image = build_busybox_image(folder / "image", "mood-bench/brightness", BRIGHTNESS)
        bare_s = [bare(image, data / "brain" / "toy", folder / f"out{n}") for n in range(runs)]
        ours_s = platform(folder, data, image, runs)
    print(f"bare docker run            {statistics.median(bare_s):6.2f} s  ({spread(bare_s)})")
    print(f"submitted until scored     {statistics.median(ours_s):6.2f} s  ({spread(ours_s)})")
    print(f"ratio {statistics.median(ours_s) / statistics.median(bare_s):.1f}, n = {runs}")


def bare(image: str, cases: Path, out: Path) -> float:
    """Seconds of one `docker run` with the published command line."""
    out.mkdir()
    mounts = ["-v", f"{cases}:/mnt/data:ro", "-v", f"{out}:/mnt/pred"]
    script = ["sh", "/workspace/run_pixel_brain.sh", "/mnt/data", "/mnt/pred"]
    start = time.monotonic()
    subprocess.run(["docker", "run", "--rm", "--network", "none", *mounts, image, *script], check=True, stdout=-3)
    return time.monotonic() - start


def platform(folder: Path, data: Path, image: str, runs: int) -> list[float]:
    """Seconds from handing in to scored, each; the first one, which uploads and loads the image, is left out."""
    backend = Backend(
        name="embedded", database_url=f"sqlite:///{folder}/mood.db", broker_url=f"filesystem://{folder}/broker"
    )
    taken = []
    with running_stack(backend, folder / "home", data) as stack:
        team = stack.team("Bench")
        for _ in range(runs + 1):
            start = time.monotonic()
            submission = stack.submit(team, image, "pixel", "toy")
            while (view := team.get(f"/submissions/{submission}"))["status"] not in FINAL:
                time.sleep(0.02)
            taken.append(time.monotonic() - start)
            if view["status"] != "scored":
                raise SystemExit(f"{view['status']}: {view['message']}")
    return taken[1:]


def spread(values: list[float]) -> str:
    """Smallest to largest."""
    return f"{min(values):.2f} to {max(values):.2f}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)

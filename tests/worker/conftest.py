"""A data set, an engine and tiny images for the worker's tests."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest

from server.protocol import ContainerUser, Digest, JobSpec, Limits, Queue, Task
from tests.conftest import absent
from tests.worker.cases import DATASET, SLUG, manifest_hash, write_challenge
from worker.holdings import Holdings
from worker.images import Images
from worker.pipeline import Host
from worker.reaper import LABEL
from worker.runners.docker import DockerRunner, Engine

MEBI = 2**20
BUSYBOX = Path("/bin/busybox")
LIMITS = Limits(memory_bytes=64 * MEBI, cpus=1, pids=64, shm_bytes=MEBI, tmp_bytes=16 * MEBI)


@pytest.fixture(scope="session")
def challenge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests read it and leave it as it is."""
    return write_challenge(tmp_path_factory.mktemp("challenge"))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def base(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of busybox and two odd volumes; every image of these tests is built on it in no time."""
    if not BUSYBOX.exists():
        absent("busybox-static")
    folder = tmp_path_factory.mktemp("base")
    shutil.copy(BUSYBOX, folder / "busybox")
    nan = np.full((8, 8, 8), 0.5, dtype=np.float32)
    nan[0, 0, :3] = np.nan
    nibabel.save(nibabel.Nifti1Image(nan, np.eye(4)), folder / "nan.nii.gz")
    nibabel.save(nibabel.Nifti1Image(nan[..., :4], np.eye(4)), folder / "shape.nii.gz")
    (folder / "Dockerfile").write_text(
        "FROM scratch\n"
        "COPY busybox /bin/busybox\n"
        'RUN ["/bin/busybox", "sh", "-c", "/bin/busybox mkdir -p /root /etc /usr && /bin/busybox --install -s /bin"]\n'
        "COPY nan.nii.gz shape.nii.gz /workspace/\n",
        encoding="utf-8",
    )
    tag = f"mood-test-base:{secrets.token_hex(6)}"
    engine.build(folder, tag=tag)
    yield tag
    engine.remove_image(tag)


Build = Callable[..., str]


@pytest.fixture
def build(engine: Engine, base: str, tmp_path: Path) -> Iterator[Build]:
    """Build an image from a script; gives its ID. All are removed after the test."""
    made: list[str] = []

    def from_script(script: str, *, dockerfile: str | None = None) -> str:
        folder = tmp_path / f"image-{len(made)}"
        folder.mkdir()
        (folder / "entry.sh").write_text(script, encoding="utf-8")
        scripts = "".join(f"COPY entry.sh /workspace/run_{task}_{DATASET}.sh\n" for task in Task)
        lines = f"ARG BASE\nFROM ${{BASE}}\n{scripts}" if dockerfile is None else dockerfile
        (folder / "Dockerfile").write_text(lines, encoding="utf-8")
        tag = f"mood-test:{secrets.token_hex(6)}"
        made.append(tag)
        return engine.build(folder, tag=tag, buildargs={"BASE": base})

    yield from_script
    for tag in made:
        engine.remove_image(tag)


@pytest.fixture
def host(engine: Engine, challenge: Path, tmp_path: Path) -> Iterator[Host]:
    """A GPU host without a GPU; fails the test that leaves a container behind."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    yield Host(
        runner=DockerRunner(engine, poll_s=0.05),
        images=Images(engine, keep=2),
        holdings=Holdings((challenge,), memory=tmp_path / "verified.json"),
        scratch=scratch,
        labels={LABEL: str(scratch)},
    )
    assert engine.containers(f"{LABEL}={scratch}") == []
    assert list(scratch.iterdir()) == []


def job_spec(
    challenge: Path,
    image: Digest,
    *,
    task: Task = Task.PIXEL,
    queue: Queue = Queue.FINAL,
    budget_s: float = 60,
    limits: Limits = LIMITS,
    user: ContainerUser = ContainerUser.NOBODY,
    archive_sha256: str = "0" * 64,
    show: tuple[str, ...] = (),
    object_min_volume_mm3: float = 0.0,
) -> JobSpec:
    """A job as the server gives it."""
    return JobSpec(
        job="job-1",
        attempt=1,
        token="token-1",
        lease_s=120,
        challenge=SLUG,
        dataset=DATASET,
        manifest_sha256=manifest_hash(challenge),
        task=task,
        queue=queue,
        image=image,
        archive_sha256=archive_sha256,
        budget_s=budget_s,
        limits=limits,
        user=user,
        show=list(show),
        object_min_volume_mm3=object_min_volume_mm3,
    )


@pytest.fixture
def spec(challenge: Path) -> JobSpec:
    """A job whose image nobody has."""
    return job_spec(challenge, "sha256:" + "1" * 64)

"""How a container is shut in, decided (pure) and done (on the engine)."""

from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest

from server.protocol import ContainerUser, Limits, Task
from tests.worker.conftest import LIMITS, Build
from worker.runners.base import Ended, EngineFault, Outcome, Run, StartRefused
from worker.runners.docker import DockerRunner, Engine, arguments


def make_run(folder: Path, **changes: Any) -> Run:
    """A run in two new folders."""
    for name in ("in", "out"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "out").chmod(0o777)
    given: dict[str, Any] = {
        "name": f"mood-test-{folder.name[-40:]}",
        "image": "sha256:" + "1" * 64,
        "task": Task.PIXEL,
        "dataset": "brain",
        "input_dir": folder / "in",
        "output_dir": folder / "out",
        "expected": frozenset({"a.nii.gz", "b.nii.gz"}),
        "budget_s": 30,
        "output_bytes": 2**26,
        "limits": LIMITS,
        "user": ContainerUser.NOBODY,
        "labels": {"mood.test": folder.name},
    }
    return Run(**(given | changes))


def decide(folder: Path, *, volumes: tuple[str, ...] = (), cpus: float = 64, **changes: Any) -> dict[str, Any]:
    return arguments(make_run(folder, **changes), cpus=cpus, volumes=volumes)


def test_a_container_gets_the_published_command_whatever_its_entry_point(tmp_path: Path) -> None:
    kwargs = decide(tmp_path)
    assert kwargs["entrypoint"] == []
    assert kwargs["command"] == ["sh", "/workspace/run_pixel_brain.sh", "/mnt/data", "/mnt/pred"]
    assert "working_dir" not in kwargs


def test_a_container_has_no_network_no_privileges_and_a_read_only_root(tmp_path: Path) -> None:
    kwargs = decide(tmp_path)
    assert kwargs["network_mode"] == "none"
    assert kwargs["read_only"] is True
    assert kwargs["cap_drop"] == ["ALL"]
    assert kwargs["security_opt"] == ["no-new-privileges"]
    assert kwargs["privileged"] is False
    assert kwargs["ipc_mode"] == "private"
    assert kwargs["user"] == "65534:65534"
    assert kwargs["hostname"] == "mood"
    assert kwargs["healthcheck"] == {"test": ["NONE"]}


def test_a_container_has_limits_and_no_swap(tmp_path: Path) -> None:
    limits = Limits(memory_bytes=2**30, cpus=2.5, pids=100, shm_bytes=2**20, tmp_bytes=2**21)
    kwargs = decide(tmp_path, limits=limits, output_bytes=2**22)
    assert kwargs["mem_limit"] == kwargs["memswap_limit"] == 2**30
    assert kwargs["nano_cpus"] == 2_500_000_000
    assert kwargs["pids_limit"] == 100
    assert kwargs["shm_size"] == 2**20
    assert kwargs["tmpfs"] == {"/tmp": f"rw,exec,nosuid,nodev,size={2**21},mode=1777"}
    ulimits = {one["Name"]: (one["Soft"], one["Hard"]) for one in kwargs["ulimits"]}
    assert ulimits["core"] == (0, 0)
    assert ulimits["fsize"] == (2**22, 2**22)
    assert ulimits["nofile"][0] == ulimits["nofile"][1]


def test_a_file_may_fill_the_larger_of_the_places_it_can_stand_in(tmp_path: Path) -> None:
    kwargs = decide(tmp_path, limits=Limits(tmp_bytes=2**30), output_bytes=2**26)
    assert {one["Name"]: one["Hard"] for one in kwargs["ulimits"]}["fsize"] == 2**30


def test_no_more_processors_are_asked_for_than_the_host_has(tmp_path: Path) -> None:
    assert decide(tmp_path, limits=Limits(cpus=8), cpus=2)["nano_cpus"] == 2_000_000_000


def test_the_log_is_bounded_by_the_engine(tmp_path: Path) -> None:
    log = decide(tmp_path)["log_config"]
    assert log.type == "local"
    assert int(log.config["max-file"]) >= 2


def test_inputs_are_mounted_read_only(tmp_path: Path) -> None:
    mounts = {one["Target"]: one for one in decide(tmp_path)["mounts"]}
    assert mounts["/mnt/data"]["ReadOnly"] is True
    assert mounts["/mnt/data"]["BindOptions"] == {"Propagation": "private"}
    assert mounts["/mnt/pred"]["ReadOnly"] is False
    assert set(mounts) == {"/mnt/data", "/mnt/pred"}


def test_an_image_s_volume_is_mounted_read_only(tmp_path: Path) -> None:
    kwargs = decide(tmp_path, volumes=("/models", "/tmp", "/mnt/pred/"))
    volumes = [one for one in kwargs["mounts"] if one["Type"] == "volume"]
    assert [(one["Target"], one["ReadOnly"]) for one in volumes] == [("/models", True)]
    assert volumes[0]["Source"].startswith(kwargs["name"])


def test_an_image_s_volume_above_the_contract_s_folders_holds_next_to_nothing(tmp_path: Path) -> None:
    kwargs = decide(tmp_path, volumes=("/mnt",))
    assert "size=64k" in kwargs["tmpfs"]["/mnt"]
    assert len(kwargs["mounts"]) == 2


def test_a_gpu_is_given_by_its_device(tmp_path: Path) -> None:
    kwargs = decide(tmp_path, gpu="GPU-7", limits=Limits(gpus=True))
    (request,) = kwargs["device_requests"]
    assert request["DeviceIDs"] == ["GPU-7"]
    assert request["Capabilities"] == [["gpu"]]
    assert request["Count"] == 0
    assert kwargs["environment"]["NVIDIA_VISIBLE_DEVICES"] == "GPU-7"


@pytest.mark.parametrize(("gpu", "allowed"), [(None, True), ("GPU-7", False)])
def test_without_a_gpu_or_where_the_challenge_allows_none_an_image_gets_none(
    tmp_path: Path, gpu: str | None, *, allowed: bool
) -> None:
    kwargs = decide(tmp_path, gpu=gpu, limits=Limits(gpus=allowed))
    assert kwargs["device_requests"] == []
    assert kwargs["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"


def test_home_is_where_a_user_without_one_can_write(tmp_path: Path) -> None:
    assert decide(tmp_path)["environment"]["HOME"] == "/tmp"


@pytest.mark.parametrize(
    ("user", "given"),
    [
        (ContainerUser.NOBODY, "65534:65534"),
        (ContainerUser.ROOT, "0:0"),
        (ContainerUser.IMAGE, None),
        (1000, "1000:1000"),
        (0, "0:0"),
    ],
)
def test_a_container_runs_as_the_challenge_says(tmp_path: Path, user: ContainerUser | int, given: str | None) -> None:
    assert decide(tmp_path, user=user)["user"] == given


def run_script(engine: Engine, build: Build, folder: Path, script: str, **changes: Any) -> Outcome:
    run = make_run(folder, image=build(script), **changes)
    return DockerRunner(engine, poll_s=0.02).run(run, progress=lambda _done: None, cancelled=Event())


@pytest.mark.docker
def test_a_run_tells_when_predictions_appeared(engine: Engine, build: Build, tmp_path: Path) -> None:
    script = 'echo x > "$2/b.nii.gz"; sleep 0.5; echo x > "$2/a.nii.gz"; echo x > "$2/other.nii.gz"'
    outcome = run_script(engine, build, tmp_path, script)
    assert outcome.ended is Ended.EXITED
    assert outcome.exit_code == 0
    assert set(outcome.predicted_at_s) == {"a.nii.gz", "b.nii.gz"}
    assert outcome.predicted_at_s["b.nii.gz"] < outcome.predicted_at_s["a.nii.gz"] <= outcome.wall_s


@pytest.mark.docker
def test_a_log_is_kept_from_its_end(engine: Engine, build: Build, tmp_path: Path) -> None:
    outcome = run_script(engine, build, tmp_path, "seq 1 100000; echo the end")
    assert outcome.log_cut
    assert len(outcome.log) == 256 * 1024
    assert outcome.log.endswith("100000\nthe end\n")


@pytest.mark.docker
def test_a_short_log_is_whole(engine: Engine, build: Build, tmp_path: Path) -> None:
    outcome = run_script(engine, build, tmp_path, "echo out; echo err >&2")
    assert not outcome.log_cut
    assert sorted(outcome.log.splitlines()) == ["err", "out"]


@pytest.mark.docker
def test_peak_memory_is_sampled(engine: Engine, build: Build, tmp_path: Path) -> None:
    script = "head -c 30000000 /dev/zero > /tmp/x; sleep 1.5"
    outcome = run_script(engine, build, tmp_path, script, limits=LIMITS.model_copy(update={"tmp_bytes": 2**25}))
    assert outcome.peak_memory_bytes is not None
    assert 30_000_000 < outcome.peak_memory_bytes < 64 * 2**20


@pytest.mark.docker
def test_a_cancelled_run_is_killed_and_gone(engine: Engine, build: Build, tmp_path: Path) -> None:
    cancelled = Event()
    Timer(0.5, cancelled.set).start()
    run = make_run(tmp_path, image=build("sleep 600"))
    outcome = DockerRunner(engine, poll_s=0.02).run(run, progress=lambda _done: None, cancelled=cancelled)
    assert outcome.ended is Ended.CANCELLED
    assert outcome.exit_code is None
    assert engine.containers(f"mood.test={tmp_path.name}") == []


@pytest.mark.docker
def test_an_image_s_volume_keeps_its_files_and_leaves_nothing(engine: Engine, build: Build, tmp_path: Path) -> None:
    dockerfile = (
        "ARG BASE\nFROM ${BASE}\nRUN mkdir /models && echo weights > /models/file && chmod 0777 /models\n"
        "VOLUME /models\nCOPY entry.sh /workspace/run_pixel_brain.sh\n"
    )
    image = build("cat /models/file; touch /models/x || echo refused", dockerfile=dockerfile)
    before = {volume.name for volume in engine._quick.volumes.list()}
    run = make_run(tmp_path, image=image)
    outcome = DockerRunner(engine).run(run, progress=lambda _done: None, cancelled=Event())
    assert "weights" in outcome.log
    assert "refused" in outcome.log
    assert {volume.name for volume in engine._quick.volumes.list()} <= before


@pytest.mark.docker
def test_an_image_that_is_not_here_is_our_fault(engine: Engine, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(EngineFault, match="the engine has no image"):
        DockerRunner(engine).run(run, progress=lambda _done: None, cancelled=Event())


@pytest.mark.docker
def test_what_a_command_prints_is_given_without_leaving_a_container(engine: Engine, base: str) -> None:
    before = {found.id for found in engine.containers("")}
    assert engine.output_of(base, ["id", "-u"]) == "65534\n"
    assert {found.id for found in engine.containers("")} <= before


@pytest.mark.docker
def test_a_folder_becomes_an_image(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "name").write_text("x", encoding="ascii")
    image = engine.import_rootfs(tmp_path, repository="mood-test-import", tag="1", changes=["ENV A=b"])
    try:
        assert engine.image_id("mood-test-import:1") == image
        assert image.startswith("sha256:")
    finally:
        engine.remove_image("mood-test-import:1")
    assert engine.image_id("mood-test-import:1") is None


@pytest.mark.docker
@pytest.mark.parametrize(
    ("line", "user", "why"),
    [
        ("USER ghost", ContainerUser.IMAGE, "unable to find user ghost"),
        ("USER 4294967296", ContainerUser.IMAGE, "uids and gids"),
        ('RUN ["/bin/busybox", "touch", "/mnt"]', ContainerUser.NOBODY, 'at "/mnt/'),
        ('RUN ["/bin/busybox", "ln", "-s", "/proc", "/mnt"]', ContainerUser.NOBODY, 'at "/mnt/'),
        ("VOLUME /proc", ContainerUser.NOBODY, "/proc"),
    ],
)
def test_an_image_of_which_no_container_can_start_is_to_blame(
    engine: Engine, build: Build, tmp_path: Path, line: str, user: ContainerUser, why: str
) -> None:
    run = make_run(tmp_path, image=build("", dockerfile=f"ARG BASE\nFROM ${{BASE}}\n{line}\n"), user=user)
    outcome = DockerRunner(engine).run(run, progress=lambda _done: None, cancelled=Event())
    assert (outcome.ended, outcome.exit_code) == (Ended.EXITED, 125)
    assert why in outcome.log
    assert str(tmp_path) not in outcome.log
    assert "/overlay2/" not in outcome.log
    assert engine.images("mood-control") == []
    assert engine.containers(f"mood.test={tmp_path.name}") == []


@pytest.mark.docker
def test_a_host_on_which_no_container_can_start_is_to_blame(engine: Engine, build: Build, tmp_path: Path) -> None:
    run = make_run(tmp_path, image=build("true"), input_dir=tmp_path / "gone")
    with pytest.raises(StartRefused, match="bind source path does not exist"):
        DockerRunner(engine).run(run, progress=lambda _done: None, cancelled=Event())
    assert engine.images("mood-control") == []
    assert engine.containers(f"mood.test={tmp_path.name}") == []

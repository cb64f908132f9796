"""`mood images`: the reference submissions, built on a base that is pulled, or made where none can be."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from cli.console import complain
from reference_submissions import context, wheels
from reference_submissions.pca import train
from toy_cases.build import write_training
from worker.runners.base import EngineFault
from worker.runners.docker import Engine

app = typer.Typer()
Say = Callable[[str], None]
PUBLIC_BASE = "python:3.11-slim-bookworm"
LOCAL_BASE = ("mood-base", "bookworm")
PREFIX = "mood-reference"  # of the images' names
PULL_TIMEOUT_S = 60  # without a network the engine answers at once; a slow registry gets a minute
DEBIAN_PACKAGES = "python3,python3-pip,python-is-python3,ca-certificates"
# Gone from the root: what no container reads. Lists and caches of apt alone are half of it.
DEAD_WEIGHT = (
    "var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale",
)  # fmt: skip


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CACHE = Path("var")  # of the folder in which the command is called, as the demo's


class NoBaseError(Exception):
    """There is no base image and none can be made here."""


@app.command()
def images(
    names: list[str] = typer.Argument(None, help="which; all if none is named"),
    base: str | None = typer.Option(None, help="the image to build on; needs `python` 3 with pip"),
    training: Path | None = typer.Option(
        None, help="normal volumes, one folder a data set; phantoms are drawn where it is not given"
    ),
    count: int = typer.Option(40, min=8, help="how many phantoms to draw for each data set"),
) -> None:
    """Build the reference submissions as images of this machine's Docker engine."""
    wanted = names or list(context.METHODS)
    for name in wanted:
        if name not in context.METHODS:
            complain(f"no reference submission {name!r}; there are {', '.join(context.METHODS)}")
    with tempfile.TemporaryDirectory(prefix="mood-images-") as folder:
        work = Path(folder)
        if training is None:
            training = work / "training"
            if "pca" in wanted:
                write_training(training, count=count)
        try:
            built = build_reference_images(
                Engine(), wanted, training=training, work=work / "build", say=typer.echo, base=base
            )
        except (NoBaseError, wheels.WheelsNotFoundError, EngineFault, ValueError) as error:
            complain(str(error))
    for name, image in built.items():
        typer.echo(f"{tag_of(name)}  {image}")


def base_image(engine: Engine, *, cache: Path, say: Say, base: str = PUBLIC_BASE) -> str:
    """Give the name of a base image: `base` if it is here or can be pulled, else one made of Debian packages.

    The root of the latter is kept in `cache`. Raises NoBaseError saying what is missing.
    """
    if engine.image_id(base) is not None:
        return base
    local = ":".join(LOCAL_BASE)
    if engine.image_id(local) is not None:
        return local
    say(f"pulling {base}")
    if engine.pull(base, timeout_s=PULL_TIMEOUT_S) is not None:
        return base
    rootfs = cache / "mood-base-bookworm.tar"
    if not rootfs.is_file():
        say(f"{base} cannot be pulled: making a base of Debian packages (about a minute, kept in {cache})")
        _make_rootfs(rootfs)
    engine.import_rootfs(rootfs, repository=LOCAL_BASE[0], tag=LOCAL_BASE[1], changes=["ENV PATH=" + PATH])
    return local


def _make_rootfs(into: Path) -> None:
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise NoBaseError(
            f"{PUBLIC_BASE} cannot be pulled, and making a base needs root and the program debootstrap: "
            "install it (apt-get install debootstrap) and run again as root, or name an image that is "
            "here with --base"
        )
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix="root-") as work:
        root = Path(work) / "root"
        _call("debootstrap", "--variant=minbase", f"--include={DEBIAN_PACKAGES}", "bookworm", str(root))
        for part in DEAD_WEIGHT:
            shutil.rmtree(root / part, ignore_errors=True)
            (root / part).mkdir()
        packed = Path(work) / "root.tar"
        _call(
            "tar",
            "--create",
            "--numeric-owner",
            "--one-file-system",
            "--file",
            str(packed),
            "--directory",
            str(root),
            ".",
        )
        packed.rename(into)


def _call(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise NoBaseError(f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")


def build_reference_images(
    engine: Engine,
    names: Iterable[str],
    *,
    training: Path,
    work: Path,
    say: Say,
    base: str | None = None,
    prefix: str = PREFIX,
) -> dict[str, str]:
    """Build reference submissions on a base (`base_image` where none is named); gives name -> image ID.

    `training/<dataset>/*.nii.gz` are the normal volumes that methods are fitted to; `work` is a new folder
    for wheels and contexts, the caller's to remove. Raises what `wheels`, the fits and the engine raise.
    """
    base = base or base_image(engine, cache=CACHE, say=say)
    platform = wheels.Platform.parse(engine.output_of(base, wheels.PROBE))
    say(f"fetching wheels for Python {platform.python} on {platform.machine}")
    wheels.download(platform, work / "wheels")
    build = uuid.uuid4().hex
    built = {}
    try:
        for name in names:
            folder = context.prepare(name, work / name, wheels=work / "wheels")
            if name == "pca":
                fit_pca(training, folder / "workspace", say=say)
            say(f"building {name}")
            tag = tag_of(name, prefix)
            before = engine.image_id(tag)
            built[name] = engine.build(folder, tag=tag, buildargs={"BASE": base, "BUILD_ID": build})
            if before not in {None, built[name]}:
                engine.remove_image(str(before))  # it has lost its name to the new one
    finally:
        engine.remove_dangling(f"mood.stage={build}")
    return built


def fit_pca(training: Path, workspace: Path, *, say: Say) -> None:
    """Write the weights of each data set that has training volumes."""
    for folder in sorted(path for path in training.iterdir() if path.is_dir()):
        say(f"fitting PCA to {folder.name}")
        train.fit(folder).write(workspace / f"{folder.name}.npz")


def tag_of(name: str, prefix: str = PREFIX) -> str:
    """Name the image of a reference submission."""
    return f"{prefix}-{name.replace('_', '-')}:latest"

"""`mood images`: methods trained and built, on a base that is pulled, or made where none can be."""

import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import typer

from cli.console import complain, size
from cli.layers import with_packages
from reference_submissions import context, wheels
from reference_submissions.kit.costs import Cost
from reference_submissions.kit.detector import Preset
from reference_submissions.method import METHODS, Method
from toy_cases.build import write_training
from worker.runners.base import EngineFault
from worker.runners.docker import Engine

app = typer.Typer()
Say = Callable[[str], object]
PUBLIC_BASE = "python:3.11-slim-bookworm"
LOCAL_BASE = ("mood-base", "bookworm")
PREFIX = "mood-reference"  # of the images' names
SEED = 2020
PULL_TIMEOUT_S = 60  # without a network the engine answers at once; a slow registry gets a minute
NAMED_PULL_TIMEOUT_S = 600  # of silence: a layer of CUDA has gigabytes to unpack
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
    names: list[str] = typer.Argument(None, help="reference submissions, or folders with a detector.py; all of ours"),
    base: str | None = typer.Option(
        None, help="the image to build on, pulled where it is not here; needs `python` 3 with pip"
    ),
    training: Path | None = typer.Option(
        None, help="normal volumes, one folder a data set; phantoms are drawn where it is not given"
    ),
    count: int = typer.Option(40, min=8, help="how many phantoms to draw for each data set"),
    preset: Preset | None = typer.Option(
        None, help=f"how much work training is; {Preset.SMALL}, or what kept weights have"
    ),
    seed: int | None = typer.Option(None, help=f"of whatever training draws; {SEED}, or what kept weights have"),
    weights: Path | None = typer.Option(None, help="keep weights in this folder; what is trained there is not again"),
    contexts: Path | None = typer.Option(
        None, help="write folders for `docker build` here and build nothing: no Docker engine is needed"
    ),
) -> None:
    """Train methods and build them as images of this machine's Docker engine."""
    with tempfile.TemporaryDirectory(prefix="mood-images-") as folder:
        work = Path(folder)
        try:
            methods = usable(names, say=typer.echo)
            weights = weights or work / "weights"
            verify_apart(methods, weights=weights, contexts=contexts)
            verify_kept(methods, weights=weights, preset=preset, seed=seed)
            if training is None and not all(is_trained(method, weights) for method in methods):
                training = work / "training"
                typer.echo(f"drawing {count} phantoms for each data set")
                write_training(training, count=count)
            if training is not None:
                train(methods, training=training, weights=weights, preset=preset, seed=seed, say=typer.echo)
            if contexts is not None:
                for method in methods:
                    typer.echo(f"{method.name}: {contents(method)}")
                    typer.echo(context.prepare(method, weights / method.name, contexts / method.name))
                return
            built = build(Engine(), methods, weights=weights, work=work, say=typer.echo, base=base)
        except (NoBaseError, wheels.WheelsNotFoundError, EngineFault, ValueError, OSError) as error:
            complain(str(error))
    for name, image in built.items():
        typer.echo(f"{tag_of(name)}  {image}")


def usable(names: Iterable[str], *, say: Say) -> list[Method]:
    """Find methods; of ours, where none is named, those whose packages are installed here, to train them.

    Raises ValueError where one that is named cannot be found or imported.
    """
    found, lacking = [], defaultdict[str | None, list[str]](list)
    for method in [Method.find(name) for name in names or METHODS]:
        try:
            context.packages_of(method)
        except ModuleNotFoundError as error:
            if names:
                raise ValueError(f"{method.name}: training needs {how_to_get(error.name)}") from error
            lacking[error.name].append(method.name)
        else:
            found.append(method)
    for package, without in lacking.items():
        say(f"left out: {', '.join(without)}. Training needs {how_to_get(package)}")
    return found


def how_to_get(package: str | None) -> str:
    """Say that a package is missing; for torch, which ours need, how to have it."""
    how = ": pip install 'mood-challenge[methods]'" if package == "torch" else ""
    return f"{package}, which is not installed here{how}"


def verify_apart(methods: Iterable[Method], *, weights: Path, contexts: Path | None) -> None:
    """Raise ValueError where a folder would be copied into itself, or weights with the code."""
    for method in methods:
        given = [("--weights", weights, method.folder)]
        if contexts is not None:
            given += [("--contexts", contexts, method.folder), ("--contexts", contexts, weights / method.name)]
        for option, place, copied in given:
            if (place / method.name).resolve().is_relative_to(copied.resolve()):
                raise ValueError(
                    f"{option} {place} would write into {copied}, which goes into the image: name a folder outside it"
                )


def contents(method: Method) -> str:
    """Say how much of a method's folder goes into its image."""
    bytes_of_code = sum(path.stat().st_size for path in context.files(method.folder))
    scans = len(context.scans(method.folder))
    return f"{size(bytes_of_code)} of {method.folder}" + (f", without the scans there ({scans})" if scans else "")


def named_base(engine: Engine, base: str, *, say: Say) -> str:
    """Give a base by its name, pulled where it is not here. Raises NoBaseError where it cannot be."""
    if engine.image_id(base) is None:
        say(f"pulling {base}: minutes, where it has gigabytes")
        if engine.pull(base, timeout_s=NAMED_PULL_TIMEOUT_S) is None:
            raise NoBaseError(
                f"{base} is not on this machine and cannot be pulled: look at its name and at the network "
                f"(`docker pull {base}` says why), or name an image that is here with --base"
            )
    return base


def base_image(engine: Engine, *, cache: Path, say: Say) -> str:
    """Give the name of a base image: PUBLIC_BASE if it is here or can be pulled, else one made of Debian packages.

    The root of the latter is kept in `cache`. Raises NoBaseError saying what is missing.
    """
    if engine.image_id(PUBLIC_BASE) is not None:
        return PUBLIC_BASE
    local = ":".join(LOCAL_BASE)
    if engine.image_id(local) is not None:
        return local
    say(f"pulling {PUBLIC_BASE}")
    if engine.pull(PUBLIC_BASE, timeout_s=PULL_TIMEOUT_S) is not None:
        return PUBLIC_BASE
    rootfs = cache / "mood-base-bookworm.tar"
    if not rootfs.is_file():
        say(f"{PUBLIC_BASE} cannot be pulled: making a base of Debian packages (about a minute, kept in {cache})")
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
    preset: Preset = Preset.SMALL,
) -> dict[str, str]:
    """Train reference submissions and build them, as `train` and `build` say; gives name -> image ID."""
    methods = [Method.find(name) for name in names]
    train(methods, training=training, weights=work / "weights", preset=preset, seed=0, say=say)
    return build(engine, methods, weights=work / "weights", work=work, say=say, base=base, prefix=prefix)


def train(
    methods: Sequence[Method],
    *,
    training: Path,
    weights: Path,
    preset: Preset | None,
    seed: int | None,
    say: Say,
) -> None:
    """Fit methods to `training/<dataset>/*.nii.gz`, into `weights/<method>/<dataset>`; leaves what is there.

    Raises what `verify_kept` and `Method.train` raise.
    """
    verify_kept(methods, weights=weights, preset=preset, seed=seed)
    folders = datasets_of(training)
    for method in methods:
        for folder in folders:
            place = weights / method.name / folder.name
            if method.is_trained(place):
                say(f"{method.name}, {folder.name}: trained before, in {place}")
                continue
            say(f"training {method.name} on {folder.name}")
            method.train(
                folder,
                place,
                preset=preset or Preset.SMALL,
                seed=SEED if seed is None else seed,
                say=lambda line: say(f"  {line}"),
            )


def datasets_of(training: Path) -> list[Path]:
    """The folders of data sets. Raises ValueError where there are none."""
    if not training.is_dir():
        raise ValueError(f"--training {training}: there is no such folder")
    found = sorted(path for path in training.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise ValueError(
            f"--training {training}: no folder in it, and it takes one for each data set (brain, abdom), named as the "
            "challenge does, with normal scans as *.nii.gz"
        )
    return found


def verify_kept(methods: Iterable[Method], *, weights: Path, preset: Preset | None, seed: int | None) -> None:
    """Raise ValueError where kept weights are of another preset or seed than is asked for; None asks for none."""
    for method in methods:
        for place in sorted((weights / method.name).glob("*")):
            if not method.is_trained(place):
                continue
            try:
                kept = Cost.load(place)
            except TypeError as error:
                raise ValueError(f"what {place} cost is not told as now ({error}): train again, elsewhere") from error
            if preset not in {None, kept.preset} or seed not in {None, kept.seed}:
                asked = [f"{name} {value}" for name, value in (("preset", preset), ("seed", seed)) if value is not None]
                raise ValueError(
                    f"{place} was trained with preset {kept.preset}, seed {kept.seed}, and {', '.join(asked)} is asked "
                    "for: ask for what it has, remove it, or keep other weights in another folder with --weights"
                )


def is_trained(method: Method, weights: Path) -> bool:
    """Does `weights` hold the method, trained for one data set at least and begun for none?"""
    kept = weights / method.name
    folders = list(kept.iterdir()) if kept.is_dir() else []
    return bool(folders) and all(method.is_trained(folder) for folder in folders)


def build(
    engine: Engine,
    methods: Iterable[Method],
    *,
    weights: Path,
    work: Path,
    say: Say,
    base: str | None = None,
    prefix: str = PREFIX,
) -> dict[str, str]:
    """Build trained methods on a base (`base_image` where none is named); gives name -> image ID.

    `work` is a folder for wheels and contexts, the caller's to remove. Raises what `layers` and the engine raise.
    """
    base = base_image(engine, cache=CACHE, say=say) if base is None else named_base(engine, base, say=say)
    built = {}
    for method in methods:
        trained = weights / method.name
        packages = context.packages_of(method)
        with_its_packages = with_packages(engine, base, packages, work=work / "wheels", say=say)
        folder = context.prepare(method, trained, work / "contexts" / method.name)
        say(f"building {method.name}: {contents(method)}")
        tag = tag_of(method.name, prefix)
        before = engine.image_id(tag)
        labels = context.labels(method, trained)
        built[method.name] = engine.build(folder, tag=tag, buildargs={"BASE": with_its_packages}, labels=labels)
        if before not in {None, built[method.name]}:
            engine.remove_image(str(before))  # it has lost its name to the new one
    return built


def tag_of(name: str, prefix: str = PREFIX) -> str:
    """Name the image of a method."""
    return f"{prefix}-{name.replace('_', '-')}:latest"

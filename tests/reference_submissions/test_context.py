from pathlib import Path

import pytest

from reference_submissions import context


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "numpy-0-py3-none-any.whl").touch()
    return tmp_path / "wheels"


@pytest.mark.parametrize("name", context.METHODS)
def test_a_context_holds_all_that_its_dockerfile_copies(name: str, tmp_path: Path, wheels: Path) -> None:
    made = context.prepare(name, tmp_path / "context", wheels=wheels)

    copied = [line.split()[1] for line in (made / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    assert {"wheels/", "kit/", "workspace/"} <= set(copied)
    assert {path.name for path in made.iterdir()} == {"Dockerfile", "wheels", "kit", "workspace"}
    assert (made / "kit" / "reference_submissions" / "kit.py").is_file()
    scripts = {path.name for path in (made / "workspace").iterdir()}
    assert scripts == {"predict.py"} | {f"run_{t}_{d}.sh" for t in ("sample", "pixel") for d in ("brain", "abdom")}


@pytest.mark.parametrize("name", context.METHODS)
def test_entry_scripts_call_python_with_their_own_task(name: str) -> None:
    for task in ("sample", "pixel"):
        for dataset in ("brain", "abdom"):
            script = (context.HERE / name / "workspace" / f"run_{task}_{dataset}.sh").read_text()
            assert f'exec python /workspace/predict.py {task} {dataset} "$1" "$2"' in script


def test_the_methods_share_one_dockerfile() -> None:
    assert len({(context.HERE / name / "Dockerfile").read_text() for name in context.METHODS}) == 1


def test_every_method_says_what_it_is() -> None:
    assert all((context.HERE / name / "README.md").stat().st_size > 500 for name in context.METHODS)


def test_an_unknown_method_is_refused(tmp_path: Path, wheels: Path) -> None:
    with pytest.raises(ValueError, match="no reference submission 'magic'"):
        context.prepare("magic", tmp_path / "context", wheels=wheels)

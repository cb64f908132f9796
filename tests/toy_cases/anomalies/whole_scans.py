"""What every kind of a global anomaly must hold, asked by the tests of each module of kinds."""

import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import pytest

from toy_cases.anomalies.base import Array, Kind, Mask, Scope
from toy_cases.anomalies.spoiling import Spoiler, mean_change
from toy_cases.body import body_of
from toy_cases.phantoms import PHANTOMS

SIDE = 32
SEEDS = range(4)
MODALITIES = {"brain": "mr", "abdom": "ct"}


@cache
def person(name: str, side: int = SIDE) -> tuple[Array, Mask]:
    """A phantom and its body; not to be written to."""
    volume = PHANTOMS[name](side, np.random.default_rng(3))
    body = body_of(volume)
    volume.flags.writeable = body.flags.writeable = False
    return volume, body


def people(kind: Kind) -> list[str]:
    """Name the phantoms that a kind is for."""
    return [name for name, modality in MODALITIES.items() if modality in kind.modalities]


def cases(kinds: Sequence[Kind]) -> list[object]:
    """Pair each kind with each phantom that it is for."""
    return [pytest.param(kind, name, id=f"{kind.name}-{name}") for kind in kinds for name in people(kind)]


def check_the_contract(kind: Kind, name: str) -> None:
    """Range, form, visibility and background, over many seeds."""
    normal, body = person(name)
    assert isinstance(kind.draw, Spoiler)
    for seed in SEEDS:
        made = kind.draw(normal, body, np.random.default_rng(seed))

        assert made.mask is None
        assert made.volume.dtype == np.float32
        assert made.volume.shape == normal.shape
        assert made.volume.flags.c_contiguous
        assert np.isfinite(made.volume).all()
        assert 0 <= made.volume.min() <= made.volume.max() <= 1
        assert mean_change(normal, made.volume, body) >= kind.draw.floor > 0
        assert made.parameters["contrast"] == round(mean_change(normal, made.volume, body), 4)
        if not kind.draw.everywhere:
            air = ~body & (normal == 0)
            assert not made.volume[air].any()


def check_seeds(kind: Kind, name: str) -> None:
    """The same seed draws the same; another seed does not, where anything is drawn at all."""
    normal, body = person(name)
    first, again = (kind.draw(normal, body, np.random.default_rng(4)) for _ in range(2))

    assert first.volume.tobytes() == again.volume.tobytes()
    assert first.parameters == again.parameters
    if set(first.parameters) != {"contrast"}:
        others = (kind.draw(normal, body, np.random.default_rng(seed)).volume for seed in range(5, 12))
        assert any(first.volume.tobytes() != other.tobytes() for other in others)


def check_kinds(kinds: Sequence[Kind], modality: str) -> None:
    """Six kinds at least, each with its own name, a difficulty and a source."""
    here = [kind for kind in kinds if modality in kind.modalities]

    assert len(here) >= 6
    assert len({kind.name for kind in here}) == len(here)
    assert all(kind.scope is Scope.GLOBAL is kind.category.scope for kind in here)
    assert {kind.difficulty for kind in here} <= {1, 2, 3, 4, 5}
    assert all(len(kind.source) > 30 and kind.source.endswith(".") for kind in here)


def mean_contrast(kinds: Sequence[Kind]) -> float:
    """Average over all kinds, phantoms and seeds."""
    return float(np.mean(list(_contrasts(kinds))))


def digests(module: str) -> dict[str, str]:
    """What each kind of a module makes of each phantom."""
    kinds: tuple[Kind, ...] = importlib.import_module(module).KINDS
    return {
        f"{kind.name} {name}": hashlib.sha256(
            kind.draw(*person(name), np.random.default_rng(7)).volume.tobytes()
        ).hexdigest()
        for kind in kinds
        for name in people(kind)
    }


def check_another_process(module: str) -> None:
    """Another process with another number of threads makes the same bytes."""
    asked = f"import json; from {__name__} import digests; print(json.dumps(digests({module!r})))"
    threads = str(2 if os.environ.get("OMP_NUM_THREADS") == "1" else 1)
    said = subprocess.run(
        [sys.executable, "-c", asked],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": threads},
    )

    assert json.loads(said.stdout) == digests(module)


def _contrasts(kinds: Sequence[Kind]) -> Iterator[float]:
    for kind in kinds:
        for name in people(kind):
            for seed in SEEDS:
                yield float(kind.draw(*person(name), np.random.default_rng(seed)).parameters["contrast"])

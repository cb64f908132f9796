"""Which volumes each set of a data set holds: their kinds and numbers, before anybody has a scan or a name.

    challenge     toy cases and the hidden test set
    analysis      the same number of every subcategory, half normal
    toyish        the proxy set: spheres and cubes, half normal
    sweeps        one scan with a sphere that grows, and one that brightens
    participants  toy cases again, and the training volumes

Every set but the last is a challenge folder of its own, each with the toy cases.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from toy_cases.anomalies import KINDS, PLAIN, SHAPES, Category, Kind, Scope
from toy_cases.conditions import Condition
from toy_cases.recipe import DatasetRecipe, RecipeError

SWEEP_STEPS = 20  # radii
SWEEP_RADIUS = 0.3125  # of the shortest side: the published 80 voxels of 256, 160 of 512
SWEEP_INTENSITIES = 21  # 0.0 to 1.0 in steps of 0.05, as published
PLAIN_RADIUS = 0.1  # of the shortest side, while the intensity is swept
PLAIN_INTENSITY = 1.0  # while the radius is swept
NO_PARAMETERS: Mapping[str, float] = MappingProxyType({})


class SetName(StrEnum):
    """The folders that come out."""

    CHALLENGE = "challenge"
    ANALYSIS = "analysis"
    TOYISH = "toyish"
    SWEEPS = "sweeps"
    PARTICIPANTS = "participants"


class Split(StrEnum):
    """The part of a set."""

    TOY = "toy"
    TEST = "test"
    TRAINING = "training"


class Pool(StrEnum):
    """Scans that stand for one thing. No scan and no patient is in two pools."""

    TOY = "toy"
    NORMAL = "normal test cases"
    ANOMALOUS = "bases of anomalous test cases"
    TRAINING = "training"
    ANALYSIS_NORMAL = "normal analysis cases"
    ANALYSIS_ANOMALOUS = "bases of anomalous analysis cases"
    TOYISH_NORMAL = "normal toy-ish cases"
    TOYISH_ANOMALOUS = "bases of anomalous toy-ish cases"
    SWEEPS = "sweeps"


@dataclass(frozen=True, kw_only=True)
class Role:
    """A volume to be made: what it is to show, and where it belongs."""

    home: SetName
    split: Split
    pool: Pool | None  # None: a natural condition is a scan of its own
    scope: Scope = Scope.NORMAL
    category: str = ""
    subcategory: str = ""
    difficulty: int | None = None  # None: normal
    origin: str = ""  # natural or artificial; "": normal
    kind: str = ""  # name of the kind that draws it; "": none does
    alternatives: tuple[str, ...] = ()  # kinds that take over where it finds no place, in this order
    given: Mapping[str, float] = field(default_factory=dict)  # of a sweep: radius (voxels) and intensity
    condition: Condition | None = None


def roles_of(
    recipe: DatasetRecipe, conditions: Iterable[Condition], rng: np.random.Generator, *, torchio: bool
) -> list[Role]:
    """List a data set's volumes, sets and splits in a fixed order. Raises RecipeError."""
    kinds = usable_kinds(recipe, torchio=torchio)
    return [
        *_toy(recipe),
        *_test(recipe, kinds, list(conditions), rng),
        *[Role(home=SetName.PARTICIPANTS, split=Split.TRAINING, pool=Pool.TRAINING)] * recipe.training,
        *_analysis(recipe, kinds),
        *_toyish(recipe),
        *_sweeps(recipe),
    ]


def usable_kinds(recipe: DatasetRecipe, *, torchio: bool) -> tuple[Kind, ...]:
    """Give the kinds that make sense for a data set's modality. Raises RecipeError where TorchIO is not there."""
    if torchio and not any(kind.needs for kind in KINDS):
        raise RecipeError(
            ["torchio: true, but TorchIO is not installed: pip install 'mood-challenge[toy]', or set it to false"]
        )
    return tuple(kind for kind in (KINDS if torchio else PLAIN) if recipe.modalities <= kind.modalities)


def drawn_by(kind: Kind, role: Role) -> Role:
    """Give a role to a kind."""
    return replace(
        role,
        scope=kind.scope,
        category=kind.category,
        subcategory=kind.subcategory,
        difficulty=kind.difficulty,
        origin=kind.origin,
        kind=kind.name,
    )


def spread(count: int, over: int, rng: np.random.Generator) -> list[int]:
    """Split a number into parts as equal as possible; chance says which are the larger ones."""
    parts = np.full(over, count // over)
    parts[rng.permutation(over)[: count % over]] += 1
    return [int(part) for part in parts]


def _toy(recipe: DatasetRecipe) -> list[Role]:
    normal = Role(home=SetName.CHALLENGE, split=Split.TOY, pool=Pool.TOY)
    (sphere,) = (kind for kind in SHAPES if kind.subcategory == "sphere")
    return [*[normal] * recipe.toy.normal, *[drawn_by(sphere, normal)] * recipe.toy.spheres]


def _test(
    recipe: DatasetRecipe, kinds: tuple[Kind, ...], conditions: list[Condition], rng: np.random.Generator
) -> list[Role]:
    normal = Role(home=SetName.CHALLENGE, split=Split.TEST, pool=Pool.NORMAL)
    base = replace(normal, pool=Pool.ANOMALOUS)
    anomalous = [
        role
        for category, wanted in recipe.test.anomalous.items()
        for kind, count in _counted(recipe, category, wanted, kinds, rng)
        for role in [_replaceable(drawn_by(kind, base), kinds, by_name=isinstance(wanted, Mapping))] * count
    ]
    anomalous += [_natural(condition, base) for condition in conditions]
    n_normal = len(anomalous) if recipe.test.normal == "half" else recipe.test.normal
    return [*[normal] * n_normal, *anomalous]


def _counted(
    recipe: DatasetRecipe,
    category: Category,
    wanted: int | Mapping[str, int],
    kinds: tuple[Kind, ...],
    rng: np.random.Generator,
) -> list[tuple[Kind, int]]:
    """Give the kinds of a category with a number each. Raises RecipeError."""
    known = {kind.subcategory: kind for kind in kinds if kind.category == category}
    where = f"data set {recipe.name}: test.anomalous.{category}"
    if isinstance(wanted, int):
        if wanted and not known:
            raise RecipeError([f"{where}: {wanted}, but {_none_of(category)}"])
        return list(zip(known.values(), spread(wanted, len(known), rng), strict=True)) if wanted else []
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        there = f"there are {', '.join(sorted(known))}" if known else _none_of(category)
        elsewhere = [kind for kind in KINDS if kind.category == category and kind.subcategory in unknown]
        hint = f" ({'; '.join(_why_not(recipe, kind) for kind in elsewhere)})" if elsewhere else ""
        raise RecipeError([f"{where}: {', '.join(unknown)} cannot be made here{hint}: {there}"])
    return [(known[name], count) for name, count in wanted.items()]


def _replaceable(role: Role, kinds: tuple[Kind, ...], *, by_name: bool) -> Role:
    """Let the others of its category take over, from the next one on, unless it was asked for by name."""
    if by_name:
        return role
    names = [kind.name for kind in kinds if kind.category == role.category]
    at = names.index(role.kind)
    return replace(role, alternatives=(*names[at + 1 :], *names[:at]))


def _none_of(category: Category) -> str:
    if category is Category.MEDICAL_CONDITIONS:
        return "these come from scans that have them: take this out and list the scans in a CSV (conditions:)"
    return "no subcategory of it fits this data set's modality: take it out"


def _why_not(recipe: DatasetRecipe, kind: Kind) -> str:
    if kind.needs and recipe.modalities <= kind.modalities:
        return f"{kind.subcategory} needs torchio: true"
    return f"{kind.subcategory} is for {' and '.join(sorted(kind.modalities))}"


def _analysis(recipe: DatasetRecipe, kinds: tuple[Kind, ...]) -> list[Role]:
    """Every subcategory that can be drawn; natural conditions have no number of their own to choose."""
    if recipe.analysis is None:
        return []
    own = recipe.analysis.scans == "own"
    normal = Role(home=SetName.ANALYSIS, split=Split.TEST, pool=Pool.ANALYSIS_NORMAL if own else Pool.NORMAL)
    base = replace(normal, pool=Pool.ANALYSIS_ANOMALOUS if own else Pool.ANOMALOUS)
    anomalous = [drawn_by(kind, base) for kind in kinds for _ in range(recipe.analysis.per_subcategory)]
    return [*[normal] * len(anomalous), *anomalous]


def _toyish(recipe: DatasetRecipe) -> list[Role]:
    """Spheres and cubes in turn."""
    if recipe.toyish is None:
        return []
    own = recipe.toyish.scans == "own"
    normal = Role(home=SetName.TOYISH, split=Split.TEST, pool=Pool.TOYISH_NORMAL if own else Pool.NORMAL)
    base = replace(normal, pool=Pool.TOYISH_ANOMALOUS if own else Pool.ANOMALOUS)
    anomalous = [drawn_by(SHAPES[i % len(SHAPES)], base) for i in range(recipe.toyish.count)]
    return [*[normal] * len(anomalous), *anomalous]


def _sweeps(recipe: DatasetRecipe) -> list[Role]:
    """The scan itself, then each step."""
    if recipe.sweeps is None:
        return []
    normal = Role(home=SetName.SWEEPS, split=Split.TEST, pool=Pool.SWEEPS)
    side = min(recipe.shape)
    steps: list[tuple[str, float, float]] = []
    if recipe.sweeps.radius:
        radii = (SWEEP_RADIUS * side * step / SWEEP_STEPS for step in range(1, SWEEP_STEPS + 1))
        steps += [("radius sweep", radius, PLAIN_INTENSITY) for radius in radii]
    if recipe.sweeps.intensity:
        shades = (step / (SWEEP_INTENSITIES - 1) for step in range(SWEEP_INTENSITIES))
        steps += [("intensity sweep", PLAIN_RADIUS * side, shade) for shade in shades]
    return [normal, *(_step(normal, *step) for step in steps)]


def _step(normal: Role, name: str, radius: float, shade: float) -> Role:
    return replace(
        normal,
        scope=Scope.LOCAL,
        category=Category.IMAGES,
        subcategory=name,
        origin="artificial",
        given={"radius_voxels": round(radius, 4), "intensity": round(shade, 4)},
    )


def _natural(condition: Condition, role: Role) -> Role:
    """Take a scan that has it."""
    return replace(
        role,
        pool=None,
        scope=Scope.LOCAL if condition.mask else Scope.GLOBAL,
        category=str(condition.category),
        subcategory=condition.subcategory,
        difficulty=condition.difficulty,
        origin="natural",
        condition=condition,
    )

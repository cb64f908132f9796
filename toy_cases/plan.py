"""Every volume of a challenge, decided before the first is written: its scan, its name, its seed.

Scans come in pools (normal test cases, bases of anomalous ones, training, …): no patient is in two of them, so
no scan is both a normal case and the base of an anomaly. Names follow from the seed by a hash and say nothing.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from toy_cases.conditions import read_conditions
from toy_cases.recipe import DatasetRecipe, Recipe, RecipeError, sha256_of
from toy_cases.sets import Pool, Role, SetName, Split, roles_of
from toy_cases.sources import ScanRef, Source, open_source

APART = 10  # patients; with fewer, whose scan it is would tell normal cases from anomalous ones
LIBRARIES = ("mood-challenge", "numpy", "scipy", "nibabel")  # another version, other bytes
OF_TORCHIO = ("torchio", "torch")  # likewise, where its artefacts are asked for


@dataclass(frozen=True, kw_only=True)
class PlannedCase:
    """One volume to be written."""

    dataset: str
    role: Role
    name: str  # file name
    number: int  # its place in the data set's sequence of seeds
    scan: ScanRef
    moved: bool = False  # a small rigid move makes it differ from other uses of its scan

    @property
    def key(self) -> str:
        """Where it goes, below everything that is made."""
        return f"{self.role.home}/{self.dataset}/{self.role.split}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class DatasetPlan:
    """All volumes of a data set, in an order that says nothing."""

    recipe: DatasetRecipe
    source: Source
    cases: tuple[PlannedCase, ...]
    pools: Mapping[Pool, frozenset[ScanRef]]  # the scans of each
    reused: bool  # a scan serves more than one case
    set_aside: int  # scans left out because their patient has a condition

    @property
    def homes(self) -> tuple[SetName, ...]:
        """The sets that are challenge folders."""
        found = {case.role.home for case in self.cases if case.role.home is not SetName.PARTICIPANTS}
        return tuple(home for home in SetName if home in found)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole challenge."""

    recipe: Recipe
    recipe_text: bytes  # as the organizer wrote it
    datasets: tuple[DatasetPlan, ...]

    @property
    def cases(self) -> tuple[PlannedCase, ...]:
        """Every volume, by name."""
        return tuple(case for dataset in self.datasets for case in dataset.cases)

    @property
    def fingerprint(self) -> str:
        """Two builds with the same one write the same bytes."""
        listed = [[case.key, case.number, repr(case.role), case.scan.name, case.moved] for case in self.cases]
        content = json.dumps([listed, sha256_of(self.recipe_text), libraries(self.recipe), _own_code_sha256()])
        return hashlib.sha256(content.encode()).hexdigest()


def make_plan(recipe: Recipe, text: bytes) -> Plan:
    """Decide everything. Raises RecipeError, or ValueError naming a scan's header that is of no use."""
    datasets = tuple(_plan_dataset(recipe, dataset) for dataset in recipe.datasets)
    complaints = [complaint for planned in datasets for complaint in _complaints(recipe, planned)]
    if complaints:
        raise RecipeError(complaints)
    return Plan(recipe=recipe, recipe_text=text, datasets=datasets)


def libraries(recipe: Recipe) -> dict[str, str]:
    """Name the versions that the bytes depend on."""
    names = (*LIBRARIES, *OF_TORCHIO) if recipe.torchio else LIBRARIES
    return {name: found for name in names if (found := _version(name))}


def stream(recipe: Recipe, dataset: str, *numbers: int) -> tuple[int, ...]:
    """Give a seed of its own to a data set and a purpose; another data set in the recipe does not change it."""
    return (recipe.seed, int.from_bytes(hashlib.sha256(dataset.encode()).digest()[:8], "big"), *numbers)


def allocate(
    needs: Mapping[Pool, int], scans: Sequence[ScanRef], rng: np.random.Generator, *, reuse: bool
) -> tuple[dict[Pool, list[ScanRef]], bool]:
    """Deal patients to pools, in random order, each whole; gives each pool's scans and whether any serves twice.

    With `reuse` too few are shared out in proportion, or where a pool would have fewer than `APART` patients, all
    of them serve in every pool. Raises RecipeError without it: "needs N normal scans, found M".
    """
    patients = _patients(scans, rng)
    dealt = _covering(needs, patients)
    if dealt is not None:
        return dealt, False
    if not reuse:
        raise RecipeError([_too_few(needs, patients)])
    if not patients:
        raise RecipeError(["found no normal scan at all: there is nothing to use again"])
    shared_out = _proportional(needs, patients)
    if all(len({scan.patient for scan in shared_out[pool]}) >= min(needs[pool], APART) for pool in needs):
        return shared_out, True
    everyone = [scan for patient in patients for scan in patient]
    return {pool: [everyone[i] for i in rng.permutation(len(everyone))] for pool in needs}, True


def _plan_dataset(recipe: Recipe, dataset: DatasetRecipe) -> DatasetPlan:
    rng = np.random.default_rng(stream(recipe, dataset.name, 0))
    conditions = read_conditions(dataset.conditions) if dataset.conditions else ()
    roles = roles_of(dataset, conditions, rng, torchio=recipe.torchio)
    needs = _needs(roles)
    source = _opened(recipe, dataset, count=sum(needs.values()))
    found = source.names()
    ill = {condition.patient for condition in conditions}
    scans = [scan for scan in found if scan.patient not in ill]
    try:
        pools, reused = allocate(needs, scans, rng, reuse=recipe.reuse_scans)
    except RecipeError as error:
        raise RecipeError([f"data set {dataset.name}: {complaint}" for complaint in error.complaints]) from error
    cases = _cast(recipe, dataset, roles, pools, reused=reused)
    return DatasetPlan(
        recipe=dataset,
        source=source,
        cases=tuple(sorted(cases, key=lambda case: case.name)),
        pools={pool: frozenset(given) for pool, given in pools.items()},
        reused=reused,
        set_aside=len(found) - len(scans),
    )


def _opened(recipe: Recipe, dataset: DatasetRecipe, *, count: int) -> Source:
    spec = dataset.source
    return open_source(
        spec.kind,
        dataset=dataset.anatomy if spec.kind == "phantoms" else dataset.name,
        size=dataset.size,
        path=spec.path,
        modality=spec.modality,
        window=spec.window,
        seed=stream(recipe, dataset.name, 1),
        count=count,
    )


def _needs(roles: Iterable[Role]) -> dict[Pool, int]:
    """Count the scans of each pool: two sets that share one need as many as the larger."""
    wanted = Counter((role.pool, role.home) for role in roles if role.pool is not None)
    needs: dict[Pool, int] = {}
    for (pool, _), count in wanted.items():
        # A sweep is of one scan, however many steps it has.
        needs[pool] = 1 if pool is Pool.SWEEPS else max(needs.get(pool, 0), count)
    return {pool: needs[pool] for pool in Pool if pool in needs}


def _patients(scans: Sequence[ScanRef], rng: np.random.Generator) -> list[list[ScanRef]]:
    """Put each patient's scans together, patients in random order."""
    grouped: dict[str, list[ScanRef]] = {}
    for scan in scans:
        grouped.setdefault(scan.patient, []).append(scan)
    together = list(grouped.values())
    return [together[i] for i in rng.permutation(len(together))]


def _covering(needs: Mapping[Pool, int], patients: Sequence[Sequence[ScanRef]]) -> dict[Pool, list[ScanRef]] | None:
    """Give every pool what it needs, large patients first, each to the pool that lacks most; None if they run out."""
    dealt: dict[Pool, list[ScanRef]] = {pool: [] for pool in needs}
    for patient in sorted(patients, key=len, reverse=True):
        pool = max(needs, key=lambda pool: needs[pool] - len(dealt[pool]))
        if needs[pool] > len(dealt[pool]):
            dealt[pool] += patient
    return dealt if all(len(dealt[pool]) >= count for pool, count in needs.items()) else None


def _proportional(needs: Mapping[Pool, int], patients: Sequence[Sequence[ScanRef]]) -> dict[Pool, list[ScanRef]]:
    """Share out too few: each patient to the pool of which the smallest share is covered."""
    dealt: dict[Pool, list[ScanRef]] = {pool: [] for pool in needs}
    for patient in sorted(patients, key=len, reverse=True):
        pool = min(needs, key=lambda pool: (len(dealt[pool]) / needs[pool], -needs[pool]))
        dealt[pool] += patient
    return dealt


def _too_few(needs: Mapping[Pool, int], patients: Sequence[Sequence[ScanRef]]) -> str:
    total, found = sum(needs.values()), sum(map(len, patients))
    parts = ", ".join(f"{count} {pool}" for pool, count in needs.items())
    grouped = ""
    if found >= total:
        grouped = f" of {len(patients)} patients, whose scans cannot be split so that each part has enough"
    return (
        f"needs {total} normal scans ({parts}), found {found}{grouped}: add scans, lower the counts, or set "
        "reuse_scans: true to move scans a little and use them again, which the manifest will say"
    )


def _cast(
    recipe: Recipe,
    dataset: DatasetRecipe,
    roles: Sequence[Role],
    pools: Mapping[Pool, Sequence[ScanRef]],
    *,
    reused: bool,
) -> list[PlannedCase]:
    """Give each role a scan and a name. Within a set a pool's scans are taken in turn."""
    cases = []
    taken: Counter[tuple[Pool, SetName]] = Counter()
    names: set[str] = set()
    for number, role in enumerate(roles):
        if role.condition is not None:
            scan = ScanRef(name=role.condition.name, patient=role.condition.patient)
        elif role.pool is Pool.SWEEPS:
            scan = pools[role.pool][0]
        elif role.pool is not None:
            scan = pools[role.pool][taken[role.pool, role.home] % len(pools[role.pool])]
            taken[role.pool, role.home] += 1
        name = _name(recipe, dataset.name, number, names)
        cases.append(PlannedCase(dataset=dataset.name, role=role, name=name, number=number, scan=scan))
    if not reused:
        return cases
    uses = Counter(case.scan for case in cases)
    return [replace(case, moved=_is_moved(case, uses)) for case in cases]


def _is_moved(case: PlannedCase, uses: Mapping[ScanRef, int]) -> bool:
    """A sweep stays in its place, and a natural condition is as it was scanned."""
    return uses[case.scan] > 1 and case.role.pool not in {None, Pool.SWEEPS}


def _name(recipe: Recipe, dataset: str, number: int, taken: set[str]) -> str:
    """Draw a file name that is not taken yet: from the published ones nobody finds the seed or the others."""
    for draw in range(100):
        content = f"{recipe.seed}/{dataset}/{number}/{draw}"
        name = f"{hashlib.sha256(content.encode()).hexdigest()[:12]}.nii.gz"
        if name not in taken:
            taken.add(name)
            return name
    raise AssertionError("a hundred hashes of 48 bits were all taken")


def _complaints(recipe: Recipe, planned: DatasetPlan) -> list[str]:
    """Say what a task would lack: better now than when all is written."""
    found = []
    for home in planned.homes:
        roles = [case.role for case in planned.cases if (case.role.home, case.role.split) == (home, Split.TEST)]
        scopes = Counter(str(role.scope) for role in roles)
        where = f"data set {planned.recipe.name}, {home}"
        if scopes["local"] + scopes["global"] == 0:
            found.append(f"{where}: no anomalous test case, scores would be undefined: ask for some")
        elif planned.recipe.has_masks:
            pixel = scopes["normal"] + scopes["local"]
            batches = math.ceil(pixel / recipe.batch_size)
            if scopes["local"] < batches:
                found.append(
                    f"{where}: {pixel} cases of the pixel task make {batches} batches of {recipe.batch_size}, each of "
                    f"which needs a local anomaly, but there are {scopes['local']}: add local ones, choose a larger "
                    "batch_size, or set has_masks: false"
                )
    return found


@cache
def _own_code_sha256() -> str:
    """Name this very program: between two releases the version says nothing."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

"""One planned volume becomes files: read or drawn, moved, made abnormal, written with its labels.

A maker can be sent to another process. What it makes follows from the case and the recipe's seed alone, so it
does not matter which process makes which case, or in which order.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evaluator.dataset import file_entry
from toy_cases import rigid
from toy_cases.anomalies import (
    Array,
    Drawn,
    Mask,
    NoPlaceError,
    Scope,
    body_of,
    by_name,
    fixed_place,
    measured,
    sphere_at,
)
from toy_cases.conditions import Condition, read_condition, verify_condition
from toy_cases.nifti import write_bytes, write_volume
from toy_cases.plan import DatasetPlan, Plan, PlannedCase, stream
from toy_cases.preprocess import Affine, Scan
from toy_cases.sets import Pool, Role, SetName, Split, drawn_by
from toy_cases.sources import ScanRef

DRAWS = 3  # of an anomaly that found no place, each with other random numbers
OWN_COLUMNS = ("size_voxels", "contrast")  # parameters with a column of their own
Files = Mapping[str, str]  # path below a set's folder -> sha256
Row = Mapping[str, str]  # of cases.csv


@dataclass(frozen=True, kw_only=True)
class Made:
    """What became of a case."""

    case: PlannedCase
    files: Files  # none: it was left out
    row: Row | None = None  # None: a training volume, or left out
    remark: str = ""  # what a reader of the results must know


class Maker:
    """Makes the cases of a plan. Keeps the last scan where others need it again: one volume, not more."""

    def __init__(self, plan: Plan, folders: Mapping[SetName, Path]) -> None:
        self._recipe = plan.recipe
        self._datasets: Mapping[str, DatasetPlan] = {planned.recipe.name: planned for planned in plan.datasets}
        self._folders = folders
        self._last: tuple[str, ScanRef, Scan] | None = None

    def verify(self, case: PlannedCase) -> None:
        """Read a case's scan and see whether it will do. Raises ValueError naming it."""
        planned, condition = self._datasets[case.dataset], case.role.condition
        if condition is None:
            planned.source.verify(case.scan)
        else:
            spec = planned.recipe.source
            verify_condition(condition, modality=spec.modality, window=spec.window)

    def make(self, case: PlannedCase) -> Made:
        """Write a case. Raises ValueError naming the scan at fault, OSError where the disk is."""
        if case.role.condition is not None:
            return self._make_natural(case, case.role.condition)
        scan = self._scan(case)
        try:
            drawn, role = self._draw(case, scan.volume)
        except NoPlaceError as error:
            if case.role.given:
                remark = (
                    f"{case.dataset}: {case.role.subcategory} leaves out {dict(case.role.given)}: it does not show."
                )
                return Made(case=case, files={}, remark=remark)
            raise NoPlaceError(
                f"{case.scan.name}: no place for {case.role.kind}: {error}. Take the scan or that subcategory out."
            ) from error
        files = self._write(case, drawn, scan.affine)
        row = None if case.role.split is Split.TRAINING else _row(replace(case, role=role), drawn)
        return Made(case=case, files=files, row=row)

    def _make_natural(self, case: PlannedCase, condition: Condition) -> Made:
        """Write a scan that has a condition; its mask is the organizer's."""
        recipe = self._datasets[case.dataset].recipe
        spec = recipe.source
        labelled = read_condition(condition, recipe.shape, modality=spec.modality, window=spec.window)
        size: dict[str, float | str] = {}
        if labelled.mask is not None:
            size["size_voxels"] = int(np.count_nonzero(labelled.mask))
        drawn = Drawn(volume=labelled.scan.volume, mask=labelled.mask, parameters=size)
        return Made(case=case, files=self._write(case, drawn, labelled.scan.affine), row=_row(case, drawn))

    def _scan(self, case: PlannedCase) -> Scan:
        """Read the case's scan, moved if it must be."""
        if self._last is not None and self._last[:2] == (case.dataset, case.scan):
            scan = self._last[2]
        else:
            self._last = None  # before the next is read: one at a time
            scan = self._datasets[case.dataset].source.read(case.scan)
        if case.moved:
            self._last = (case.dataset, case.scan, scan)
            moved = rigid.move(
                scan.volume, np.random.default_rng(stream(self._recipe, case.dataset, 2, case.number, 0))
            )
            return Scan(volume=moved, affine=scan.affine, modality=scan.modality, window=scan.window)
        if case.role.pool is Pool.SWEEPS:
            self._last = (case.dataset, case.scan, scan)
        return scan

    def _draw(self, case: PlannedCase, normal: Array) -> tuple[Drawn, Role]:
        """Make it abnormal, if it is to be; gives also the role it plays now. Raises NoPlaceError."""
        role = case.role
        if role.scope is Scope.NORMAL:
            return Drawn(volume=normal, mask=np.zeros(normal.shape, dtype=np.bool_), parameters={}), role
        body = body_of(normal)
        if role.given:
            return _at_its_place(normal, body, role.given), role
        complaint = NoPlaceError("not drawn")
        for draw in range(DRAWS * (1 + len(role.alternatives))):
            kind = by_name((role.kind, *role.alternatives)[draw // DRAWS])
            rng = np.random.default_rng(stream(self._recipe, case.dataset, 2, case.number, 1 + draw))
            try:
                return kind.draw(normal, body, rng), drawn_by(kind, role)
            except NoPlaceError as error:
                complaint = error
        raise complaint

    def _write(self, case: PlannedCase, drawn: Drawn, affine: Affine) -> dict[str, str]:
        """Write volume and labels; gives their hashes."""
        home, split = self._folders[case.role.home], case.role.split
        if split is Split.TRAINING:
            path = home / split / case.dataset / case.name
            _write_volume(path, drawn.volume, affine)
            return _hashes(home, [path])
        volume = home / case.dataset / split / case.name
        labels = home / case.dataset / f"{split}_label"
        sample = labels / "sample" / f"{case.name}.txt"
        _write_volume(volume, drawn.volume, affine)
        sample.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(sample, b"0\n" if case.role.scope is Scope.NORMAL else b"1\n")
        if drawn.mask is None or not self._datasets[case.dataset].recipe.has_masks:
            return _hashes(home, [volume, sample])
        pixel = labels / "pixel" / case.name
        _write_volume(pixel, drawn.mask.astype(np.uint8), affine)
        return _hashes(home, [volume, sample, pixel])


def _at_its_place(normal: Array, body: Mask, given: Mapping[str, float]) -> Drawn:
    """One step of a sweep."""
    shape = sphere_at(normal, body, fixed_place(body), given["radius_voxels"], given["intensity"])
    size = measured(normal, shape.volume, shape.mask)
    centre = " ".join(map(str, shape.centre))
    return Drawn(volume=shape.volume, mask=shape.mask, parameters={**size, **given, "centre": centre})


def _write_volume(path: Path, volume: Array | np.typing.NDArray[np.uint8], affine: Affine) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(path, volume, affine)


def _hashes(home: Path, paths: list[Path]) -> dict[str, str]:
    return {path.relative_to(home).as_posix(): file_entry(path).sha256 for path in paths}


def _row(case: PlannedCase, drawn: Drawn) -> dict[str, str]:
    """Give its line of cases.csv."""
    role = case.role
    others = {name: value for name, value in drawn.parameters.items() if name not in OWN_COLUMNS}
    if case.moved:
        others["moved"] = "yes"
    return {
        "case": case.name,
        "dataset": case.dataset,
        "split": str(role.split),
        "scope": str(role.scope),
        "category": str(role.category),
        "subcategory": role.subcategory,
        "origin": role.origin,
        "difficulty": "" if role.difficulty is None else str(role.difficulty),
        **{name: str(drawn.parameters.get(name, "")) for name in OWN_COLUMNS},
        "source": case.scan.name,
        "parameters": json.dumps(others, sort_keys=True) if others else "",
    }

"""What an organizer asks for: recipe.yaml, checked in full before anything is made.

A complaint names the place in the recipe, the value found there, and what to do. Whether the scans suffice is
for plan.py, which looks at them.
"""

import hashlib
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from toy_cases.anomalies import Category
from toy_cases.preprocess import Modality

SMALLEST = 16  # voxels a side; below it an anomaly has no room
ADVICE = {
    "extra_forbidden": "take it out or correct its spelling; `mood data recipe` prints every key",
    "missing": "add it; `mood data recipe` prints an example",
    "enum": "choose one of these",
    "literal_error": "choose one of these",
}
DEFAULT_ADVICE = "correct it; `mood data recipe` prints an example"
Count = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=SMALLEST)]


class RecipeError(ValueError):
    """A recipe that cannot be followed. `complaints` has a line for each thing that is wrong."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = tuple(complaints)


class Part(BaseModel):
    """A piece of a recipe: every key is known, nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceRecipe(Part):
    """Where a data set's normal scans come from."""

    kind: Literal["phantoms", "folder", "dicom", "template"]
    path: Path | None = None  # of a folder; relative ones start at the recipe
    modality: Modality | None = None  # None: looked up in each scan's values
    window: tuple[float, float] | None = None  # source intensities that become 0 and 1
    anatomy: Literal["brain", "abdom"] | None = None  # of phantoms; None: the data set's name

    @model_validator(mode="after")
    def _fits(self) -> Self:
        files = self.kind in {"folder", "dicom"}
        if files and self.path is None:
            raise ValueError(f"a source of kind {self.kind} needs path: the folder with its normal scans")
        if not files and (self.path or self.window):
            raise ValueError(f"a source of kind {self.kind} reads no scans: take path and window out")
        if self.window and self.window[0] >= self.window[1]:
            raise ValueError(f"window {list(self.window)}: the first number must be below the second")
        return self


class ToyRecipe(Part):
    """The published cases with labels."""

    spheres: int = Field(default=3, ge=1)
    normal: Count = 1


class TestRecipe(Part):
    """The hidden test set."""

    normal: Literal["half"] | Annotated[int, Field(ge=1)] = "half"  # half: as many as all anomalous ones
    # A number is spread evenly over the category's subcategories.
    anomalous: dict[Category, Count | dict[str, Count]]


class AnalysisRecipe(Part):
    """A set for comparing subcategories: as many cases of each, and as many normal ones as of all."""

    per_subcategory: int = Field(ge=1)
    scans: Literal["own", "test"] = "own"  # test: the hidden test set's scans serve again


class ToyishRecipe(Part):
    """The proxy set: spheres and cubes, and as many normal cases."""

    count: int = Field(default=100, ge=1)  # abnormal ones
    scans: Literal["own", "test"] = "own"


class SweepsRecipe(Part):
    """A sphere at one place of one scan, grown and brightened step by step."""

    radius: bool = True
    intensity: bool = True

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.radius and not self.intensity:
            raise ValueError("neither radius nor intensity is swept: set one of them to true, or leave sweeps out")
        return self


class DatasetRecipe(Part):
    """A data set with all that is made of it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9]{0,19}$")  # it stands in the entry script's name
    title: str = Field(default="", max_length=200)  # "": the name
    source: SourceRecipe
    size: Side | tuple[Side, Side, Side]  # voxels: of a cube, or along x, y and z
    has_masks: bool = True  # False: the data set has a sample task only
    toy: ToyRecipe = ToyRecipe()
    training: Count = 0  # normal volumes for participants
    test: TestRecipe
    conditions: Path | None = None  # CSV of scans with natural conditions; all of them become test cases
    analysis: AnalysisRecipe | None = None
    toyish: ToyishRecipe | None = None
    sweeps: SweepsRecipe | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """The grid of every volume, in voxels."""
        return (self.size, self.size, self.size) if isinstance(self.size, int) else self.size

    @property
    def anatomy(self) -> str:
        """What phantoms show."""
        return self.source.anatomy or self.name

    @property
    def modalities(self) -> frozenset[str]:
        """What an anomaly must make sense for: both, where it is not said which."""
        if self.source.modality:
            return frozenset({str(self.source.modality)})
        if self.source.kind == "phantoms":
            return frozenset({"ct" if self.anatomy == "abdom" else "mr"})
        return frozenset({"mr"} if self.source.kind == "template" else {"mr", "ct"})

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.source.kind == "phantoms" and self.anatomy not in {"brain", "abdom"}:
            raise ValueError(f"there are no phantoms of {self.anatomy!r}: set source.anatomy to brain or abdom")
        if self.sweeps and not self.has_masks:
            raise ValueError("sweeps are of the pixel task: take them out, or has_masks: false")
        return self


class Recipe(Part):
    """A whole challenge."""

    slug: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    title: str = Field(min_length=1, max_length=200)
    description: str = "Find what is out of the ordinary in a scan, having seen only ordinary ones."
    rules: str = ""
    seed: Count  # everything follows from it: as secret as the labels
    batch_size: int = Field(default=20, ge=1)  # cases of a batch in the pixel task
    torchio: bool = False  # also the MRI artefacts of TorchIO, which the extra `toy` brings
    reuse_scans: bool = False  # where there are too few: moved a little and used again, which the manifest says
    datasets: list[DatasetRecipe] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [dataset.name for dataset in self.datasets]
        if len(set(names)) < len(names):
            raise ValueError(f"datasets {names}: one name stands twice: rename one")
        return self

    def to_yaml(self) -> bytes:
        """Give a file that reads as this recipe."""
        fields = self.model_dump(mode="json", exclude_defaults=True)
        return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True).encode()


def read(path: Path) -> tuple[Recipe, bytes]:
    """Read a recipe; gives it and the file's bytes, paths in it starting at the file. Raises RecipeError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecipeError(
            [f"{path}: cannot be read ({error.strerror}); `mood data recipe > {path}` makes one"]
        ) from error
    recipe = parse(content, name=path.name)
    folder = path.absolute().parent
    datasets = [_placed(dataset, folder) for dataset in recipe.datasets]
    return recipe.model_copy(update={"datasets": datasets}), content


def parse(content: bytes, *, name: str = "recipe.yaml") -> Recipe:
    """Read a recipe's text. Raises RecipeError with every complaint there is."""
    try:
        found = yaml.load(content, _Loader)  # noqa: S506  _Loader is the safe one, stricter
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError([f"{name}: is not YAML: {error}"]) from error
    try:
        return Recipe.model_validate(found)
    except ValidationError as error:
        raise RecipeError([_complaint(name, dict(each)) for each in error.errors()]) from error


def sha256_of(content: bytes) -> str:
    """Name a recipe by its bytes."""
    return hashlib.sha256(content).hexdigest()


def example() -> str:
    """Give a commented recipe with a seed of its own."""
    return EXAMPLE.format(seed=secrets.randbits(128))


def _placed(dataset: DatasetRecipe, folder: Path) -> DatasetRecipe:
    """Let its paths start at the recipe's folder."""
    source, conditions = dataset.source, dataset.conditions
    if source.path is not None:
        source = source.model_copy(update={"path": folder / source.path})
    if conditions is not None:
        conditions = folder / conditions
    return dataset.model_copy(update={"source": source, "conditions": conditions})


def _complaint(name: str, error: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the whole"
    said = str(error["msg"]).removeprefix("Value error, ")
    advised = error["type"] == "value_error"  # ours: say what to do themselves
    found = "" if advised or error["type"] == "missing" else f" (found {error['input']!r:.80})"
    return f"{name}: {where}: {said}{found}" + ("" if advised else f": {ADVICE.get(error['type'], DEFAULT_ADVICE)}")


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  its own signature
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


EXAMPLE = """\
# A challenge's data, made by: mood data make recipe.yaml OUT
# Keep this file as secret as the labels: whoever has it and the scans can make the test set.

slug: my-challenge                # short name, for addresses and hosts
title: My challenge
description: Find what is out of the ordinary in a scan, having seen only ordinary ones.
rules: Who may take part, and how.

seed: {seed}   # everything follows from it
batch_size: 20                    # cases of a batch in the pixel task
torchio: false                    # true: also the MRI artefacts of TorchIO (pip install 'mood-challenge[toy]')
reuse_scans: false                # true: too few scans are moved a little and used again; the manifest says so

datasets:
  - name: brain                   # containers are called with it: run_sample_brain.sh
    title: Brain MR
    source:
      kind: phantoms              # phantoms | folder (of NIfTI) | dicom (folder of series) | template (the MNI152 head)
      # path: scans/brain         # folder, dicom: normal scans; a patients.csv in it says which are of one patient
      # modality: mr              # folder, dicom: mr | ct; without it, anomalies are used that fit both
      # window: [-1000, 1000]     # intensities that become 0 and 1; without it robust percentiles (mr) or these (ct)
    size: 64                      # voxels a side, or [x, y, z]; published: 256 for the brain, 512 for the abdomen
    has_masks: true               # false: sample task only
    training: 40                  # normal volumes for participants
    toy: {{spheres: 3, normal: 1}}  # published with their labels
    test:
      normal: half                # as many normal cases as anomalous ones; or a number
      anomalous:                  # a number is spread over all subcategories of a category
        images: 10
        pathologies: 10
        local corruptions: 10
        corruptions: 6
        alterations: 6
        destructions: 6
        # destructions: {{missing slices: 4, salt and pepper: 2}}   or name them
    # conditions: conditions.csv  # scans with natural conditions, all of which become test cases
    # analysis: {{per_subcategory: 4}}     # dedicated set: as many of every subcategory, half normal
    # toyish: {{count: 100}}               # proxy set: spheres and cubes, and as many normal cases
    # sweeps: {{radius: true, intensity: true}}
    # analysis and toyish take `scans: test` to use the test set's scans again instead of their own

  - name: abdom
    title: Abdominal CT
    source: {{kind: phantoms}}
    size: 80
    training: 40
    test:
      anomalous: {{images: 10, pathologies: 10, local corruptions: 10, corruptions: 6, alterations: 6, destructions: 6}}
"""

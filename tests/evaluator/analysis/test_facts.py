import pytest

from evaluator.analysis.entries import Facts
from evaluator.analysis.facts import MOST_COMPLAINTS, FactsError, facts_of, read

HEADER = "case,dataset,split,scope,category,subcategory,origin,difficulty,size_voxels,contrast,source,parameters"
LOCAL = (
    "a.nii.gz,brain,test,local,images,sphere,artificial,5,491,0.0919,base.nii.gz,"
    '"{""centre"": ""33 28 29"", ""intensity"": 0.9793, ""moved"": ""yes""}"'
)
NORMAL = "b.nii.gz,brain,test,normal,,,,,,,base.nii.gz,"


def complaints_of(*lines: str) -> tuple[str, ...]:
    with pytest.raises(FactsError) as raised:
        read("\n".join(lines))
    return raised.value.complaints


def test_lines_of_toy_cases_are_read() -> None:
    local, normal = read(f"{HEADER}\n{LOCAL}\n{NORMAL}\n")
    assert (local.dataset, local.case, local.split) == ("brain", "a.nii.gz", "test")
    assert local.facts == Facts(
        scope="local",
        category="images",
        subcategory="sphere",
        origin="artificial",
        difficulty=5,
        size_voxels=491,
        contrast=0.0919,
        parameters={"centre": "33 28 29", "intensity": 0.9793, "moved": "yes"},
    )
    assert normal.facts == Facts(scope="normal")


def test_a_kept_line_gives_the_same_facts() -> None:
    (local, _) = read(f"{HEADER}\n{LOCAL}\n{NORMAL}\n")
    assert facts_of(dict(local.row)) == local.facts


def test_four_columns_suffice_in_any_order_and_others_are_passed_over() -> None:
    (found,) = read("scope, case ,colour,split,dataset\r\nnormal,a,red,toy,brain\r\n")
    assert (found.case, found.split, found.facts) == ("a", "toy", Facts(scope="normal"))


def test_a_mark_of_the_byte_order_is_no_part_of_a_name() -> None:
    assert [one.case for one in read(f"\ufeff{HEADER}\n{NORMAL}")] == ["b.nii.gz"]


def test_every_complaint_names_line_and_column() -> None:
    assert complaints_of(
        HEADER,
        NORMAL,
        "c,brain,train,lokal,images,sphere,made,6,some,nan,x,[1]",
        ",,test,local,,,,,,,,",
        "d,brain,test,normal",
        NORMAL,
    ) == (
        "line 3, column split: 'train' is not one of toy, test",
        "line 3, column scope: 'lokal' is not one of normal, local, global",
        "line 3, column origin: 'made' is not one of natural, artificial",
        "line 3, column difficulty: '6' is not a whole number from 1 (hardest) to 5",
        "line 3, column size_voxels: 'some' is not a whole number of voxels",
        "line 3, column contrast: 'nan' is not a number",
        "line 3, column parameters: '[1]' is not a JSON object",
        "line 4, column case: empty; a name is needed",
        "line 4, column dataset: empty; a name is needed",
        "line 4, column category: empty, though the case is not normal",
        "line 5: not 12 cells, as many as the first line has columns",
        "line 6, column case: b.nii.gz of brain stands there twice",
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: case, dataset, split, scope missing; found nothing"),
        ("case,dataset,split\n", "line 1: scope missing; found case, dataset, split"),
        ("case,case,split\n", "line 1, column case: stands there 2 times"),
    ],
)
def test_a_header_that_cannot_be_is_told(text: str, complaint: str) -> None:
    assert complaints_of(text) == (complaint,)


def test_a_long_list_of_complaints_is_cut_in_the_message() -> None:
    with pytest.raises(FactsError, match="and 3 more") as raised:
        read("\n".join(["case,dataset,split,scope", *(f"c{i},brain,dev,normal" for i in range(MOST_COMPLAINTS + 3))]))
    assert len(raised.value.complaints) == MOST_COMPLAINTS + 3


def test_the_same_name_in_two_data_sets_is_two_cases() -> None:
    assert len(read("case,dataset,split,scope\na,brain,test,normal\na,abdom,test,normal")) == 2

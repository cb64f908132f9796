from dataclasses import replace

import pytest

from evaluator.analysis.tables import Column, Row, Table, Value, table
from server.web.cells import lines, written
from server.web.latex import LONG, latex
from server.web.wide import is_printed, readable, told

TEAM = Column(name="team", title="Team")
AP = Column(name="ap", title="AP", kind="number")


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (AP, None, "n/a"),
        (AP, float("nan"), "n/a"),
        (AP, float("inf"), "n/a"),
        (AP, -0.0001, "0.000"),
        (AP, -0.25, "−0.250"),
        (AP, 1, "1.000"),
        (Column(name="n", title="n", kind="count"), 1234567, "1,234,567"),
        (Column(name="rank", title="Rank", kind="count"), 1.5, "1.500"),
        (Column(name="p_holm", title="p", kind="number"), 0.00049, "< 0.001"),
        (Column(name="p_holm", title="p", kind="number"), 0.0, "< 0.001"),
        (Column(name="metric", title="Metric"), "dataset_auroc", "AUROC"),
        (Column(name="metric", title="Metric"), "of the future", "of the future"),
        (TEAM, "-0.1 of nothing", "-0.1 of nothing"),
    ],
)
def test_values_are_written_as_printed_tables_do(column: Column, value: Value, expected: str) -> None:
    assert written(column, value) == expected


def long_table(*rows: tuple[str, str, int, float | None]) -> Table:
    columns = (
        Column(name="dataset", title="Data set"),
        TEAM,
        Column(name="rank", title="Rank", kind="count"),
        Column(name="probability", title="Probability", kind="number"),
    )
    names = [column.name for column in columns]
    return table(
        "rank_probabilities", "Ranks", "How often.", columns, [dict(zip(names, row, strict=True)) for row in rows]
    )


def test_texts_that_repeat_the_line_above_are_left_out() -> None:
    found = list(lines(long_table(("a", "X", 1, 0.5), ("a", "X", 2, 0.5), ("a", "Y", 1, 1.0), ("b", "Y", 1, 1.0))))
    assert [line.cells[:2] for line in found] == [("a", "X"), ("", ""), ("", "Y"), ("b", "Y")]
    assert [line.begins for line in found] == [True, False, False, True]


def test_lines_of_a_table_without_groups_begin_none() -> None:
    columns = [TEAM, AP]
    rows: list[Row] = [{"team": "X", "ap": 0.5}, {"team": "Y", "ap": 0.4}]
    assert not any(line.begins for line in lines(table("t", "T", "", columns, rows)))


def test_long_table_is_turned_and_keeps_each_number_in_its_place() -> None:
    turned = readable(long_table(("a", "X", 1, 0.7), ("a", "X", 2, None), ("a", "Y", 2, 1.0)))
    assert [column.title for column in turned.columns] == ["Data set", "Team", "1", "2"]
    assert [line.cells for line in lines(turned)] == [("a", "X", "0.700", "n/a"), ("", "Y", "", "1.000")]


def test_lines_without_a_number_are_left_out_and_counted() -> None:
    turned = readable(long_table(("a", "X", 1, 0.7), ("a", "X", 2, 0.3), ("a", "Y", 1, None), ("a", "Y", 2, None)))
    assert len(turned.rows) == 1
    assert "1 line without a number is left out." in turned.caption


def test_table_with_too_much_to_compare_stays_long() -> None:
    rows = [("a", "X", rank, 0.01) for rank in range(1, 100)]
    assert readable(long_table(*rows)).rows == long_table(*rows).rows


def test_pairs_stand_in_the_same_order_across_and_down() -> None:
    columns = [Column(name=name, title=name) for name in ("dataset", "better", "worse")]
    pairs = [("A", "C"), ("A", "B"), ("B", "C"), ("C", "B")]
    rows: list[Row] = [{"dataset": "a", "better": better, "worse": worse, "p_holm": 0.5} for better, worse in pairs]
    turned = readable(table("tests", "T", "", [*columns, Column(name="p_holm", title="p", kind="number")], rows))
    assert [column.title for column in turned.columns] == ["dataset", "better", "B", "C"]


def test_intervals_stand_in_one_cell() -> None:
    columns = [TEAM, AP, *(Column(name=f"ap_{end}", title=end, kind="number") for end in ("low", "high"))]
    rows: list[Row] = [
        {"team": "X", "ap": 0.5, "ap_low": 0.4, "ap_high": 0.6},
        {"team": "Y", "ap": 0.5, "ap_low": None, "ap_high": None},
    ]
    joined = readable(table("places", "T", "", columns, rows))
    assert [line.cells for line in lines(joined)] == [("X", "0.500 [0.400, 0.600]"), ("Y", "0.500")]
    assert joined.columns[1].title == "AP [95 % interval]"


def test_histograms_and_endless_tables_are_in_the_files_alone() -> None:
    few = long_table(("a", "X", 1, 0.7), ("a", "X", 2, 0.3))
    assert is_printed(few)
    assert not is_printed(replace(few, name="level_histograms"))
    assert not is_printed(replace(few, name="other", rows=few.rows * 100))
    assert not is_printed(replace(few, rows=()))


def test_latex_escapes_what_teams_and_captions_may_hold() -> None:
    rows: list[Row] = [{"team": r"A&B_50% #1 \ {x}~^ <$> n₀ ≥ 2 mm³ − 1", "ap": 0.5}]
    written_out = latex(table("t", "T", "100 % of 3×3 — “all”", [TEAM, AP], rows, "Too_few."))
    assert (
        r"A\&B\_50\% \#1 \textbackslash{} \{x\}\textasciitilde{}\textasciicircum{} $<$\$$>$ n$_0$ $\geq$ 2 mm$^3$ $-$ 1"
        in (written_out)
    )
    assert r"100 \% of 3$\times$3 --- ``all''" in written_out
    assert r"Too\_few." in written_out
    assert r"\label{tab:t}" in written_out


def test_latex_breaks_a_long_table_over_pages() -> None:
    rows: list[Row] = [{"team": f"T{number}", "ap": 0.5} for number in range(LONG + 1)]
    whole = table("t", "T", "", [TEAM, AP], rows)
    assert r"\begin{longtable}{@{}lr@{}}" in latex(whole)
    assert r"\begin{tabular}{@{}lr@{}}" in latex(replace(whole, rows=whole.rows[:-1]))


def test_kinds_without_any_number_are_not_drawn() -> None:
    columns = [*(Column(name=name, title=name) for name in ("dataset", "level", "group", "team")), AP]
    kinds = [("blur", "X", None), ("blur", "Y", 0.5), ("noise", "X", None), ("noise", "Y", None)]
    rows: list[Row] = [
        {"dataset": "a", "level": "subcategory", "group": group, "team": team, "ap": ap} for group, team, ap in kinds
    ]
    whole = table("categories", "T", "", columns, rows)
    assert [row["group"] for row in told(whole).rows] == ["blur", "blur"]
    assert told(replace(whole, name="other")) == replace(whole, name="other")

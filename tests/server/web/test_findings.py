from dataclasses import replace

from evaluator.analysis.tables import Row
from server.web import findings
from tests.server.web.made_up import Maker


def consensus(*rows: tuple[str, int, int | None, int | None]) -> list[Row]:
    names = ("team", "rank", "rank_low", "rank_high")
    return [dict(zip(names, row, strict=True)) | {"mean_rank": 1.0} for row in rows]


def test_winner_is_named_with_the_interval_of_its_rank() -> None:
    assert findings.winner(consensus(("A", 1, 1, 2), ("B", 2, 1, 2))) == (
        "2 submissions are ranked. A is first; the 95 % interval of its rank is 1 to 2."
    )
    assert findings.winner(consensus(("A", 1, 1, 1), ("B", 2, 2, 2))).endswith(
        "A is first, in 95 % of the resamples, too."
    )
    assert findings.winner(consensus(("A", 1, None, None), ("B", 2, None, None))).endswith("A is first.")


def test_shared_first_place_is_no_win() -> None:
    assert "A and B share the first place" in findings.winner(consensus(("A", 1, 1, 2), ("B", 1, 1, 2), ("C", 3, 3, 3)))


def test_one_submission_is_compared_with_nothing() -> None:
    assert findings.winner(consensus(("A", 1, 1, 1))) == (
        "1 submission is ranked, that of A; with one, nothing is compared."
    )


def test_every_sentence_comes_from_a_table() -> None:
    tables = Maker(("A", "B")).tables()
    said = findings.findings(tables)
    assert len(said) == 6
    assert findings.findings({}) == ()
    assert findings.findings({name: replace(table, rows=()) for name, table in tables.items()}) == ()


def test_pairs_are_counted_once_though_they_are_tested_both_ways() -> None:
    rows: list[Row] = [
        {"dataset": "brain", "better": one, "worse": other, "p_holm": p, "significant": found}
        for one, other, p, found in (("A", "B", 0.01, "yes"), ("B", "A", 0.99, "no"), ("A", "C", None, "no"))
    ]
    assert "1 of 1 on brain" in findings.significance(rows)


def test_undefined_agreement_is_not_told() -> None:
    assert findings.agreement([{"dataset": "brain", "tau_b": None, "tau_b_low": None, "tau_b_high": None}]) == ""

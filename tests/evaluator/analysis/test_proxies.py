import pytest
from scipy.stats import kendalltau

from evaluator.analysis.proxies import proxies
from tests.evaluator.analysis.made import row


def numbered(*values: float) -> dict[str, float]:
    return {f"team {i}": value for i, value in enumerate(values)}


OFFICIAL = {"brain": numbered(0.45, 0.42, 0.21, 0.27, 0.2, 0.2, 0.16, 0.0)}


@pytest.mark.parametrize("proxy", [(0.9, 0.8, 0.3, 0.2, 0.5, 0.1, 0.4, 0.0), (0.9, 0.9, 0.3, 0.3, 0.3, 0.1, 0.1, 0.0)])
def test_agreement_is_scipys(proxy: tuple[float, ...]) -> None:
    found = row(proxies(OFFICIAL, {}, {"brain": numbered(*proxy)}))
    expected = kendalltau(list(OFFICIAL["brain"].values()), proxy, variant="b").statistic
    assert found["tau_b"] == pytest.approx(expected, abs=1e-12)
    assert (found["proxy"], found["n_teams"]) == ("toyish", 8)


def test_only_submissions_with_both_values_are_compared() -> None:
    found = proxies(OFFICIAL, {"brain": {"team 0": 0.1, "team 1": 0.9, "stranger": 0.5}}, {})
    assert row(found) == {"dataset": "brain", "proxy": "toy", "tau_b": -1.0, "n_teams": 2}
    assert "brain, the toy cases: 2 submissions are too few to say anything." in found.notes


@pytest.mark.parametrize(
    ("toy", "sentence"),
    [
        ({"team 0": 0.4}, "brain, the toy cases: fewer than two submissions have both values"),
        (numbered(*[0.5] * 8), "brain, the toy cases: all submissions have the same value on one side"),
    ],
)
def test_where_there_is_no_order_there_is_a_sentence(toy: dict[str, float], sentence: str) -> None:
    found = proxies(OFFICIAL, {"brain": toy}, {})
    assert row(found)["tau_b"] is None
    assert any(note.startswith(sentence) for note in found.notes)


def test_a_proxy_that_nobody_was_scored_on_is_told() -> None:
    found = proxies(OFFICIAL | {"abdom": numbered(0.1)}, {}, {"brain": OFFICIAL["brain"]})
    assert found.notes == (
        "brain and abdom: no submission is scored on the toy cases.",
        "abdom: no submission is scored on the toy-ish set.",
    )

import numpy as np
import pytest

from evaluator.deal import ImpossibleDealError, deal


def names(count: int) -> list[str]:
    return [f"case_{number:03}.nii.gz" for number in range(count)]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (20, [20]), (21, [11, 10]), (40, [20, 20]), (41, [14, 14, 13]), (542, [20] * 10 + [19] * 18)],
)
def test_batches_are_as_equal_as_possible(count: int, sizes: list[int]) -> None:
    found = deal(names(count), set(names(count)), rng=rng())
    assert [len(batch) for batch in found] == sizes


def test_each_case_is_dealt_once() -> None:
    found = deal(names(53), set(names(53)[::2]), rng=rng())
    assert sorted(case for batch in found for case in batch) == names(53)


@pytest.mark.parametrize("hits", [3, 4, 30])
def test_each_batch_holds_an_anomalous_case(hits: int) -> None:
    anomalous = set(names(60)[:hits])
    for seed in range(20):
        assert all(anomalous & set(batch) for batch in deal(names(60), anomalous, rng=rng(seed)))


def test_cases_as_rare_as_batches_are_still_dealt() -> None:
    anomalous = set(names(541)[:28])
    found = deal(names(541), anomalous, rng=rng())
    assert [len(anomalous & set(batch)) for batch in found] == [1] * 28
    assert sorted(case for batch in found for case in batch) == names(541)
    assert {len(batch) for batch in found} == {19, 20}


def test_same_seed_same_deal_whatever_the_order_of_cases() -> None:
    anomalous = set(names(45))
    assert deal(names(45), anomalous, rng=rng(1)) == deal(names(45)[::-1], anomalous, rng=rng(1))
    assert deal(names(45), anomalous, rng=rng(1)) != deal(names(45), anomalous, rng=rng(2))


def test_fewer_anomalous_cases_than_batches_is_impossible() -> None:
    with pytest.raises(ImpossibleDealError, match="41 cases make 3 batches of 20, but only 2 of the cases"):
        deal(names(41), set(names(2)), rng=rng())


def test_no_case_no_batch() -> None:
    assert deal([], set(), rng=rng()) == ()


def test_case_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="dealt twice"):
        deal(["a", "a"], {"a"}, rng=rng())

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from reference_submissions.kit import state
from reference_submissions.kit.detector import Parameters
from reference_submissions.kit.slices import Rows
from reference_submissions.kit.training import Loss, Plan, seeded, teach

POINTS = np.linspace(-1, 1, 40, dtype=np.float32)
TAUGHT, HELD_OUT = np.arange(0, 40, 2), np.arange(1, 40, 2)


def line() -> tuple[nn.Linear, Loss]:
    """A line to be fitted to y = 3 x."""
    seeded(0)
    network = nn.Linear(1, 1)

    def loss(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        del rng
        x = torch.from_numpy(POINTS[rows][:, None])
        return functional.mse_loss(network(x), 3 * x)

    return network, loss


def test_a_line_is_found() -> None:
    network, loss = line()

    taught = teach(
        network, loss, taught=TAUGHT, held_out=HELD_OUT, plan=Plan(epochs=60, batch=5, rate=0.1), seed=0, say=str
    )

    assert network.weight.item() == pytest.approx(3, abs=0.05)
    assert taught.epochs == 60
    assert taught.best_loss < 1e-2
    assert not network.training


def run(plan: Plan, held_out_losses: list[float], say: Callable[[str], object] = str) -> tuple[float, int]:
    """Teach a number that grows by 1 an epoch; gives what it is left at, and the epochs."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    coming = iter(held_out_losses)

    def loss(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        del rows, rng
        return -network.weight.sum() if torch.is_grad_enabled() else torch.tensor(next(coming))

    taught = teach(network, loss, taught=TAUGHT, held_out=HELD_OUT[:1], plan=plan, seed=0, say=say)
    return network.weight.item(), taught.epochs


def test_it_ends_early_with_the_best_weights() -> None:
    weight, epochs = run(Plan(epochs=10, batch=20, rate=1.0, patience=3), [5, 2, 3, 3, 3, 0])

    assert weight == pytest.approx(2, rel=1e-3)
    assert epochs == 5


def test_the_rate_falls_while_nothing_gets_better() -> None:
    weight, _ = run(Plan(epochs=4, batch=20, rate=1.0, wait=1), [5, 6, 7, 4])

    assert weight == pytest.approx(1 + 1 + 0.1 + 0.01, rel=1e-2)


def test_each_epoch_says_a_line() -> None:
    said: list[str] = []

    run(Plan(epochs=2, batch=20, rate=1.0, steps=3), [2, 1], say=said.append)

    assert [line.split(":")[0] for line in said] == ["epoch 1/2", "epoch 2/2"]
    assert "held out 1" in said[1]


def test_losses_that_are_never_finite_are_an_error() -> None:
    with pytest.raises(ValueError, match="never finite in 2 epochs"):
        run(Plan(epochs=2, batch=20, rate=1.0), [float("nan")] * 2)


def test_it_ends_with_the_best_weights_where_the_loss_is_no_number_any_more() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)

    def loss(rows: Rows, rng: np.random.Generator) -> torch.Tensor:
        del rows, rng
        return -network.weight.sum() * (float("nan") if network.weight.item() > 1.5 else 1.0)

    plan = Plan(epochs=9, batch=20, rate=1.0)
    taught = teach(network, loss, taught=TAUGHT, held_out=HELD_OUT[:1], plan=plan, seed=0, say=str)

    assert taught.epochs == 3
    assert network.weight.item() == pytest.approx(1, rel=1e-3)


def test_weights_survive_the_disk_in_half_precision(tmp_path: Path) -> None:
    network, _ = line()
    state.save(network, tmp_path / "w.pt")

    again = state.load(nn.Linear(1, 1), tmp_path / "w.pt", torch.device("cpu"))

    assert again.weight.item() == pytest.approx(network.weight.item(), rel=1e-3)
    assert again.weight.dtype == torch.float32
    assert not again.training


def test_parameters_are_counted_apart() -> None:
    fixed = nn.Linear(3, 2).requires_grad_(False)

    assert state.count(nn.Linear(4, 5), fixed) == Parameters(trainable=25, fixed=8)

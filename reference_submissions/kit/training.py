"""The loop that teaches a network: epochs, early stop, the best weights, lines of progress.

def loss(rows, rng):                                    # of some slices, a tensor of one number
    x = device.tensor(stack[rows][:, None], where)      # (b, 1, side, side)
    return functional.mse_loss(network(x + noise(rng)), x)

taught, held_out = stack.split(share=0.1, seed=seed)
teach(network, loss, taught=taught, held_out=held_out, plan=plan, seed=seed, say=say)
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from reference_submissions.kit.detector import Say
from reference_submissions.kit.device import autocast
from reference_submissions.kit.slices import Rows

Loss = Callable[[Rows, np.random.Generator], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long, how fast and in what portions a network is taught."""

    epochs: int
    batch: int
    rate: float  # of Adam
    steps: int | None = None  # batches an epoch; None: each row once
    patience: int | None = None  # epochs without a better held-out loss, then it ends; None: never
    wait: int | None = None  # epochs without a better held-out loss, then the rate is a tenth; None: never
    decay: float = 0.0  # of weights
    betas: tuple[float, float] = (0.9, 0.999)
    amsgrad: bool = False
    checked: int = 32  # held-out batches a check, the same ones each time


@dataclass(frozen=True, kw_only=True)
class Taught:
    """How it went."""

    epochs: int
    best_loss: float  # on rows held out; the network has the weights of that epoch
    seconds: float


def seeded(seed: int) -> torch.Generator:
    """Seed torch; call it before a network is made. Gives a generator of its own for noise."""
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def teach(
    network: nn.Module,
    loss: Loss,
    *,
    taught: Rows,
    held_out: Rows,
    plan: Plan,
    seed: int,
    say: Say,
) -> Taught:
    """Teach a network with Adam and leave it with its best weights, ready to predict.

    `loss` gets row numbers and a generator for whatever it draws; what is held out is always drawn alike, so that
    its losses can be compared. It ends where the loss is no longer finite: weights do not recover. Raises ValueError
    where that is so before any held-out loss was finite.
    """
    rng = np.random.default_rng(seed)
    start = time.monotonic()
    device = next(network.parameters()).device
    optimizer = torch.optim.Adam(
        network.parameters(), lr=plan.rate, betas=plan.betas, weight_decay=plan.decay, amsgrad=plan.amsgrad
    )
    best, best_epoch, weights = math.inf, 0, network.state_dict()
    for epoch in range(1, plan.epochs + 1):
        network.train()
        losses = []
        for rows in _portions(taught, plan, rng):
            with autocast(device, training=True):
                now = loss(rows, rng)
            optimizer.zero_grad(set_to_none=True)
            now.backward()
            optimizer.step()
            losses.append(now.detach())
        mean = float(torch.stack(losses).mean())
        checked = _check(network, loss, held_out, plan, seed)
        say(f"epoch {epoch}/{plan.epochs}: loss {mean:.4g}, held out {checked:.4g}, {time.monotonic() - start:.0f} s")
        if checked < best:
            best, best_epoch, weights = checked, epoch, copy.deepcopy(network.state_dict())
        if not math.isfinite(mean):
            say("the loss is not finite: done")
            break
        late = epoch - best_epoch
        if plan.patience is not None and late >= plan.patience:
            say(f"no better for {late} epochs: done")
            break
        if plan.wait is not None and late and late % plan.wait == 0:
            for group in optimizer.param_groups:
                group["lr"] /= 10
    if not math.isfinite(best):
        raise ValueError(f"the held-out loss was never finite in {epoch} epochs: {checked}")
    network.load_state_dict(weights)
    network.eval()
    return Taught(epochs=epoch, best_loss=best, seconds=time.monotonic() - start)


def _portions(rows: Rows, plan: Plan, rng: np.random.Generator) -> list[Rows]:
    """An epoch's batches: all rows in a new order, or as many batches as the plan says, drawn with replacement."""
    if plan.steps is not None:
        return list(rng.choice(rows, size=(plan.steps, plan.batch)))
    order = rng.permutation(rows)
    return [order[start : start + plan.batch] for start in range(0, len(order), plan.batch)]


@torch.no_grad()
def _check(network: nn.Module, loss: Loss, held_out: Rows, plan: Plan, seed: int) -> float:
    """The mean loss of rows spread evenly over those held out."""
    network.eval()
    rng = np.random.default_rng(seed)
    count = min(len(held_out), plan.checked * plan.batch)
    rows = held_out[np.linspace(0, len(held_out) - 1, count).round().astype(np.int64)]
    losses, sizes = [], []
    for begin in range(0, count, plan.batch):
        portion = rows[begin : begin + plan.batch]
        losses.append(float(loss(portion, rng)))
        sizes.append(len(portion))
    return float(np.average(losses, weights=sizes))

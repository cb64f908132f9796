import pytest
import torch

from reference_submissions.kit.checks import phantom
from reference_submissions.kit.slices import Stack
from reference_submissions.kit.training import seeded
from reference_submissions.nets.edc import Decoder, Tuning, global_cosine, tune
from reference_submissions.nets.features import DEEP, MIDDLE, Lite0, lite0

LEVELS = (MIDDLE, DEEP)


def test_the_decoder_gives_back_the_encoders_shapes() -> None:
    maps = Lite0(LEVELS)(torch.rand(2, 40, 40))

    assert [each.shape for each in Decoder(LEVELS)(maps)] == [each.shape for each in maps]


def test_the_distance_by_hand() -> None:
    along, across = torch.tensor([[[[3.0, 0.0]]]]), torch.tensor([[[[0.0, 2.0]]]])

    assert global_cosine([along, along], [2 * along, across]).item() == pytest.approx(0 + 1)
    assert global_cosine([along], [-along]).item() == pytest.approx(2)


def test_the_gradient_stops_at_what_is_to_be_rebuilt() -> None:
    encoded = torch.rand(1, 2, 3, 3, requires_grad=True)
    rebuilt = torch.rand(1, 2, 3, 3, requires_grad=True)

    global_cosine([encoded], [rebuilt]).backward()

    assert encoded.grad is None
    assert rebuilt.grad is not None


def test_tuning_lowers_the_distance_and_moves_the_encoder_a_little() -> None:
    slices = Stack.of([phantom(seed) for seed in range(2)], side=32)
    seeded(0)
    network, said = lite0(LEVELS, say=str), list[str]()
    before = network.stem.weight.clone()

    tune(network, slices, Tuning(steps=40, batch=8), seed=0, say=said.append)

    first, last = (float(line.split()[-1]) for line in said)
    assert last < first
    assert 0 < (network.stem.weight - before).abs().max() < 1e-2
    assert not any(weight.requires_grad for weight in network.parameters())

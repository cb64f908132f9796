import pytest
import torch

from reference_submissions.kit import state
from reference_submissions.kit.training import seeded
from reference_submissions.nets.unet import UNet


@pytest.mark.parametrize(("depth", "side"), [(1, 7), (2, 10), (3, 12)])
def test_a_map_has_its_slice_s_size(depth: int, side: int) -> None:
    network = UNet(inputs=2, outputs=3, width=4, depth=depth)

    assert network(torch.zeros(5, 2, side, 2 * side)).shape == (5, 3, side, 2 * side)


def test_parameters_by_hand() -> None:
    network = UNet(inputs=1, outputs=1, width=2, depth=2)

    down = (9 * 2 + 4 + 9 * 4 + 4) + (9 * 8 + 8 + 9 * 16 + 8)  # convolutions, and scale and shift of each channel
    up = (4 * 8 + 2) + (9 * 8 + 4 + 9 * 4 + 4) + (2 + 1)
    assert state.count(network).trainable == down + up


def test_a_slice_s_map_does_not_depend_on_its_batch() -> None:
    seeded(0)
    network, slices = UNet(inputs=1, outputs=1, width=8, depth=3), torch.rand(3, 1, 16, 16)

    torch.testing.assert_close(network(slices)[:1], network(slices[:1]))


def test_an_untaught_network_gives_about_its_offset() -> None:
    seeded(0)
    plain = UNet(inputs=1, outputs=1, width=8, depth=2)
    seeded(0)
    moved = UNet(inputs=1, outputs=1, width=8, depth=2, offset=-3)
    slices = torch.rand(1, 1, 8, 8)

    torch.testing.assert_close(moved(slices), plain(slices) - 3)

import pytest
import torch

from reference_submissions.nets.convs import Grid, decoder, encoder


@pytest.mark.parametrize("grids", [False, True])
@pytest.mark.parametrize("kernel", [3, 4])
def test_a_slice_is_encoded_as_numbers_and_decoded_to_its_size(kernel: int, grids: bool) -> None:  # noqa: FBT001  drawn by pytest
    slices = torch.rand(3, 1, 48, 48)

    codes = encoder(side=48, widths=(4, 6, 8), out=10, kernel=kernel, grids=grids)(slices)
    decoded = decoder(side=48, widths=(4, 6, 8), latent=10, grids=grids)(codes)

    assert codes.shape == (3, 10)
    assert decoded.shape == slices.shape


def test_without_bias_nothing_comes_of_nothing() -> None:
    network = torch.nn.Sequential(
        encoder(side=16, widths=(4, 6), out=5, bias=False), decoder(side=16, widths=(4, 6), latent=5, bias=False)
    )

    assert network(torch.zeros(1, 1, 16, 16)).abs().max() == 0


def test_a_grid_tells_the_centres_of_pixels() -> None:
    places = Grid()(torch.zeros(1, 1, 2, 4))[0]

    assert places[1].tolist() == [[-0.5] * 4, [0.5] * 4]
    assert places[2].tolist() == [[-0.75, -0.25, 0.25, 0.75]] * 2


def test_a_side_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="24 pixels cannot be halved 4 times"):
        encoder(side=24, widths=(4, 4, 4, 4), out=5)

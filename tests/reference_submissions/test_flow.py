import pytest
import torch

from reference_submissions.kit.training import seeded
from reference_submissions.nets.flow import Flow, positions


def drawn(channels: int, *, condition: int = 3, layers: int = 4) -> Flow:
    """A flow with weights that do something, in double precision."""
    seeded(0)
    flow = Flow(channels, condition=condition, hidden=16, layers=layers).double()
    for weight in flow.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    return flow


@pytest.mark.parametrize("channels", [2, 5, 8])
def test_the_log_determinant_is_autograds(channels: int) -> None:
    flow = drawn(channels)
    x = torch.randn(6, channels, dtype=torch.float64)
    condition = torch.randn(6, 3, dtype=torch.float64)

    _, log_det = flow(x, condition)

    for row, place, found in zip(x, condition, log_det, strict=True):

        def carried(one: torch.Tensor, place: torch.Tensor = place) -> torch.Tensor:
            z: torch.Tensor = flow(one[None], place[None])[0][0]
            return z

        jacobian = torch.autograd.functional.jacobian(carried, row)
        torch.testing.assert_close(found, torch.linalg.slogdet(jacobian).logabsdet)
    assert log_det.abs().min() > 1e-3


def test_the_density_adds_up_to_1() -> None:
    flow = drawn(2, layers=2)
    axis = torch.arange(-40, 40, 0.1, dtype=torch.float64)
    plane = torch.cartesian_prod(axis, axis)

    for place in torch.randn(2, 3, dtype=torch.float64):
        density = flow.log_density(plane, place.expand(len(plane), -1)).exp()
        assert density.sum().item() * 0.1**2 == pytest.approx(1, abs=1e-3)


def test_the_density_depends_on_the_place() -> None:
    flow, x = drawn(4), torch.zeros(2, 4, dtype=torch.float64)

    one, other = flow.log_density(x, torch.eye(2, 3, dtype=torch.float64))

    assert abs(one - other) > 1e-3


def test_a_new_flow_only_changes_the_order() -> None:
    x = torch.arange(6.0)[None]

    z, log_det = Flow(6, condition=2, hidden=8, layers=3)(x, torch.zeros(1, 2))

    assert sorted(z[0].tolist()) == x[0].tolist()
    assert log_det.item() == 0


def test_positions_by_hand() -> None:
    places = positions(3, 4)

    assert places.shape == (9, 4)
    angles = torch.tensor([1.0, 1.0, 2.0, 2.0])  # of row 1 and column 2
    expected = torch.stack([angles[0].sin(), angles[1].cos(), angles[2].sin(), angles[3].cos()])
    torch.testing.assert_close(places[1 * 3 + 2], expected)

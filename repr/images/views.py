"""Views of a batch: random crops, turns, colours, blur and occlusion as a few tensor operations, where the model runs.

Every sample has its own parameters, drawn at once from the generator that is passed in: no loop over samples, no wait for
the device. All geometry is one affine grid (one `grid_sample`), all colour one 3 × 4 matrix a sample, blur two
matrix products. What is a few numbers a sample is computed where the generator lives, on the CPU as a rule, and sent in one piece: on a
GPU each of those operations would take the host longer to start than to do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import TypedDict

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from repr.errors import UserError, nearest

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma, as Pillow and torchvision
BLUR_AT = 224  # the image size on which blur's sigma is measured in pixels, as in SimCLR


def plain(batch: Tensor, size: int) -> Tensor:
    """The one evaluation transform: uint8 (b, h, h, 3) → float32 (b, 3, size, size) in 0..1, antialiased resize of the whole square."""
    pixels = batch.permute(0, 3, 1, 2).contiguous().float().div_(255)
    if pixels.shape[-2:] == (size, size):
        return pixels
    return interpolate(pixels, (size, size), mode="bilinear", antialias=True, align_corners=False)


def middle(batch: Tensor, share: float) -> Tensor:
    """The middle of each image, `share` of its side: (b, h, h, 3) → (b, round(share · h), round(share · h), 3), at least a pixel."""
    side = max(1, round(share * batch.shape[1]))
    start = (batch.shape[1] - side) // 2
    return batch[:, start : start + side, start : start + side]


@dataclass(frozen=True)
class Views:
    """Random views of a batch. As it stands everything is off, and the view is `plain`.

    size: side of the view in pixels. crop_scale: share of the image's area; crop_ratio: width to height.
    flip, jitter, grey, blur, erase: probabilities, 0..1. rotate: degrees to either side; 180 is any turn.
    brightness, contrast, saturation: the factor is drawn from 1 ± that; hue: share of a full turn to either side.
    blur_sigma: in pixels of an image of 224. erase_scale: share of the view's area that is covered.
    """

    size: int
    crop_scale: tuple[float, float] = (1.0, 1.0)
    crop_ratio: tuple[float, float] = (1.0, 1.0)
    flip: float = 0.0
    rotate: float = 0.0
    jitter: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    grey: float = 0.0
    blur: float = 0.0
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    erase: float = 0.0
    erase_scale: tuple[float, float] = (0.02, 0.33)

    def __call__(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """A random view of each image: uint8 (b, h, h, 3) → float32 (b, 3, size, size) in 0..1, on the batch's device.

        The generator may live on the CPU while the batch is on a GPU; the views then are the same on both.
        """
        assert batch.dtype == torch.uint8 and batch.shape[1] == batch.shape[2] and batch.shape[3] == 3, "uint8 (b, h, h, 3) is wanted"
        with torch.no_grad(), torch.autocast(batch.device.type, enabled=False):
            draws = torch.rand((20, len(batch)), generator=generator, device=generator.device)
            geometry, colour, blur, erase = draws[:6], draws[6:12], draws[12:14], draws[14:]
            pixels = self._placed(batch, geometry)
            if self.jitter or self.grey:
                pixels = self._coloured(pixels, colour)
            if self.blur:
                pixels = self._blurred(pixels, blur)
            if self.erase:
                pixels = self._erased(pixels, erase)
            return pixels

    def without(self, *names: str) -> Views:
        """The same views with some kinds switched off: crop, flip, rotate, colour, grey, blur, erase."""
        views = self
        for name in names:
            if name not in OFF:
                raise UserError(f"no such kind of view: {name}", "", nearest(name, OFF))
            views = replace(views, **OFF[name])
        return views

    def _placed(self, batch: Tensor, draws: Tensor) -> Tensor:
        """Crop, flip and turn in one sampling. Beyond the image it is mirrored."""
        if self.crop_scale == (1.0, 1.0) and self.crop_ratio == (1.0, 1.0) and not self.flip and not self.rotate:
            return plain(batch, self.size)
        # Sampling an image of more than twice the view's size would skip pixels: halve the gap with antialiasing first.
        pixels = plain(batch, min(batch.shape[1], 2 * self.size))
        area = _between(draws[0], *self.crop_scale)
        ratio = _between(draws[1], math.log(self.crop_ratio[0]), math.log(self.crop_ratio[1])).exp().sqrt()
        width, height = (area.sqrt() * ratio).clamp(max=1), (area.sqrt() / ratio).clamp(max=1)
        x, y = (1 - width) * (2 * draws[2] - 1), (1 - height) * (2 * draws[3] - 1)
        mirror = torch.where(draws[4] < self.flip, -1.0, 1.0)
        angle = _between(draws[5], -self.rotate, self.rotate) * (math.pi / 180)
        cos, sin = angle.cos(), angle.sin()
        # From view to image: turn, mirror and scale to the crop, move to its centre.
        grid = affine_grid((mirror * width * cos, mirror * -width * sin, x), (height * sin, height * cos, y), self.size, pixels.device)
        return grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    def _coloured(self, pixels: Tensor, draws: Tensor) -> Tensor:
        """Brightness, contrast, saturation, hue and grey, in this order, as one matrix and offset a sample."""
        b = len(pixels)
        on = draws[0] < self.jitter

        def _strength(draw: Tensor, strength: float) -> Tensor:
            return torch.where(on, _between(draw, max(0.0, 1 - strength), 1 + strength), 1.0)

        brightness, contrast = _strength(draws[1], self.brightness), _strength(draws[2], self.contrast)
        saturation = _strength(draws[3], self.saturation)
        turn = torch.where(on, _between(draws[4], -self.hue, self.hue), 0.0)
        saturation = torch.where(draws[5] < self.grey, 0.0, saturation)
        matrix, offset = colour_matrix(pixels, brightness, contrast, saturation, turn)
        flat = torch.baddbmm(offset[:, :, None], matrix, pixels.reshape(b, 3, -1))
        return flat.view_as(pixels).clamp_(0, 1)

    def _blurred(self, pixels: Tensor, draws: Tensor) -> Tensor:
        """Gaussian blur of some. On a CPU only those are touched; elsewhere picking them would wait for the device."""
        sigma = _between(draws[1], *self.blur_sigma) * (self.size / BLUR_AT)
        on = draws[0] < self.blur
        if pixels.device.type != "cpu":
            return gaussian_blur(pixels, torch.where(on, sigma, 0.0).to(pixels.device, non_blocking=True))
        chosen = on.nonzero().squeeze(1)
        pixels[chosen] = gaussian_blur(pixels[chosen], sigma[chosen])
        return pixels

    def _erased(self, pixels: Tensor, draws: Tensor) -> Tensor:
        """A rectangle of one grey over part of the view."""
        area = _between(draws[1], *self.erase_scale)
        ratio = _between(draws[2], math.log(0.3), math.log(3.3)).exp().sqrt()  # Zhong et al., Random Erasing, 2017
        width, height = (area.sqrt() * ratio).clamp(max=1), (area.sqrt() / ratio).clamp(max=1)
        at = (torch.arange(self.size, device=draws.device) + 0.5) / self.size
        left, top = (1 - width) * draws[3], (1 - height) * draws[4]
        columns = (at >= left[:, None]) & (at < (left + width)[:, None])
        rows = (at >= top[:, None]) & (at < (top + height)[:, None]) & (draws[0] < self.erase)[:, None]
        rows, columns = torch.stack((rows, columns)).to(pixels.device, non_blocking=True)
        covered = rows[:, None, :, None] & columns[:, None, None, :]
        return torch.where(covered, draws[5].to(pixels.device, non_blocking=True)[:, None, None, None], pixels)


def colour_matrix(pixels: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor) -> tuple[Tensor, Tensor]:
    """The colour changes of each sample as x → matrix x + offset: (b, 3, 3) and (b, 3).

    pixels: (b, 3, h, w); the factors (b,) as torchvision's adjust_brightness, adjust_contrast (around the mean grey),
    adjust_saturation; hue (b,) in full turns about the grey axis: HSV's hue moves by it, while its value and saturation may too.
    They may live elsewhere than the pixels, where the matrix and the offset are wanted.
    """
    b = len(pixels)
    eye, grey, _ = _constants(brightness.device)
    scaled = eye * (brightness * contrast)[:, None, None]
    keep = saturation[:, None, None]
    saturate = keep * eye + (1 - keep) * grey.expand(3, 3)
    matrix = _hue_matrix(hue) @ saturate @ scaled
    sent = torch.cat((matrix.view(b, 9), brightness[:, None], (1 - contrast)[:, None]), dim=1).to(pixels.device, non_blocking=True)
    mean = pixels.mean(dim=(2, 3)) @ _constants(pixels.device)[1]
    # Grey stays grey under saturation and hue (their rows sum to 1), so the offset passes through unchanged.
    shift = sent[:, 10] * (mean * sent[:, 9])
    return sent[:, :9].reshape(b, 3, 3), shift[:, None].expand(-1, 3).contiguous()


def _hue_matrix(turn: Tensor) -> Tensor:
    """Rotation by `turn` full turns about the axis of greys (Rodrigues' formula): (b,) → (b, 3, 3)."""
    angle = turn * (2 * math.pi)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    eye, _, cross = _constants(turn.device)
    return cos * eye + sin * cross + (1 - cos) / 3


@cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Identity, luma weights and the cross product with the grey axis, kept on the device: sending them anew would wait for it."""
    axis = 1 / math.sqrt(3)
    cross = [[0, -axis, axis], [axis, 0, -axis], [-axis, axis, 0]]
    return torch.eye(3, device=device), torch.tensor(GREY, device=device), torch.tensor(cross, device=device)


def affine_grid(
    horizontal: tuple[Tensor, Tensor, Tensor], vertical: tuple[Tensor, Tensor, Tensor], size: int, device: torch.device
) -> Tensor:
    """Where each pixel of a view lies in its image: (b, size, size, 2) in -1..1 as grid_sample wants it (align_corners=False).

    horizontal, vertical: three (b,) factors each, of the view's x, its y, and 1, wherever they live; the grid lies on `device`. The same
    as torch's affine_grid, as a sum of a row and a column, in a third of its time.
    """
    at = (torch.arange(size, device=horizontal[0].device) * 2 + 1) / size - 1
    lines = [
        line for of_x, of_y, shift in (horizontal, vertical) for line in (torch.outer(of_x, at) + shift[:, None], torch.outer(of_y, at))
    ]
    rows_and_columns = torch.stack(lines).to(device, non_blocking=True)  # (4, b, size)
    grid = torch.empty((len(horizontal[0]), size, size, 2), device=device)
    for axis in range(2):
        row, column = rows_and_columns[2 * axis : 2 * axis + 2]
        torch.add(row[:, None, :], column[:, :, None], out=grid[..., axis])
    return grid


def gaussian_blur(pixels: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of (b, c, s, s) with (b,) standard deviations in pixels (0: unchanged), weights normalised at the edges.

    A matrix product for the rows and one for the columns: with a filter of its own for each sample, faster than a grouped
    convolution.
    """
    b, channels, size, _ = pixels.shape
    at = torch.arange(size, device=sigma.device)
    falloff = torch.exp(-at.square() / (2 * sigma.square().clamp(min=1e-4))[:, None])  # (b, size), by distance
    kernel = falloff[:, (at[:, None] - at[None, :]).abs()]
    kernel /= kernel.sum(dim=2, keepdim=True)
    across = torch.bmm(pixels.reshape(b, channels * size, size), kernel.mT).view_as(pixels)
    blurred = torch.empty_like(across)
    for channel in range(channels):
        torch.bmm(kernel, across[:, channel], out=blurred[:, channel])
    return blurred


def _between(draw: Tensor, low: float, high: float) -> Tensor:
    """Uniform draws in 0..1 → low..high."""
    return low + (high - low) * draw


class Changes(TypedDict, total=False):
    """Some of the fields of Views."""

    crop_scale: tuple[float, float]
    crop_ratio: tuple[float, float]
    flip: float
    rotate: float
    jitter: float
    grey: float
    blur: float
    erase: float


OFF: dict[str, Changes] = {
    "crop": {"crop_scale": (1.0, 1.0), "crop_ratio": (1.0, 1.0)},
    "flip": {"flip": 0.0},
    "rotate": {"rotate": 0.0},
    "colour": {"jitter": 0.0},
    "grey": {"grey": 0.0},
    "blur": {"blur": 0.0},
    "erase": {"erase": 0.0},
}

PRESETS: dict[str, Views] = {
    # Random resized crop and flip as torchvision's references/classification/presets.py (scale from 0.08, here from 0.25:
    # at 64 px a twelfth of an image is 18 px), with mild colour.
    "supervised": Views(
        224,
        crop_scale=(0.25, 1.0),
        crop_ratio=(3 / 4, 4 / 3),
        flip=0.5,
        jitter=0.8,
        brightness=0.3,
        contrast=0.3,
        saturation=0.3,
    ),
    # lightly/transforms/simclr_transform.py of lightly 1.6
    "simclr": Views(
        224,
        crop_scale=(0.08, 1.0),
        crop_ratio=(3 / 4, 4 / 3),
        flip=0.5,
        jitter=0.8,
        brightness=0.8,
        contrast=0.8,
        saturation=0.8,
        hue=0.2,
        grey=0.2,
        blur=0.5,
    ),
    # For what lies on a counter in any direction (any turn) and half hidden (erasing, Zhong et al. 2017). Crop, flip, jitter, brightness
    # and contrast are MoCo v2's (lightly/transforms/moco_transform.py). The rest is ours, milder than there because colour and print tell
    # products apart, and not tuned: saturation as "supervised", a fifth of MoCo's hue (7 degrees), no grey, blur of 0.3 for 0.5, erasing
    # of a quarter for a half of the views, and at most a fifth for 0.4 of the area.
    "product": Views(
        224,
        crop_scale=(0.2, 1.0),
        crop_ratio=(3 / 4, 4 / 3),
        flip=0.5,
        rotate=180.0,
        jitter=0.8,
        brightness=0.4,
        contrast=0.4,
        saturation=0.3,
        hue=0.02,
        blur=0.3,
        erase=0.25,
        erase_scale=(0.02, 0.2),
    ),
}


def preset(spec: str, size: int) -> Views:
    """Views by name at a size in pixels: a preset, minus the kinds named after it, such as "product" or "product-rotate-blur".

    Raises UserError when there is no such name or kind.
    """
    name, *without = spec.split("-")
    if name not in PRESETS:
        raise UserError(f"no views named {name}", "", nearest(name, PRESETS), argument="views")
    return replace(PRESETS[name], size=size).without(*without)

"""Destruction and construction learning against loops written from the paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from repr.catalog.table import Catalog
from repr.classify.data import Data
from repr.classify.dcl import REACH, Answers, Construction, coordinates, losses, permutation, shuffled
from repr.classify.experiment import run_trial
from repr.classify.predict import Classifier
from repr.classify.settings import Settings
from repr.errors import UserError
from repr.models.weights import fresh, load_encoder
from repr.training import optim


@pytest.mark.parametrize("grid", [1, 2, 7])
@pytest.mark.parametrize("seed", range(3))
def test_a_permutation_moves_tiles_no_farther_than_its_reach(grid: int, seed: int) -> None:
    order = permutation(grid, REACH, torch.Generator().manual_seed(seed))
    assert sorted(order.tolist()) == list(range(grid * grid))
    for place, came in enumerate(order.tolist()):
        rows, columns = abs(place // grid - came // grid), abs(place % grid - came % grid)
        assert rows < 2 * REACH and columns < 2 * REACH


@pytest.mark.parametrize(("side", "grid"), [(12, 3), (14, 7), (8, 8)])
def test_shuffled_tiles_are_those_of_a_loop(side: int, grid: int) -> None:
    images = torch.arange(2 * 3 * side * side, dtype=torch.float32).view(2, 3, side, side)
    generator = torch.Generator().manual_seed(1)
    order = torch.stack([permutation(grid, REACH, generator) for _ in range(2)])
    wanted, tile = torch.empty_like(images), side // grid
    for image in range(2):
        for place in range(grid * grid):
            (to_row, to_column), came = divmod(place, grid), int(order[image, place])
            row, column = divmod(came, grid)
            part = images[image, :, row * tile : (row + 1) * tile, column * tile : (column + 1) * tile]
            wanted[image, :, to_row * tile : (to_row + 1) * tile, to_column * tile : (to_column + 1) * tile] = part
    assert torch.equal(shuffled(images, order), wanted)


def test_a_side_that_the_grid_does_not_divide() -> None:
    images = torch.linspace(0, 1, 50).expand(2, 3, 50, 50)  # smooth, so that stretching and back changes little
    order = torch.arange(49).expand(2, 49)
    assert shuffled(images, order).shape == images.shape
    assert (shuffled(images, order) - images).abs().mean() < 0.01


@pytest.mark.parametrize("both", [True, False])
def test_the_losses_are_those_of_a_loop(both: bool) -> None:
    torch.manual_seed(0)
    batch, classes, grid = 4, 3, 3
    answers = [
        Answers(torch.randn(batch, classes), torch.randn(batch, 6 if both else 2), torch.rand(batch, 2, grid, grid)) for _ in range(2)
    ]
    labels = torch.tensor([0, 2, 1, 1])
    original = torch.arange(9).expand(batch, 9)
    order = torch.stack([torch.randperm(9) for _ in range(batch)])
    total = 0.0
    for n, (one, came) in enumerate(zip(answers, (original, order), strict=True)):
        for row in range(batch):
            probabilities = torch.softmax(one.classes[row], 0)
            total -= float(torch.log(probabilities[labels[row]])) / batch
            told = labels[row] + n * classes if both else n
            total -= float(torch.log(torch.softmax(one.adversary[row], 0)[told])) / batch
            for place in range(9):
                for axis, value in enumerate(divmod(int(came[row, place]), grid)):
                    distance = abs(float(one.places[row, axis, place // grid, place % grid]) - (2 * value / (grid - 1) - 1))
                    total += distance / (batch * 18)
    assert float(losses(*answers, labels, original, order, both=both)) == pytest.approx(total / 2, rel=1e-5)


def test_places_are_rows_and_columns_from_minus_one_to_one() -> None:
    found = coordinates(torch.tensor([[3, 2, 1, 0]]), 2)
    assert found[0, 0].tolist() == [[1, 1], [-1, -1]] and found[0, 1].tolist() == [[1, -1], [1, -1]]


def test_the_logits_are_summed_and_new_layers_learn_faster() -> None:
    network = Construction(load_encoder(fresh("resnet18", 32, 0), size=32), 4, 4, both=True, generator=torch.Generator()).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        answers = network.answers(images)
        wanted = answers.classes + answers.adversary[:, :4] + answers.adversary[:, 4:]
        torch.testing.assert_close(network(images), wanted)
    for name in ("sgd", "adam"):
        optimiser = optim.make(name, [network], lr=0.01, momentum=0.9, weight_decay=0.0)
        optim.set_rate(optimiser, 0.5)
        rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
        new = [*network.head.parameters(), *network.adversary.parameters(), *network.where.parameters()]
        assert {rates[id(p)] for p in new} == {0.05} and {rates[id(p)] for p in network.encoder.parameters()} == {0.005}


@pytest.mark.slow
@pytest.mark.parametrize("adversary", ["classes", "two"])
def test_trained_measured_kept_and_asked(shop: Catalog, tmp_path, adversary: str) -> None:  # type: ignore[no-untyped-def]
    settings = Settings(model="resnet50", level=2, method="dcl", adversary=adversary, grid=4, size=32, epochs=2, batch_size=32)
    trial = run_trial(Data(shop), settings, tmp_path / "model")
    assert "destruction and construction at 64 px" in trial.note
    found = Classifier.load(tmp_path / "model").probabilities(shop.select(trial.arrays["rows"]))
    assert np.array_equal(found.max(axis=1), trial.arrays["confidence"])


def test_only_networks_that_are_trained_can_be_destroyed() -> None:
    with pytest.raises(UserError, match="is for images trained end to end"):
        Settings(model="encoder", method="dcl")

"""The moving average of the weights, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repr.training.average import Average


def test_it_follows_slowly_and_in_the_first_steps_faster() -> None:
    average = Average({"w": torch.tensor([0.0]), "n": torch.tensor(0)}, 0.9)
    average.update({"w": torch.tensor([1.0]), "n": torch.tensor(1)}, 0)  # decay 1 / 10
    assert float(average.tensors["w"]) == pytest.approx(0.9) and int(average.tensors["n"]) == 1
    average.update({"w": torch.tensor([0.0]), "n": torch.tensor(2)}, 1)  # decay 2 / 11
    assert float(average.tensors["w"]) == pytest.approx(0.9 * 2 / 11)
    average.tensors["w"].fill_(1.0)
    average.update({"w": torch.tensor([0.0]), "n": torch.tensor(3)}, 1000)  # 0.9 by now
    assert float(average.tensors["w"]) == pytest.approx(0.9)


def test_a_module_has_the_average_for_a_while() -> None:
    module = nn.Linear(1, 1, bias=False)
    own = module.weight.detach().clone()
    average = Average(module.state_dict(), 0.5)
    average.tensors["weight"].fill_(7.0)
    with pytest.raises(KeyError), average.inside(module):
        assert module.weight.item() == 7.0
        raise KeyError
    assert torch.equal(module.weight, own)

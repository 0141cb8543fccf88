from __future__ import annotations

import pytest
import torch

from repr.errors import UserError
from repr.models import devices
from repr.models.devices import autocast_dtype, pick_device


def test_devices_are_picked_by_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match="cuda was asked for and"):
        pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("auto") == torch.device("cuda")
    assert pick_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(UserError, match="there is no cuda:2: 2 GPUs here"):
        pick_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "", "cpu:0"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="no such device"):
        pick_device(name)


def test_half_precision_only_where_it_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setattr(devices, "_cpu_has", lambda probe: False)
    assert autocast_dtype(cpu, depthwise=False) is None
    monkeypatch.setattr(devices, "_cpu_has", lambda probe: probe == "_is_avx512_bf16_supported")
    assert autocast_dtype(cpu, depthwise=False) == torch.bfloat16
    assert autocast_dtype(cpu, depthwise=True) is None
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert autocast_dtype(torch.device("cuda"), depthwise=False) is None
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert autocast_dtype(torch.device("cuda"), depthwise=True) == torch.bfloat16

"""Published weights come from the local cache, and are fetched only when that was allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from repr.cli.weights import command
from repr.errors import UserError
from repr.machine import DOWNLOAD
from repr.models.weights import load_encoder, read_weights

timm = pytest.importorskip("timm")
hub = pytest.importorskip("huggingface_hub")


@pytest.fixture
def network() -> Any:
    torch.manual_seed(0)
    return timm.create_model("test_vit.r160_in1k", pretrained=False).eval()


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[tuple[str, str], str]:
    """A cache of Hugging Face's that holds what is put into it; asking for more fails the test."""
    held: dict[tuple[str, str], str] = {}
    monkeypatch.delenv(DOWNLOAD, raising=False)
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda repository, name: held.get((repository, name)))

    def fetch(repository: str, name: str) -> str:
        raise AssertionError(f"{repository} was asked for {name}")

    monkeypatch.setattr(hub, "hf_hub_download", fetch)
    return held


def test_published_weights_that_are_here_are_timms(network: Any, cache: dict[tuple[str, str], str], tmp_path: Path) -> None:
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    cache["timm/test_vit.r160_in1k", "model.safetensors"] = str(tmp_path / "model.safetensors")
    for spec in ("test_vit", "test_vit.r160_in1k", "timm/test_vit.r160_in1k"):
        weights = read_weights(spec)
        assert weights.size == 160 and len(weights.classes) == 1000 and weights.provenance.unknown
    images = torch.rand((2, 3, 160, 160), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(images), pre_logits=True)
        torch.testing.assert_close(load_encoder("test_vit").network(images), expected)


def test_nothing_is_fetched_unasked(cache: dict[tuple[str, str], str]) -> None:
    with pytest.raises(UserError, match="the weights of test_vit are not on this machine"):
        read_weights("test_vit")
    with pytest.raises(UserError, match=r"no such weights, nor a network of timm's\. Did you mean test_vit"):
        read_weights("test_vitt")
    with pytest.raises(UserError, match=r"timm has no weights nix of test_vit. .*r160_in1k"):
        read_weights("test_vit.nix")


def test_the_option_allows_it(network: Any, cache: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    monkeypatch.setenv(DOWNLOAD, "")  # so that it is as before when the test is over
    monkeypatch.setattr(hub, "hf_hub_download", lambda repository, name: str(tmp_path / "model.safetensors"))
    result = CliRunner().invoke(command, ["show", "test_vit", "--download"])
    assert result.exit_code == 0 and "test_vit" in result.stdout, result.exception


def test_what_could_not_be_fetched_is_told(cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(repository: str, name: str) -> str:
        raise OSError("no route to host")

    monkeypatch.setenv(DOWNLOAD, "1")
    monkeypatch.setattr(hub, "hf_hub_download", fail)
    with pytest.raises(UserError, match=r"could not be fetched \(no route to host\)"):
        read_weights("test_vit")

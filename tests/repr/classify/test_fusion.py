from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from repr.catalog.table import Catalog
from repr.classify.attention import Attention
from repr.classify.concat import Concat
from repr.classify.data import Data
from repr.classify.experiment import run_trial
from repr.classify.fusion import NETS, Fusion, TwoModalities
from repr.classify.gated import Gated
from repr.classify.lmf import LowRankFusion, low_rank_fusion
from repr.classify.settings import Settings
from repr.classify.sum import Sum
from repr.classify.tfn import TensorFusion, tensor_fusion
from repr.errors import UserError
from repr.experiments.trials import Trial
from repr.learners.heads import Standardised


def pair(m: int, n: int, batch: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(m * 100 + n)
    return torch.randn(batch, m, generator=generator), torch.randn(batch, n, generator=generator)


def with_one(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, torch.ones(len(x), 1)], dim=1)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 4), (8, 2)])
def test_tensor_fusion_is_the_papers_outer_product(m: int, n: int) -> None:
    image, text = pair(m, n)
    wanted = torch.einsum("bi,bj->bij", with_one(image), with_one(text)).reshape(5, -1)
    torch.testing.assert_close(tensor_fusion(image, text), wanted)


@pytest.mark.parametrize(("m", "n", "rank"), [(1, 1, 1), (3, 4, 2), (8, 2, 5)])
def test_low_rank_fusion_is_the_full_tensor_times_its_factors(m: int, n: int, rank: int) -> None:
    """h = W · Z with W = Σ_r w_r ⊗ v_r and Z the tensor of tensor fusion, made in full."""
    image, text = pair(m, n)
    left, right = torch.randn(rank, m + 1, 6), torch.randn(rank, n + 1, 6)
    weight = torch.einsum("rih,rjh->ijh", left, right)
    wanted = torch.einsum("bi,bj,ijh->bh", with_one(image), with_one(text), weight)
    torch.testing.assert_close(low_rank_fusion(image, text, left, right), wanted, rtol=1e-4, atol=1e-4)


def test_the_gate_chooses_between_the_modalities() -> None:
    image, text = pair(4, 4)
    net = Gated(4, 3).eval()
    net.gate.weight.data.zero_()
    for bias, chosen in ((50.0, net.image(image)), (-50.0, net.text(text))):
        net.gate.bias.data.fill_(bias)
        torch.testing.assert_close(net(image, text), net.head(torch.tanh(chosen)))


def test_attention_weighs_the_modalities_row_by_row() -> None:
    image, text = pair(4, 4)
    net = Attention(4, 3).eval()
    w, b, v = (tensor.detach().numpy() for tensor in (net.hidden.weight, net.hidden.bias, net.score.weight))
    for row in range(5):
        scores = np.array([v[0] @ np.tanh(w @ x[row].numpy() + b) for x in (image, text)])
        weights = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(net.weights(image, text)[row].detach(), weights, rtol=1e-4)
        wanted = net.head(weights[0] * image[row] + weights[1] * text[row])
        torch.testing.assert_close(net(image, text)[row], wanted.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [Concat, TensorFusion, LowRankFusion, Gated, Sum, Attention])
def test_shapes(kind: type[torch.nn.Module]) -> None:
    assert kind(8, 3)(*pair(8, 8)).shape == (5, 3)


def test_what_is_missing_is_not_looked_at() -> None:
    images, texts = pair(6, 4, 20)
    first = Standardised(images.numpy()), Standardised(texts.numpy())
    network = TwoModalities(first, (6, 4), Concat(8, 3), 8).eval()

    def ask(image: torch.Tensor, seen: float, text: torch.Tensor, read: float) -> torch.Tensor:
        flags = torch.full((20, 1), seen), torch.full((20, 1), read)
        return network(torch.cat([image, flags[0], text, flags[1]], dim=1))

    torch.testing.assert_close(ask(images, 0, texts, 1), ask(-images, 0, texts, 1))
    torch.testing.assert_close(ask(images, 1, texts, 0), ask(images, 1, 2 * texts, 0))
    assert not torch.allclose(ask(images, 1, texts, 1), ask(images, 0, texts, 1))
    assert ask(images, 0, texts, 0).isfinite().all()


def missing(trial: Trial) -> set[str]:
    """What it was measured without."""
    return {name.removeprefix("missing/") for name in trial.metrics if name.startswith("missing/")}


@pytest.mark.parametrize("model", list(NETS))
def test_rows_with_missing_modalities(shop: Catalog, model: str) -> None:
    settings = Settings(model=model, mask=True, weights="none", size=32, epochs=40, batch_size=16, lr=0.003, scale=0.25)
    trial = run_trial(Data(shop, mask=True), settings)
    row = trial.metrics
    assert row["top1"] > 0.9
    assert missing(trial) == {"image", "text"} and row["missing/image"] > 0.5
    assert "n-grams" in trial.note


def test_title_and_ocr_each_missing_and_rows_that_show_nothing(shop: Catalog) -> None:
    titles = shop.column("title")
    table = shop.table.set_column(shop.table.schema.get_field_index("ocr"), "ocr", pa.array(titles, pa.string()))
    titles[np.arange(160) % 10 == 1] = ""
    table = table.set_column(table.schema.get_field_index("title"), "title", pa.array(titles, pa.string()))
    data = Data(replace(shop, table=table), ocr=True)
    settings = Settings(model="concat", ocr=True, weights="none", size=32, epochs=20, batch_size=16, lr=0.003, scale=0.25)
    trial = run_trial(data, settings)
    row = trial.metrics
    assert missing(trial) == {"image", "text", "title", "ocr"}
    assert (row["rows/no_text"], row["rows/no_image"]) == (0, 0) and row["missing/title"] > 0.8
    assert missing(run_trial(data, Settings(ocr=True))) == {"title", "ocr"}
    assert run_trial(Data(data.catalog), Settings()).metrics["rows/no_text"] == 4
    model = Fusion(settings).fit(data, np.arange(120), np.arange(120) % 4, 4, torch.Generator().manual_seed(0))
    bare = data.without("image").without("text")
    assert np.isnan(model.logits(bare, np.arange(3))).all()


def test_an_unknown_text_encoder(shop: Catalog) -> None:
    with pytest.raises(UserError, match="Did you mean bilstm"):
        run_trial(Data(shop), Settings(model="concat", text_encoder="bilstmm", weights="none", size=32))

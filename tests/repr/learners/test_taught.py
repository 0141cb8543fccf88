"""Learners with named classes: saved and loaded they answer and go on to the same bits, and a file that does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from repr.errors import UserError
from repr.learners import FROZEN, LEARNERS, TRAINED, VARIANTS, learner_class, make, method_of
from repr.learners.taught import SCHEMA, Taught, load
from repr.models.encoder import Encoder
from repr.models.weights import fresh, load_encoder

Array = np.ndarray[Any, Any]
HOSTILE = ["C+C", "a → b", "A: dairy", "-1", "nan", "牛奶 250ml", "", " ", "null", '"', "\\", "a\nb", "0", "../../x"]
HOSTILE += ["\udcff", "e\u0301", "é"]  # half a character, as file names may hold it; and two that look alike
SETTINGS: dict[str, dict[str, Any]] = {"lda": {"shrinkage": 0.45}, "ncm": {"scale": 7.0}, "tfa": {"fine": 4}, "linear": {"steps": 30}}
FEATURES = [*((name, SETTINGS.get(name, {})) for name in (*FROZEN, *VARIANTS) if name != "ranpac")]
FEATURES += [("ranpac", {"dimensions": 400}), ("ranpac", {"dimensions": 30, "seed": 5})]  # with its images kept, and beyond
IMAGES: list[tuple[str, dict[str, Any]]] = [(name, {"lwf": {"weight": 2.0}}.get(name, {})) for name in TRAINED]
IMAGES += [("finetune-ncm", {"memory": 0}), ("icarl", {"memory": 13}), ("bic", {"memory": 13, "held_out": 0.3})]


def read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Header and arrays of a file, read by hand."""
    with safe_open(path, framework="numpy") as stream:
        return json.loads(stream.metadata()["learner"]), stream.get_tensors()


def write(path: Path, header: Any, arrays: dict[str, Array]) -> None:
    whole = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    save_file(whole, path, {"learner": json.dumps(header)})


def encoder() -> Encoder:
    return load_encoder(fresh("resnet18", 16, 0), crops=(1.0, 0.5))


def taught_in_steps(learner: Taught, x: Array, y: Array, steps: list[list[int]]) -> Taught:
    for step in steps:
        rows = np.isin(y, step)
        learner.learn(x[rows], [f"product {label}" for label in y[rows]])
    return learner


def assert_alike(a: Taught, b: Taught, queries: Array) -> None:
    assert a.names == b.names and a.weights == b.weights
    assert np.array_equal(a.scores(queries), b.scores(queries)) and np.array_equal(a.known(queries), b.known(queries))
    assert a.predict(queries) == b.predict(queries)


def test_all_learners_are_tried() -> None:
    assert {name for name, _ in FEATURES} == {*FROZEN, *VARIANTS} and {name for name, _ in IMAGES} == set(TRAINED)


@pytest.mark.parametrize(("name", "settings"), FEATURES)
@pytest.mark.parametrize("answered_before", [False, True], ids=["not asked before", "asked before"])
def test_of_features_to_the_same_bits(
    name: str, settings: dict[str, Any], answered_before: bool, shop: tuple[Array, Array, Array, Array], tmp_path: Path
) -> None:
    """Taught out of order, asked and taught again before it is saved; loaded it answers, goes on, forgets and goes on as the first does."""
    x, y, queries, _ = shop
    first = taught_in_steps(Taught(make(name, **settings), weights="w"), x, y, [[7, 2, 5, 0, 1, 3, 4]])
    first.scores(queries)
    taught_in_steps(first, x, y, [[11], [8, 6]])
    if answered_before:
        first.scores(queries)
    first.save(tmp_path / "a.safetensors")
    twin = load(tmp_path / "a.safetensors", weights="w")
    assert_alike(first, twin, queries)
    for learner in (first, twin):
        taught_in_steps(learner, x, y, [[9]])
        learner.learn(x[y == 2][:2], ["product 2"] * 2)
    assert_alike(first, twin, queries)
    for learner in (first, twin):
        learner.remove(["product 5", "product 11"], x, [f"product {label}" for label in y])
        taught_in_steps(learner, x, y, [[10]])
    assert_alike(first, twin, queries)


@pytest.mark.usefixtures("thin_here")
@pytest.mark.parametrize(("name", "settings"), IMAGES)
def test_of_images_to_the_same_bits(
    name: str, settings: dict[str, Any], coloured: tuple[Array, Array, Array, Array], tmp_path: Path
) -> None:
    x, y, queries, _ = coloured
    quick = {"device": "cpu", "epochs": 1, "lr": 0.001, "batch_size": 24, "seed": 3}
    first = taught_in_steps(Taught(make(name, encoder=encoder(), **quick, **settings)), x, y, [[5, 2, 9], [7]])
    first.save(tmp_path / "a.safetensors")
    twin = load(tmp_path / "a.safetensors", device="cpu")
    assert_alike(first, twin, queries)
    for learner in (first, twin):
        taught_in_steps(learner, x, y, [[30, 4]])
    assert_alike(first, twin, queries)


@pytest.mark.usefixtures("thin_here")
@pytest.mark.parametrize("name", [*FROZEN, "finetune", "icarl"])
def test_untaught_ones_too(name: str, shop: tuple[Array, ...], coloured: tuple[Array, ...], tmp_path: Path) -> None:
    images = learner_class(name).input == "images"
    x, y, queries, _ = coloured if images else shop
    first = Taught(make(name, **({"encoder": encoder(), "device": "cpu", "epochs": 0} if images else {})))
    first.save(tmp_path / "a.safetensors")
    twin = load(tmp_path / "a.safetensors", device="cpu")
    with pytest.raises(UserError, match="nothing has been learned yet"):
        twin.scores(queries)
    for learner in (first, twin):
        learner.learn(x, [str(label) for label in y])
    assert_alike(first, twin, queries)


def test_hostile_names_come_back(tmp_path: Path) -> None:
    x = np.eye(len(HOSTILE), dtype=np.float32)
    taught = Taught(make("ncm"), weights="a → b: C+C")
    taught.learn(x, HOSTILE)
    taught.save(tmp_path / "a.safetensors")
    twin = load(tmp_path / "a.safetensors", weights="a → b: C+C")
    assert list(twin.names) == HOSTILE == twin.predict(x)
    twin.remove(["nan", "-1"])
    assert twin.predict(x[[0, 5]]) == ["C+C", "牛奶 250ml"] and "nan" not in twin.names


@hypothesis_settings(deadline=None, max_examples=25)
@given(names=st.lists(st.text(st.characters(), max_size=8), min_size=1, max_size=6, unique=True), data=st.data())
def test_any_names_in_any_steps(names: list[str], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each class lies along an axis of its own; whatever the names, steps and what was removed, the axis is called by its name."""
    axes = dict(zip(names, np.eye(len(names), dtype=np.float32), strict=True))
    taught = Taught(make("ncm"))
    for name in data.draw(st.permutations(names)):
        taught.learn(axes[name][None], [name])
    gone = data.draw(st.sets(st.sampled_from(names), max_size=len(names) - 1))
    taught.remove(gone)
    path = tmp_path_factory.mktemp("names") / "a.safetensors"
    taught.save(path)
    twin = load(path)
    left = [name for name in names if name not in gone]
    assert twin.predict(np.stack([axes[name] for name in left])) == left and set(twin.names) == set(left)


def test_names_and_numbers_go_together(plane: tuple[Array, Array]) -> None:
    x, y = plane
    taught = Taught(make("ncm"))
    taught.learn(x, [f"p{label}" for label in y])
    assert taught.names == ("p3", "p10", "p11", "p40", "p7"), "in the order in which they came"
    assert taught.predict(x[::8]) == list(taught.names) and taught.scores(x).shape == (40, 5)
    by_number = Taught(make("ncm").learn(x, y))
    assert by_number.names == ("3", "7", "10", "11", "40") and by_number.predict(x[:1]) == ["3"]
    named = Taught(by_number.learner, numbers={"e": 40, "b": 7, "c": 10, "d": 11, "a": 3})
    assert named.names == ("a", "b", "c", "d", "e") and named.predict(x[::8]) == ["a", "c", "d", "e", "b"]
    taught.remove(["p7"])
    taught.learn(x[y == 7], ["new"] * 8)
    assert taught.names == ("p3", "p10", "p11", "p40", "new") and taught.predict(x[-1:]) == ["new"]


def test_a_step_that_is_refused_leaves_the_names_as_they_were(plane: tuple[Array, Array]) -> None:
    x, y = plane
    taught = Taught(make("lda"))
    taught.learn(x, [f"p{label}" for label in y])
    for refused in (lambda: taught.learn(x[:, :1], ["other"] * 40), lambda: taught.learn(x[:2], ["other"])):
        with pytest.raises(UserError):
            refused()
    with pytest.raises(UserError, match=r"'p4' was never taught.*Did you mean p40"):
        taught.remove(["p3", "p4"], x, [f"p{label}" for label in y])
    with pytest.raises(UserError, match="vectors of the classes to be removed are needed"):
        taught.remove(["p3"])
    assert taught.names == ("p3", "p10", "p11", "p40", "p7") and len(taught.learner.classes_) == 5


def lda(tmp_path: Path, plane: tuple[Array, Array]) -> Path:
    x, y = plane
    taught = Taught(make("lda-root", scale=20.0), weights="resnet18 abc")
    taught.learn(x, [f"p{label}" for label in y])
    taught.scores(x)
    taught.save(tmp_path / "lda.safetensors")
    return tmp_path / "lda.safetensors"


def test_the_header_says_what_the_file_is(tmp_path: Path, plane: tuple[Array, Array]) -> None:
    header, arrays = read(lda(tmp_path, plane))
    assert header == {
        "schema": SCHEMA,
        "method": "lda",
        "version": learner_class("lda").version,
        "settings": {"shrinkage": 0.3, "root": True, "scale": 20.0},
        "weights": "resnet18 abc",
        "classes": ["p3", "p10", "p11", "p40", "p7"],
        "about": {},
    }
    assert arrays["means/rows"].shape == (5, 2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"schema": SCHEMA + 1, "more": 3}, "newer version of this program. Update it"),
        ({"schema": 0}, "older version of this program. Teach the learner again"),
        ({"version": 99}, "version 99 of lda, not 2: written by a newer version"),
        ({"version": 1}, "written by an older version"),
        ({"method": "lad"}, "there is no learner 'lad'. Did you mean lda"),
        ({"method": "lda:root=true"}, "there is no learner"),
        ({"settings": {"shrinkag": 0.3}}, "there is no setting 'shrinkag'. Did you mean shrinkage"),
        ({"settings": {"shrinkage": 3}}, "shrinkage is 3. It takes from 0 to 1"),
        ({"classes": ["a"]}, "1 names, 1 of them different, for 5 classes"),
        ({"classes": ["a", "b", "c", "d", "a"]}, "5 names, 4 of them different"),
        ({"classes": [1, 2, 3, 4, 5]}, "what it says of itself is broken"),
        ({"schema": "1"}, "what it says of itself is broken"),
        ({"unheard": 1}, "what it says of itself is broken"),
    ],
)
def test_a_header_that_does_not_fit(changed: dict[str, Any], message: str, tmp_path: Path, plane: tuple[Array, Array]) -> None:
    path = lda(tmp_path, plane)
    header, arrays = read(path)
    write(path, {**header, **changed}, arrays)
    with pytest.raises(UserError, match=f"^{path}: ") as refused:
        load(path)
    assert message in str(refused.value)


@pytest.mark.parametrize("header", ["", "[]", "null", "{", "7"])
def test_a_header_that_is_none(header: str, tmp_path: Path) -> None:
    save_file({"x": np.zeros(2)}, tmp_path / "a.safetensors", {"learner": header})
    with pytest.raises(UserError, match="what it says of itself is broken"):
        load(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"means/rows": None}, "there is no array means/rows"),
        ({"scatter": np.zeros((3, 3))}, r"scatter is float64 \(3, 3\), not float64 \(2, 2\)"),
        ({"scatter": np.zeros((2, 2), np.float32)}, "scatter is float32"),
        ({"means/labels": np.array([1, 1, 2, 3, 4])}, "a class has two rows"),
        ({"means/counts": np.zeros(5, np.int64)}, "a class has no image"),
        ({"touched": np.array([77])}, "a class touched was never taught"),
        ({"extra": np.zeros(1)}, "nothing is known of the array extra"),
    ],
)
def test_arrays_that_do_not_fit(changed: dict[str, Any], message: str, tmp_path: Path, plane: tuple[Array, Array]) -> None:
    path = lda(tmp_path, plane)
    header, arrays = read(path)
    write(path, header, {name: array for name, array in {**arrays, **changed}.items() if array is not None})
    with pytest.raises(UserError, match=message):
        load(path)


def test_other_weights(tmp_path: Path, plane: tuple[Array, Array]) -> None:
    path = lda(tmp_path, plane)
    assert load(path).weights == load(path, weights="resnet18 abc").weights == "resnet18 abc"
    with pytest.raises(UserError, match="taught with the weights resnet18 abc, not imagenet"):
        load(path, weights="imagenet")


def test_files_that_are_cut_or_something_else(tmp_path: Path, plane: tuple[Array, Array]) -> None:
    path = lda(tmp_path, plane)
    whole = path.read_bytes()
    for length in (*range(0, len(whole), 97), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"cut short, or not a saved learner.*Fetch the file again"):
            load(path)
    path.write_bytes(whole + b"more")
    with pytest.raises(UserError, match="cut short, or not a saved learner"):
        load(path)
    save_file({"weight": np.zeros(2)}, path, {"arch": "resnet18"})
    with pytest.raises(UserError, match="not a saved learner"):
        load(path)
    for nowhere in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(UserError, match="there is no such file"):
            load(nowhere)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({}, "does not say what its encoder is"),
        ({"arch": "resnet99"}, "no such architecture: resnet99"),
        ({"arch": "resnet34"}, "there is no array start/layer1.2"),
        ({"arch": "resnet50"}, "the array start/layer1.0.conv1.weight is float32"),
        ({"size": 3}, "needs images of 16 px"),
        ({"crops": "ab"}, "does not say rightly what its encoder is"),
    ],
)
def test_an_encoder_that_does_not_fit(
    about: dict[str, Any], message: str, coloured: tuple[Array, Array, Array, Array], tmp_path: Path
) -> None:
    x, y, *_ = coloured
    path = tmp_path / "a.safetensors"
    taught = Taught(make("finetune", encoder=encoder(), device="cpu", epochs=0))
    taught.learn(x, [str(label) for label in y])
    taught.save(path)
    header, arrays = read(path)
    assert header["about"]["encoder"]["crops"] == [1.0, 0.5] and "device" not in header["settings"]
    write(path, {**header, "about": {"encoder": {**header["about"]["encoder"], **about}} if about else {}}, arrays)
    with pytest.raises(UserError, match=message):
        load(path, device="cpu")


def test_a_disk_that_refuses_leaves_the_file_of_before(tmp_path: Path, plane: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch) -> None:
    path = lda(tmp_path, plane)
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    taught = load(path)
    taught.learn(np.ones((1, 2), np.float32), ["more"])
    monkeypatch.setattr("repr.learners.taught.save_file", refuse)
    with pytest.raises(OSError, match="No space left"):
        taught.save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_nothing_is_unpickled(tmp_path: Path, plane: tuple[Array, Array]) -> None:
    path = tmp_path / "a.safetensors"
    torch.save({"learner": make("ncm").learn(*plane)}, path)
    with pytest.raises(UserError, match="not a saved learner"):
        load(path)


def test_a_learner_knows_its_name() -> None:
    start = encoder()
    for name in LEARNERS:
        assert method_of(make(name, encoder=start)) == name
    assert method_of(make("lda-root")) == "lda"

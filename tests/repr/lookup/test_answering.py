"""Who answers, as an index has it: by the learner, kept up to date, the same in every process, and made again from index.db."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

from repr.errors import UserError
from repr.learners import make
from repr.lookup import answering, settling
from repr.lookup.index import Index
from repr.lookup.matches import Answer
from repr.lookup.schema import LEARNER
from repr.lookup.settled import settled_of
from repr.models.weights import Weights, fresh

PRODUCTS, IMAGES = 7, 6


def pixels(product: int, image: int) -> np.ndarray:
    """Noise of its own on a ground that all images of the product share."""
    ground = np.random.default_rng(product).integers(0, 256, (4, 4, 3)).repeat(8, 0).repeat(8, 1)
    noise = np.random.default_rng(1000 * product + image + 1).normal(0, 60, ground.shape)
    return np.clip(ground + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return fresh("resnet18", 32, 0)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shop"
    for product in range(PRODUCTS):
        (folder / f"p{product}").mkdir(parents=True)
        for image in range(IMAGES):
            Image.fromarray(pixels(product, image)).save(folder / f"p{product}" / f"{image}.png")
    return folder


@pytest.fixture(scope="module", params=["lda-root", "neighbour"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shop: Path, weights: Weights) -> Index:
    folder = tmp_path_factory.mktemp("made") / "i"
    return Index.create(folder, weights=weights, data=shop, crops=[1], learner=request.param, device="cpu")


@pytest.fixture
def index(made: Index, tmp_path: Path) -> Index:
    """A copy that can be changed."""
    made.close()
    shutil.copytree(made.folder, tmp_path / "i")
    return Index.open(tmp_path / "i", device="cpu")


QUERIES = [pixels(product, 99) for product in range(PRODUCTS)]


def told(answers: list[Answer]) -> list[list[tuple[str, str]]]:
    return [[(match.product, match.image) for match in answer.matches] for answer in answers]


def same(ours: list[Answer], theirs: list[Answer]) -> None:
    assert told(ours) == told(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.unknown == other.unknown
        assert np.allclose([m.probability for m in one.matches], [m.probability for m in other.matches], atol=1e-3)


def test_products_stand_as_the_learner_ranks_them_with_probabilities(index: Index) -> None:
    settled = settled_of(index.store)
    features, products, _ = index.gallery()
    names = sorted(set(products))
    learner = make(settled.learner).learn(features, np.array([names.index(product) for product in products]))
    scores = learner.scores(index.embed(QUERIES).features) / settled.temperature
    for answer, row in zip(index.lookup(QUERIES, k=4), scores, strict=True):
        best = np.argsort(-row)[:4]
        assert [match.product for match in answer.matches] == [names[i] for i in best]
        assert np.allclose([match.probability for match in answer.matches], softmax(row)[best], atol=1e-3)
    assert index.info()["learner"] == settled.learner


def test_evidence_is_the_nearest_image_of_the_product_and_its_cosine(index: Index) -> None:
    nearest = index.search(index.embed(QUERIES).vectors, 10_000, per_image=True)
    for answer, images in zip(index.lookup(QUERIES, k=PRODUCTS), nearest, strict=True):
        for match in answer.matches:
            best = next(image for image in images if image.product == match.product)
            assert (match.image, match.score) == (best.image, pytest.approx(best.score, abs=1e-5))
    by_image = index.lookup(QUERIES[0], k=5, per_image=True)
    assert [m.image for m in by_image.matches] == [m.image for m in nearest[0][:5]]
    chances = {match.product: match.probability for match in index.lookup(QUERIES[0], k=PRODUCTS).matches}
    assert [m.probability for m in by_image.matches] == [pytest.approx(chances[m.product]) for m in by_image.matches]


def change(index: Index) -> None:
    index.remove(["p2"])
    index.add("new", [pixels(20, image) for image in range(3)], name="New")
    index.rename("p0", "zero")
    index.add("p4", pixels(4, 50))


def test_it_is_kept_up_to_date_here_and_in_other_processes(index: Index) -> None:
    reader = Index.open(index.folder, device="cpu")
    for one in (index, reader):
        assert one.lookup(QUERIES[2], k=1).matches[0].product == "p2"
    change(index)
    late = Index.open(index.folder, device="cpu")
    for one in (index, reader, late):
        assert one.lookup(pixels(20, 77), k=1).matches[0].product == "new"
        assert one.lookup(QUERIES[0], k=1).matches[0].product == "zero"
        assert "p2" not in {match.product for match in one.lookup(QUERIES[2], k=50).matches}
    same(index.lookup(QUERIES), reader.lookup(QUERIES))
    same(index.lookup(QUERIES), late.lookup(QUERIES))


def test_what_was_removed_can_come_back(index: Index) -> None:
    index.lookup(QUERIES)
    index.remove([f"p{product}" for product in range(PRODUCTS)])
    assert index.lookup(QUERIES[0]) == Answer("image 1", (), True)
    index.add("p3", [pixels(3, image) for image in range(IMAGES)])
    assert [match.product for match in index.lookup(QUERIES[3]).matches] == ["p3"]


@pytest.mark.parametrize("harm", ["none", "gone", "torn", "another"])
def test_the_file_of_the_learner_is_a_cache(index: Index, harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = index.lookup(QUERIES)
    file = index.folder / LEARNER
    if settled_of(index.store).learner == "neighbour":
        assert not file.exists(), "a neighbour has nothing to keep"
        return
    before = file.read_bytes()
    if harm == "gone":
        file.unlink()
    elif harm == "torn":
        file.write_bytes(before[:-64] + bytes(64))
    elif harm == "another":
        file.write_bytes(b"not a learner")
    again = Index.open(index.folder, device="cpu")
    taught = []
    monkeypatch.setattr(answering.Answering, "_taught", counting(answering.Answering._taught, taught))
    same(again.lookup(QUERIES), expected)
    assert bool(taught) == (harm != "none")
    assert file.read_bytes() == before, "made again, it is the same to the bit"


def counting(function, calls):  # type: ignore[no-untyped-def]
    def _counted(*arguments):  # type: ignore[no-untyped-def]
        calls.append(1)
        return function(*arguments)

    return _counted


def test_a_process_that_comes_later_goes_on_from_the_file(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.lookup(QUERIES)
    index.add("new", [pixels(20, image) for image in range(3)])
    taught: list[int] = []
    monkeypatch.setattr(answering.Answering, "_taught", counting(answering.Answering._taught, taught))
    late = Index.open(index.folder, device="cpu")
    assert late.lookup(pixels(20, 77), k=1).matches[0].product == "new" and not taught
    late.remove(["p1"])
    assert late.lookup(QUERIES[1], k=1).matches[0].product != "p1"
    same(late.lookup(QUERIES), index.lookup(QUERIES))


def test_threads_ask_while_products_come_and_go(index: Index) -> None:
    wrong: list[object] = []

    def ask() -> None:
        try:
            for _ in range(3):
                answer = index.lookup(QUERIES[5], k=3)
                if answer.matches[0].product != "p5":
                    wrong.append(answer)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(2):
        index.add(f"more{number}", pixels(30 + number, 0))
        index.remove([f"more{number}"])
    for thread in threads:
        thread.join()
    assert not wrong


def test_who_answers_can_be_settled_anew(index: Index, tmp_path: Path) -> None:
    reader = Index.open(index.folder, device="cpu")
    reader.lookup(QUERIES)
    settled = index.settle("ncm", 0.8)
    assert (settled.learner, settled.accept) == ("ncm", 0.8)
    same(reader.lookup(QUERIES), index.lookup(QUERIES))
    assert reader.info()["learner"] == "ncm" and index.settle().learner == "ncm"
    with pytest.raises(UserError, match="no learner nobody"):
        index.settle("nobody")
    assert index.info()["learner"] == "ncm"


def test_twice_as_many_images_settle_anew_however_they_come(
    tmp_path: Path, shop: Path, weights: Weights, caplog: pytest.LogCaptureFixture
) -> None:
    index = Index.create(tmp_path / "i", weights=weights, root=shop, crops=[1], accept=0.9, device="cpu")
    caplog.set_level("INFO")
    settled_with = list[int]()
    for number in range(9):
        index.add(f"p{number % 3}", pixels(number % 3, number))
        settled_with.append(settled_of(index.store).images)
    assert settled_with == [1, 2, 2, 4, 4, 4, 4, 8, 8] and caplog.text.count("Who answers is chosen anew") == 4
    index.add("p9", [pixels(9, number) for number in range(9)], settle=False)
    assert settled_of(index.store).images == 8 and index.info()["outgrown"]
    index.sync(shop)
    settled = settled_of(index.store)
    assert (settled.images, settled.accept, settled.asked) == (index.info()["images"], 0.9, "auto") and not index.info()["outgrown"]


def test_a_learner_that_needs_more_images_refuses_no_addition(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_few(*_: object, **__: object) -> None:
        raise UserError("too few images", "", "Add some")

    monkeypatch.setattr(settling, "settle", too_few)
    before = settled_of(index.store)
    done = index.add("many", [pixels(50 + number, 0) for number in range(2 * PRODUCTS * IMAGES)])
    assert done.added and settled_of(index.store) == before


def test_a_learner_that_is_not_there_is_told_before_anything_is_written(tmp_path: Path, shop: Path, weights: Weights) -> None:
    for learner in ("nobody", "finetune"):
        with pytest.raises(UserError, match=learner):
            Index.create(tmp_path / "i", weights=weights, data=shop, learner=learner)
    assert not (tmp_path / "i").exists()


def test_a_folder_that_cannot_be_written_to_answers_all_the_same(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = index.lookup(QUERIES)
    answering.drop(index.folder)

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("repr.learners.taught.Taught.save", refused)
    same(Index.open(index.folder, device="cpu").lookup(QUERIES), expected)

"""What holds for every learner that trains an encoder."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from repr.errors import UserError
from repr.learners import TRAINED, learner_class, make
from repr.learners.learner import Learner

Array = np.ndarray[Any, Any]
Small = Callable[[], Any]
OLD = [5, 2, 9, 4]


def fresh(name: str, encoder: Small, **settings: Any) -> Learner:
    quick = {"device": "cpu", "epochs": 12, "lr": 0.05, "batch_size": 12, "views": "plain"}
    return make(name, encoder=encoder(), **{**quick, **settings})


@pytest.mark.parametrize("name", TRAINED)
class TestEveryOne:
    def test_colours_are_learned_in_two_steps(self, name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
        x, y, queries, answers = coloured
        old = np.isin(y, OLD)
        learner = fresh(name, small_encoder).learn(x[old], y[old])
        assert learner.classes_.tolist() == [2, 4, 5, 9]
        of_old = np.isin(answers, OLD)
        assert (learner.predict(queries[of_old]) == answers[of_old]).mean() > 0.9
        learner.learn(x[~old], y[~old])
        assert learner.classes_.tolist() == [2, 4, 5, 7, 9, 30]
        scores = learner.scores(queries)
        assert scores.shape == (30, 6)
        assert scores.dtype == np.float32
        assert learner.known(queries).shape == (30,)
        assert (learner.predict(queries) == answers).mean() > (0.6 if name == "lwf" else 0.9)

    def test_the_given_encoder_is_not_changed(self, name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
        x, y, *_ = coloured
        encoder = small_encoder()
        before = copy.deepcopy(encoder.state_dict())
        learner = fresh(name, lambda: encoder, epochs=1).learn(x, y)
        assert all(torch.equal(a, b) for a, b in zip(before.values(), encoder.state_dict().values(), strict=True))
        changed = zip(before.values(), learner.encoder_.state_dict().values(), strict=True)  # type: ignore[attr-defined]
        assert any(not torch.equal(a, b) for a, b in changed)

    def test_the_seed_decides(self, name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
        x, y, queries, _ = coloured
        old = np.isin(y, OLD)
        scores = []
        for seed in (1, 1, 2):
            learner = fresh(name, small_encoder, epochs=2, seed=seed, views="supervised")
            scores.append(learner.learn(x[old], y[old]).learn(x[~old], y[~old]).scores(queries))
        assert np.array_equal(scores[0], scores[1])
        assert not np.allclose(scores[0], scores[2])

    def test_one_class_a_step_empty_steps_and_more_of_a_known_class(
        self, name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]
    ) -> None:
        x, y, queries, _ = coloured
        learner = fresh(name, small_encoder, epochs=1)
        for label in (5, 30, 2):
            learner.learn(x[y == label], y[y == label])
        before = learner.scores(queries)
        assert np.array_equal(learner.learn(x[:0], y[:0]).scores(queries), before)
        learner.learn(x[y == 5][:1], y[y == 5][:1])
        assert learner.classes_.tolist() == [2, 5, 30]
        assert np.isfinite(learner.scores(queries)).all()
        assert learner.scores(queries[:0]).shape == (0, 3)
        assert learner.predict(queries[:0]).shape == learner.known(queries[:0]).shape == (0,)

    def test_a_copy_answers_the_same_and_goes_on_alike(
        self, name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]
    ) -> None:
        x, y, queries, _ = coloured
        old = np.isin(y, OLD)
        learner = fresh(name, small_encoder, epochs=2).learn(x[old], y[old])
        twin = copy.deepcopy(learner)
        assert np.array_equal(twin.scores(queries), learner.scores(queries))
        learner.learn(x[~old], y[~old])
        assert np.array_equal(twin.learn(x[~old], y[~old]).scores(queries), learner.scores(queries))

    def test_it_takes_what_it_says(self, name: str, small_encoder: Small) -> None:
        options: dict[str, Any] = {
            "seed": 3,
            "device": "cpu",
            "memory": 50,
            "epochs": None,
            "updates": (4, 2),
            "lr": 0.1,
            "batch_size": 8,
            "views": "product-blur",
        }
        takes = learner_class(name).takes
        assert takes <= set(options)
        make(name, encoder=small_encoder(), **{k: v for k, v in options.items() if k in takes})
        assert ("memory" in takes) == (name not in {"lwf", "joint"})

    def test_bad_arrays(self, name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
        x, y, *_ = coloured
        with pytest.raises(UserError, match="nothing has been learned yet"):
            fresh(name, small_encoder).scores(x)
        with pytest.raises(UserError, match="first step has no images"):
            fresh(name, small_encoder).learn(x[:0], y[:0])
        with pytest.raises(UserError, match="not uint8"):
            fresh(name, small_encoder).learn(x / 255, y)
        with pytest.raises(UserError, match="labels of shape"):
            fresh(name, small_encoder).learn(x, y[:-1])


@pytest.mark.parametrize("name", [n for n in TRAINED if n not in {"lwf", "joint"}])
def test_a_memory_too_small_for_the_classes(name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
    x, y, *_ = coloured
    with pytest.raises(UserError, match="memory of 5 images cannot hold one of each of 6 classes"):
        fresh(name, small_encoder, memory=5).learn(x, y)


def test_the_memory_is_kept_to_its_size(small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
    x, y, *_ = coloured
    learner: Any = fresh("finetune", small_encoder, memory=13, epochs=0)
    sizes = [len(learner.learn(x[y == c], y[y == c]).memory_.contents()[1]) for c in (5, 2, 9, 4, 7, 30)]
    assert sizes == [6, 12, 12, 12, 10, 12]


def test_without_replay_fine_tuning_forgets(small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, answers = coloured
    old, of_old = np.isin(y, OLD), np.isin(answers, OLD)
    right = {}
    for memory in (None, 0):
        learner = fresh("finetune", small_encoder, memory=memory).learn(x[old], y[old]).learn(x[~old], y[~old])
        right[memory] = float((learner.predict(queries[of_old]) == answers[of_old]).mean())
    assert right[None] > 0.9
    assert right[0] < 0.6


def test_old_rows_of_the_head_stay_when_it_grows(small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
    x, y, *_ = coloured
    learner: Any = fresh("finetune", small_encoder, epochs=0).learn(x[y == 9], y[y == 9])
    before = learner.head_.weight.clone()
    learner.learn(x[y != 9], y[y != 9])
    assert torch.equal(learner.head_.weight[:1], before)
    assert learner.head_.weight.abs().max() <= 512**-0.5


def test_without_epochs_finetune_ncm_is_nearest_class_mean(small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = coloured
    with torch.no_grad():
        features, query_features = (small_encoder().encode(torch.from_numpy(part)).numpy() for part in (x, queries))
    reference = make("ncm").learn(features, y)
    for memory in (None, 6, 0):
        learner = fresh("finetune-ncm", small_encoder, epochs=0, memory=memory)
        old = np.isin(y, OLD)
        learner.learn(x[old], y[old]).learn(x[~old], y[~old])
        if memory != 6:  # with one exemplar a class the old means are those of the exemplars
            assert np.allclose(learner.scores(queries), reference.scores(query_features), atol=1e-3)


@pytest.mark.parametrize("name", [n for n in TRAINED if learner_class(n).plain_base])
def test_one_base_step_serves_the_learners_that_start_alike(
    name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]
) -> None:
    """Taken over from `finetune`, the base step and the increment after it are those of the learner's own."""
    x, y, queries, _ = coloured
    old = np.isin(y, OLD)
    quick: dict[str, Any] = {"epochs": 2, "views": "supervised", **({} if name == "lwf" else {"memory": 13})}
    base = fresh("finetune", small_encoder, epochs=2, views="supervised").learn(x[old], y[old])
    own = fresh(name, small_encoder, **quick).learn(x[old], y[old])
    taken: Any = fresh(name, small_encoder, **quick)
    before = base.scores(queries)
    taken.start_from(base, x[old], y[old])
    assert np.array_equal(taken.scores(queries), own.scores(queries))
    for learner in (own, taken):
        learner.learn(x[~old], y[~old])
    assert np.array_equal(taken.scores(queries), own.scores(queries))
    assert np.array_equal(base.scores(queries), before)


def test_epochs_come_from_the_updates_of_the_step(small_encoder: Small) -> None:
    learner: Any = fresh("finetune", small_encoder, epochs=None, updates=(30, 10))
    assert [learner._epochs_of(images, known) for images, known in ((12, 0), (25, 0), (25, 3), (2500, 3))] == [30, 10, 3, 1]
    assert fresh("finetune", small_encoder, epochs=None, updates=(0, 0))._epochs_of(12, 0) == 0  # type: ignore[attr-defined]


def test_joint_starts_over_with_everything(small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
    """Two steps, or all images at once in the same order: the same training from the same start."""
    x, y, queries, _ = coloured
    order = np.argsort(y, kind="stable")
    x, y = x[order], y[order]
    old = y < 7
    stepwise = fresh("joint", small_encoder, epochs=3).learn(x[old], y[old]).learn(x[~old], y[~old])
    at_once = fresh("joint", small_encoder, epochs=3).learn(x, y)
    assert np.allclose(stepwise.scores(queries), at_once.scores(queries), atol=1e-5)


@pytest.mark.parametrize("name", ["finetune", "finetune-ncm"])
def test_an_encoder_of_two_looks_is_asked_by_both(name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, answers = (a.repeat(2, axis=1).repeat(2, axis=2) if a.ndim == 4 else a for a in coloured)
    closer = small_encoder()
    closer.crops = (1.0, 0.5)
    learner: Any = fresh(name, lambda: closer, views="supervised").learn(x, y)
    assert closer.side == 32 == queries.shape[1] and (learner.predict(queries) == answers).mean() > 0.8
    pixels = torch.from_numpy(queries).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        looks = [F.resize(pixels, [16, 16], antialias=True), F.center_crop(pixels, [16, 16])]
        features = (learner.encoder_(looks[0]) + learner.encoder_(looks[1])) / 2
    np.testing.assert_allclose(learner._features(queries), features.numpy(), atol=1e-5)
    if name == "finetune":
        np.testing.assert_allclose(
            learner.scores(queries), learner.head_(features).detach().numpy()[:, np.argsort(learner._order)], atol=1e-4
        )

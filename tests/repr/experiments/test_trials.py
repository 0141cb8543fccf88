"""Trials: keys by content, files whole or not at all, and runs that go on where they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repr.errors import UserError
from repr.experiments.trials import NotRun, Store, Trial, Wanted, key, run

DEPENDS = {"data": b"\x00\x01", "split": ["a", "b"], "settings": {"lr": 0.1, "epochs": 2}}


def wanted(n: int = 3) -> list[Wanted]:
    return [Wanted(row=i // 2, seed=i % 2, name="toy", key=key(1, i % 2, {"row": i // 2})) for i in range(n)]


def trial(one: Wanted) -> Trial:
    return Trial(
        {"acc": (one.row + one.seed) / 4, "forgetting": float("nan")}, {"steps": [1, {"two": None}]}, {"labels": np.arange(3)}, "said"
    )


def test_a_key_is_of_the_content_whatever_the_order() -> None:
    assert key(1, 0, DEPENDS) == key(1, 0, dict(reversed(DEPENDS.items())))
    assert key(1, 0, DEPENDS) == key(1, 0, {**DEPENDS, "settings": {"epochs": 2, "lr": 0.1}})


@pytest.mark.parametrize(
    "other",
    [
        key(2, 0, DEPENDS),
        key(1, 1, DEPENDS),
        key(1, 0, {**DEPENDS, "data": b"\x00\x02"}),
        key(1, 0, {**DEPENDS, "split": ["b", "a"]}),
        key(1, 0, {**DEPENDS, "settings": {"lr": 0.1, "epochs": 2.5}}),
        key(1, 0, {**DEPENDS, "more": None}),
        key(1, 0, {"data": DEPENDS["data"], "split": DEPENDS["settings"], "settings": DEPENDS["split"]}),
    ],
)
def test_another_content_has_another_key(other: str) -> None:
    assert other != key(1, 0, DEPENDS)


def test_a_trial_comes_back_with_its_arrays(tmp_path: Path) -> None:
    store, (one, *_) = Store(tmp_path / "trials"), wanted()
    assert store.find(one.file) is None
    store.write(one.file, trial(one))
    back = store.read(one.file)
    assert back.metrics == {"acc": 0.0, "forgetting": None} and back.details == {"steps": [1, {"two": None}]} and back.note == "said"
    assert back.arrays["labels"].tolist() == [0, 1, 2]
    stored = store.find(one.file)
    assert stored is not None and stored.arrays == {} and stored.metrics == back.metrics


def test_trials_come_in_the_order_in_which_they_are_wanted(tmp_path: Path) -> None:
    trials = run(wanted(4), trial, Store(tmp_path))
    assert [one.metrics["acc"] for one in trials if isinstance(one, Trial)] == [0.0, 0.25, 0.25, 0.5]
    assert all(isinstance(one, Trial) and one.arrays == {} for one in trials)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(one.file for one in wanted(4))


def test_without_a_store_nothing_is_kept_or_found() -> None:
    computed: list[Wanted] = []
    for _ in range(2):
        run(wanted(), lambda one: computed.append(one) or trial(one))  # type: ignore[func-returns-value]
    assert computed == wanted() * 2


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    computed: list[int] = []

    def stopped(one: Wanted) -> Trial:
        if len(computed) == 2:
            raise KeyboardInterrupt
        computed.append(one.row)
        return trial(one)

    with pytest.raises(KeyboardInterrupt):
        run(wanted(5), stopped, Store(tmp_path))
    assert len(list(tmp_path.iterdir())) == 2
    again: list[Wanted] = []
    trials = run(wanted(5), lambda one: again.append(one) or trial(one), Store(tmp_path))  # type: ignore[func-returns-value]
    assert again == wanted(5)[2:] and len(trials) == 5
    assert [one.metrics["acc"] for one in trials if isinstance(one, Trial)] == [trial(one).metrics["acc"] for one in wanted(5)]


def test_an_interruption_while_writing_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(stream: object, **_: object) -> None:
        stream.write(b"PK")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(KeyboardInterrupt):
        run(wanted(), trial, Store(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_damaged_trial_is_computed_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(wanted(), trial, Store(tmp_path))
    file = tmp_path / wanted()[1].file
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(UserError, match="not a readable trial"):
        Store(tmp_path).read(file.name)
    again: list[Wanted] = []
    run(wanted(), lambda one: again.append(one) or trial(one), Store(tmp_path))  # type: ignore[func-returns-value]
    assert again == [wanted()[1]] and "Computed again" in capsys.readouterr().err
    assert Store(tmp_path).read(file.name).metrics["acc"] == 0.25


def test_what_cannot_be_run_takes_its_place_and_is_tried_again(tmp_path: Path) -> None:
    def refuses(one: Wanted) -> Trial:
        if one.row == 0:
            raise NotRun("no weights")
        return trial(one)

    trials = run(wanted(), refuses, Store(tmp_path))
    assert [str(one) if isinstance(one, NotRun) else "ran" for one in trials] == ["no weights", "no weights", "ran"]
    assert all(isinstance(one, Trial) for one in run(wanted(), trial, Store(tmp_path)))


def test_a_trial_of_a_newer_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("repr.experiments.trials.VERSION", 9)
        Store(tmp_path).write("toy.npz", Trial({}))
    with pytest.raises(UserError, match="newer version"):
        Store(tmp_path).read("toy.npz")

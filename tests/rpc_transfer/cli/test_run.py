"""`rpc_transfer run` as it is typed: JSON on stdout, words on stderr, errors with place and remedy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from repr.errors import UserError
from repr.experiments.document import Document, read
from rpc_transfer.cli import group

pytestmark = pytest.mark.usefixtures("thin")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(*arguments: object) -> tuple[str, str]:
    """stdout and stderr of a run that ends well; errors are raised."""
    result = CliRunner().invoke(group, ["run", *map(str, arguments)], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.stdout, result.stderr


@pytest.fixture(scope="module")
def typed(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    out = tmp_path_factory.mktemp("cli") / "run"
    small = ["--learner", "ncm", "--epochs", 0, "--size", 32, "--device", "cpu", "--workers", 0]
    return ["--root", shared / "fruits", "--novel", 2, "--shots", 2, "--seeds", 2, *small, "--out", out]


@pytest.fixture(scope="module")
def printed(typed: list[object]) -> tuple[str, str]:
    return run(*typed)


def test_prints_the_weights_side_by_side(printed: tuple[str, str], typed: list[object]) -> None:
    stdout, stderr = printed
    lines = stdout.splitlines()
    assert lines[0].startswith("fruits: 6 base and 2 novel products, shots from train, tested on test (180 base and 60 novel images)")
    assert [line.split()[:2] for line in lines if line.startswith("ncm")] == [["ncm", "none"], ["ncm", "imagenet"]]
    assert "±" not in stdout, "two seeds make no interval"
    assert "synthetic" not in stdout
    assert "59.63" not in stdout, "the paper's figures belong beside RPC's 200 products alone"
    assert f"rpc_transfer report {typed[-1]}" in stderr


def test_json_is_one_document(printed: tuple[str, str], typed: list[object]) -> None:
    content = json.loads(run(*typed, "--json")[0])
    assert content.pop("passed_over") == []
    document = Document.from_json(content)
    assert content["schema"] == 1 and document == read(Path(str(typed[-1])))
    row = document.rows[0]
    settings = {
        "learner",
        "weights",
        "features",
        "shots",
        "base_shots",
        "shots_from",
        "test_on",
        "increments",
        "memory",
        "arch",
        "size",
        "crops",
    }
    assert set(row.config) == settings and row.config["weights"] == "none"
    assert {"acc_all", "acc_base", "acc_novel", "harmonic_mean", "acc_novel_only", "forgetting_base", "ece", "seconds"} <= set(row.metrics)
    assert set(content["rows"][0]["metrics"]["acc_all"]) == {"mean", "ci95", "values"} and len(row.metrics["acc_all"].values) == 2
    assert "auroc_unknown" not in row.metrics, "no product is unknown here"


def test_one_seed_has_values_and_no_interval(printed: tuple[str, str], typed: list[object]) -> None:
    content = json.loads(run(*typed[:-2], "--seeds", 1, "--out", f"{typed[-1]}-one", "--json")[0])
    for metric in content["rows"][0]["metrics"].values():
        assert metric["ci95"] is None and metric["values"] == [metric["mean"]]


def test_all_is_the_whole_ladder(typed: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variants that the ladder names, such as LDA on square roots, are in it; the whole one has frozen learners on both encoders."""
    learners: list[tuple[str, ...]] = []
    features: list[str] = []

    def refuse(settings: Any, out: Path) -> None:
        learners.append(settings.learner)
        features.append(settings.features)
        raise UserError("seen")

    monkeypatch.setattr("rpc_transfer.experiment.run", refuse)
    for group_name in ("all", "frozen", "trained"):
        with pytest.raises(UserError, match="seen"):
            run(*typed[:4], "--learner", group_name)
    with pytest.raises(UserError, match="seen"):
        run(*typed[:4], "--learner", "all", "--features", "given")
    every, frozen, trained, _ = learners
    assert features == ["both", "given", "given", "given"]
    assert {"ncm", "ncm-plain", "ncm-centred", "lda", "lda-root"} < set(frozen)
    assert set(every) == {*frozen, *trained} and len(every) == 18


def test_a_run_of_another_command_is_not_written_over(typed: list[object], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"version": 2, "command": "repr pretrain"}')
    with pytest.raises(UserError, match="holds a run of `repr pretrain`"):
        run(*typed, "--out", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]


def test_config_of_a_run_can_be_given_back(printed: tuple[str, str], typed: list[object], tmp_path: Path) -> None:
    config = Path(str(typed[-1])) / "config.json"
    content = json.loads(run("--config", config, "--seeds", 1, "--out", tmp_path, "--json")[0])
    assert [trial["seed"] for trial in content["rows"][0]["trials"]] == [0] and content["rows"][0]["config"]["shots"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shots", "61"], "8 products have fewer train images than the 61 shots"),
        (["--novel", "8"], "leave 7"),
        (["--increments", "3x2"], "adds up to 6 products"),
        (["--shots-from", "val"], "no val images"),
        (["--learner", "nmc"], "there is no learner nmc.*Did you mean ncm"),
        (["--weights", "nowhere"], "nowhere"),
        (["--shots", "ten"], "shots=ten is not a whole number"),
        (["--shots", "2\u00b2"], "not a whole number"),
        (["--base-shots", "few"], "It takes 1 or more, or all"),
        (["--split", "nowhere.json"], "no such file"),
        (["--learner", "icarl", "--memory", "0"], "memory is 0"),
        (["--learner", "wa", "--memory", "7"], "cannot hold one of each of 8 classes"),
        (["--views", "round"], "no views named round"),
        (["--preset", "paper"], "two SKUs of each"),
    ],
)
def test_bad_input(typed: list[object], tmp_path: Path, options: list[str], message: str) -> None:
    out = tmp_path / "out"
    with pytest.raises(UserError, match=message):
        run(*typed, *options, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--learner", "ncm", "--weights", "imagenet", "--only-weights", "--lr", 0.1), "lr: nothing is trained by ncm"),
        (("--learner", "finetune", "--features", "both"), "features: no frozen learner is among finetune"),
        (("--learner", "ncm", "--memory", 9), "memory: no memory is kept by ncm"),
        (("--learner", "ncm", "--weights", "imagenet", "--only-weights", "--epochs", 2), "epochs: nothing is trained by ncm"),
        (("--learner", "ncm", "--weights", "imagenet", "--only-weights", "--arch", "resnet18"), "arch: no row starts from scratch"),
        (("--learner", "ncm", "--base-alpha", 0.5), "base_alpha: no encoder is trained on the base products and kept"),
    ],
)
def test_no_option_is_taken_and_ignored(typed: list[object], options: tuple[object, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(*typed[:4], *options)


def test_bad_input_leaves_a_finished_run_as_it_was(printed: tuple[str, str], typed: list[object]) -> None:
    folder = Path(str(typed[-1]))
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    with pytest.raises(UserError, match="memory is 0"):
        run(*typed, "--learner", "icarl", "--memory", 0)
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--unknown", "1"], "drawn with `unknown` 0, not 1"),
        (["--split-seed", "1"], "drawn with `split_seed` 0, not 1"),
        (["--base-shots", "all"], "drawn with `base_shots` as many as `shots`, not all"),
        (["--test-on", "validation"], "drawn with `test_on` test, not validation"),
        (["--shots-from", "val"], "drawn with `shots_from` train, not val"),
    ],
)
def test_options_that_a_split_file_contradicts(
    printed: tuple[str, str], typed: list[object], tmp_path: Path, options: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run(*typed, "--split", Path(str(typed[-1])) / "split.json", *options, "--out", tmp_path / "out")


def test_how_many_are_novel_must_be_said(shared: Path) -> None:
    with pytest.raises(UserError, match="how many products are novel"):
        run("--root", shared / "fruits")


def test_an_error_with_json_is_an_object_and_exit_code_2(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from rpc_transfer.cli import main; main()",
        "run",
        "--root",
        str(tmp_path / "no"),
        "--novel",
        "2",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    printed = json.loads(done.stdout)
    error: dict[str, Any] = printed["error"]
    assert (
        done.returncode == 2 and printed["schema"] == 1 and set(error) == {"message", "where", "remedy"} and error["where"].endswith("no")
    )

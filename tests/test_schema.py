"""docs/schema.json is what every command prints with --json: each is run on a small shop, once well and once badly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from repr import console
from repr.cli import group as repr_group
from repr.experiments.document import Document
from repr.synthetic import shop
from rpc_transfer.cli import group as transfer_group

pytestmark = pytest.mark.usefixtures("thin")

GROUPS = {"repr": repr_group, "rpc_transfer": transfer_group}
SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
COLOURS = {"red": (200, 40, 40), "green": (40, 190, 60), "blue": (50, 60, 210), "grey": (128, 128, 128)}
CPU = "--device cpu --workers 1"
# In this order: some take what those before them wrote. Words in capitals are files of `shelf`.
WELL = [
    "repr catalog build --data shop.csv --out shop.parquet",
    "repr catalog stats shop.parquet",
    "repr catalog show shop.parquet -n 2",
    "repr catalog split shop.parquet --split random --out split.parquet",
    "repr catalog subset",
    "repr catalog align shop.parquet --out mapping.csv",
    "repr pack --data shop.parquet --size 16 --out pack --workers 1",
    f"repr pretrain --data shop.parquet --size 16 --epochs 1 --batch-size 8 --val-share 0 --out pretrain {CPU}",
    "repr weights show pretrain",
    "repr weights mix pretrain pretrain --alpha 0.5 --out mixed.safetensors",
    f"repr evaluate --data shop.parquet --weights pretrain --epochs 1 --out evaluate {CPU}",
    f"repr evaluate --data shop.parquet --weights pretrain --epochs 1 --out evaluate-again {CPU}",
    "repr compare evaluate evaluate-again --out compare.html",
    f"repr classify --data shop.parquet --model ngram --level 1 --epochs 1 --out classify {CPU}",
    f"rpc_transfer run --data shop.parquet --novel 1 --shots 2 --learner ncm --weights pretrain --only-weights --seeds 2 --out run {CPU}",
    "rpc_transfer report run",
    f"repr index build --data shop.parquet --weights pretrain --out index {CPU}",
    "repr index info index",
    "repr index verify index",
    "repr index check index",
    "repr index rename index red ruby",
    "repr index remove index ruby",
    "repr index compact index",
    f"repr lookup index red0.png {CPU}",
    f"repr index add index --data shop.parquet {CPU}",
    f"repr index sync index --data shop.parquet {CPU}",
    "repr index move index .",
    "repr index learner index --learner neighbour",
    f"repr index reindex index --weights mixed.safetensors {CPU}",
    "repr index backup index index.tar",
    "repr index restore index-again index.tar",
    "repr index export index index.csv",
    f"repr embed --data shop.parquet --weights pretrain --out vectors.npz {CPU}",
    "repr weights export pretrain --to safetensors --data shop.parquet --out exported",
    f"repr classify table 5 --data shop.parquet --model ngram --level 1 --epochs 1 --preset grouped --out table {CPU}",
    "repr classify predict classify --data shop.parquet",
    f"repr classify --data shop.parquet --model ngram --level 1 --epochs 2 --out classify-again {CPU}",
    "repr classify ensemble members.txt",
    f"repr classify noise find --data shop.parquet --level 1 --model ngram --folds 2 --out noise {CPU}",
    "repr classify noise apply noise --out pruned.parquet",
    "rpc_transfer checkout evaluate --gt truth.json --results boxes.json --threshold 0.5",
    f"rpc_transfer checkout predict index red0.png {CPU}",
]
# Asked here to fail alone: what they need to go well is not on every machine, or takes too long; tests of the service hold its object.
LEFT = ["repr synthetic", "repr catalog unpack", "repr catalog ocr", "repr serve"]
LEFT += ["rpc_transfer checkout synthesize", "rpc_transfer checkout train"]
BADLY = [
    "repr catalog build --data nowhere",
    "repr catalog ocr nowhere.parquet",
    "repr catalog unpack --data nowhere",
    "repr catalog subset nonsense --data nowhere",
    "repr pack --data nowhere --size 0",
    "repr weights show nowhere",
    "repr index info nowhere",
    "repr lookup nowhere photo.jpg",
    "repr serve nowhere",
    "repr compare nowhere elsewhere",
    "repr synthetic",
    "repr weights export nowhere",
    "repr classify predict nowhere",
    "repr classify noise find",
    "repr index learner nowhere lda",
    "rpc_transfer checkout evaluate nowhere.json nowhere.json",
    "rpc_transfer checkout synthesize nowhere",
    "rpc_transfer checkout train --data nowhere",
    "rpc_transfer checkout predict nowhere",
    "repr embed --data nowhere",
    "repr classify ensemble nowhere",
    "repr index reindex nowhere",
    "rpc_transfer report nowhere",
    "rpc_transfer run --novel 0",
]


def printed(line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], int]:
    """What a command prints, and its exit code."""
    program, *words = line.split()
    monkeypatch.setattr("sys.argv", [program, *words, "--json"])
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        console.run(GROUPS[program], program)
    code = end.value.code
    said = capsys.readouterr()
    assert isinstance(code, int) and said.out.count("\n") == 1, f"{line}: {code}: {said.out}{said.err}"
    return json.loads(said.out), code


def check(content: object) -> None:
    """Raise an AssertionError that names the first place where the schema is not kept."""
    wrong = sorted(VALIDATOR.iter_errors(content), key=lambda error: list(map(str, error.path)))
    places = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for of in wrong for error in (of.context or [of])]
    assert not wrong, "\n".join(places)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of four products, ten images each, with titles; one file is broken and one listed twice."""
    root, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(0)
    lines = ["image,product,class,title,split"]
    for name, colour in COLOURS.items():
        for i in range(10):
            pixels = np.clip(np.array(colour) + rng.normal(0, 30, (20, 20, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / f"{name}{i}.png")
            lines.append(f"{name}{i}.png,{name},{name},a {name} thing {i},{'test' if i > 6 else 'train'}")
    (root / "shop.csv").write_text("\n".join([*lines, lines[-1]]) + "\n")
    (root / "members.txt").write_text("classify\nclassify-again\n")
    images, categories = [{"id": 1, "file_name": "red0.png", "level": "easy", "width": 20, "height": 20}], [{"id": 1, "name": "red"}]
    truth = {"image_id": 1, "category_id": 1, "bbox": [2, 2, 9, 9], "id": 1, "area": 81, "iscrowd": 0}
    (root / "truth.json").write_text(json.dumps({"images": images, "categories": categories, "annotations": [truth]}))
    (root / "boxes.json").write_text(json.dumps([{"image_id": 1, "category_id": 1, "bbox": [2, 2, 9, 9], "score": 0.9}]))
    return root


def commands(of: click.Command, name: str) -> Iterator[str]:
    """Every command with --json, as it is typed."""
    if any(param.name == "as_json" for param in of.params):
        yield name
    if isinstance(of, click.Group):
        context = click.Context(of)
        for below in of.list_commands(context):
            command = of.get_command(context, below)
            assert command is not None
            yield from commands(command, f"{name} {below}")


def test_no_command_is_forgotten() -> None:
    every = [name for program, group in GROUPS.items() for name in commands(group, program)]
    forgotten = [name for name in every if name not in LEFT and not any(f"{line} ".startswith(f"{name} ") for line in WELL)]
    assert len(every) > 30 and forgotten == []
    assert all(any(line.startswith(name) for line in BADLY) for name in LEFT)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.slow
def test_what_goes_well(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    for line in WELL:
        content, code = printed(line, capsys, monkeypatch)
        assert code == 0, f"{line}: {content}"
        check(content)
        if "comparisons" in content and "command" in content:
            assert content["rows"] and all(row["metrics"] for row in content["rows"]), line
            check(json.loads((folder / line.split(" --out ")[1].split()[0] / "results.json").read_text()) | {"passed_over": []})
    assert printed("repr catalog build --data shop.csv --out shop.parquet", capsys, monkeypatch)[0]["passed_over"], "one row is there twice"


@pytest.mark.parametrize("line", BADLY)
def test_what_goes_wrong(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RPC_ROOT", raising=False)
    content, code = printed(line, capsys, monkeypatch)
    assert code == 2 and content["error"]["message"]
    check(content)


@pytest.mark.slow
def test_the_synthetic_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(shop.SCALES, "tiny", shop.Scale(208, 1, 6, 6, 1_000_000, 20))
    content, code = printed("repr synthetic --out drawn --scale tiny --workers 1", capsys, monkeypatch)
    assert code == 0
    check(content)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"schema": 1},
        {"schema": 1, "passed_over": [{"reason": "empty", "count": 0, "examples": []}]},
        {"schema": 1, "error": {"message": "", "where": "", "remedy": ""}},
        {"schema": 1, "error": "a word", "passed_over": []},
        Document("repr evaluate", "shop", True, ()).as_json(),
        Document("repr evaluate", "shop", True, ()).as_json() | {"passed_over": [], "rows": [{"config": {}, "metrics": {"a": 0.5}}]},
    ],
)
def test_what_is_something_else_is_refused(broken: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(broken)


def test_a_bare_document_is_taken() -> None:
    check({**Document("repr evaluate", "shop", True, ()).as_json(), "passed_over": []})

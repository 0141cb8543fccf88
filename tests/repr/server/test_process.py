"""`repr serve` as a process: it tells where it listens, refuses what cannot work, and answers what is in work before it ends."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from repr.cli import group
from repr.errors import UserError
from repr.lookup.index import Index
from tests.repr.server.shop import AS_WRITER, WRITE, files, fill, photograph
from tests.repr.server.started import Started, started


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return fill(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def service(index: Index) -> Iterator[Started]:
    with started(index.folder, "--write-key", "env:SHOP_KEY", environment={"SHOP_KEY": WRITE}) as one:
        yield one


def in_work(url: str) -> float:
    """Requests that are being answered, this one left out."""
    told = httpx.get(f"{url}/metrics").text
    return float(told.partition("\nrepr_requests_in_work ")[2].partition("\n")[0]) - 1


def refused(*words: str) -> UserError:
    result = CliRunner().invoke(group, ["serve", *words])
    assert isinstance(result.exception, UserError), result.output
    return result.exception


def test_what_cannot_be_served(index: Index, service: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, port = str(index.folder), service.url.rpartition(":")[2]
    assert "not an index" in refused(str(tmp_path)).message and "cannot listen" in refused(folder, "--port", port).message
    assert (
        refused(folder, "--host", "192.0.2.77").where == "192.0.2.77:8000" and refused(folder, "--host", "no such host").argument == "host"
    )
    assert refused(folder, "--read-key", str(tmp_path / "none")).argument == "read_key"
    (tmp_path / "key").write_text("short\n")
    assert "5 characters" in refused(folder, "--write-key", str(tmp_path / "key")).message
    monkeypatch.delenv("SHOP_KEY", raising=False)
    assert "SHOP_KEY" in refused(folder, "--write-key", "env:SHOP_KEY").message
    (tmp_path / "key").write_text(f"{WRITE}\n")
    monkeypatch.setattr("repr.server.listening.os.access", lambda *_: False)
    assert "cannot be written" in refused(folder, "--write-key", str(tmp_path / "key"), "--port", "0").message


def test_it_ends_when_what_is_in_work_is_answered_and_durable(service: Started, index: Index) -> None:
    answers = list[int]()
    with httpx.Client(base_url=service.url, timeout=30) as client:
        assert client.post("/v1/lookup", files=files(photograph(0))).json()["results"][0]["matches"][0]["product"] == "tea"
        assert client.put("/v1/products/%2e%2e%2fa%2520b", json={}, headers=AS_WRITER).json()["id"] == "../a%20b"

    def _ask(number: int) -> None:
        if number % 2:
            answers.append(httpx.post(f"{service.url}/v1/lookup", files=files(*map(photograph, range(20))), timeout=30).status_code)
        else:
            given = files(*(photograph(100 + 100 * number + seed) for seed in range(9)))
            answers.append(
                httpx.post(f"{service.url}/v1/products/n{number}/images", files=given, headers=AS_WRITER, timeout=30).status_code
            )

    threads = [threading.Thread(target=_ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while in_work(service.url) < 4 and all(thread.is_alive() for thread in threads):
        time.sleep(0.002)
    service.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert service.process.wait(30) == 0 and sorted(answers) == [200, 200, 201, 201]
    assert "Stopped." in service.errors() and "Traceback" not in service.errors()
    assert len(list(index.store.images(product="n0"))) == len(list(index.store.images(product="n2"))) == 9


def test_json_is_one_object_once_it_is_warm(index: Index) -> None:
    with started(index.folder, "--json") as service:
        [line] = [line for line in service.errors().splitlines() if line.startswith("{")]
        said = json.loads(line)
        products, images = index.store.counts()
        assert said == {"schema": 1, "url": f"{service.url}/", "products": products, "images": images, "writable": False, "passed_over": []}


@pytest.mark.slow
def test_it_answers_beside_commands_that_change_its_index(tmp_path: Path) -> None:
    index = fill(tmp_path)
    (tmp_path / "more" / "egg").mkdir(parents=True)
    (tmp_path / "more" / "egg" / "a.png").write_bytes(photograph(70))
    with started(index.folder) as service, httpx.Client(base_url=service.url, timeout=30) as client:

        def _first(seed: int) -> str:
            answer = client.post("/v1/lookup?k=1", files=files(photograph(seed)))
            return str(answer.json()["results"][0]["matches"][0]["product"])

        with index.store.change("add"):  # answered while somebody else holds the index
            assert _first(0) == "tea"
        for words, found in ((["add", "--data", str(tmp_path / "more")], "egg"), (["rename", "egg", "eggs"], "eggs")):
            done = CliRunner().invoke(group, ["index", words[0], str(index.folder), *words[1:]], catch_exceptions=False)
            assert done.exit_code == 0 and _first(70) == found
        index.remove(["eggs"])
        assert _first(70) != "eggs" and client.get("/v1/index").json()["products"] == 3

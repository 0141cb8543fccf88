"""Whether a service keeps what it answered: killed while several clients store, describe and remove products.

Each client has products of its own and asks for one change after another. What was answered must be there afterwards, what was under way
wholly or not at all, without a repair. The next service then begins on the index as it is.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx
import uvicorn

from faults.forked import child
from faults.shop import NUMBERS, PIECE, Shop, bytes_of
from repr.lookup.index import Index
from repr.models.weights import Weights
from repr.server.app import create_app
from repr.server.keys import Keys
from repr.server.listening import listen

CLIENTS = 4
PRODUCTS = 3  # of each
LIFE = 50  # kills until the index is made anew
LONGEST = 0.6  # seconds that a service lives after its first answer, at most
PATIENCE = 20  # seconds that this one is waited for
KEY = "writing-0123456789"

Held = tuple[str | None, frozenset[int]] | None  # a product's name and the numbers of its images; None where there is none


@dataclass
class Client:
    """Asks for changes of its own products until the service is gone. held: of each product, what is surely there; pending: what it may
    be instead, by the change that was not answered."""

    name: str
    generator: random.Random
    held: dict[str, Held] = field(default_factory=dict)
    pending: tuple[str, Held] | None = None
    answered: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def work(self, url: str) -> None:
        """Ask until nobody answers."""
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=20) as http:
            while True:
                product = f"{self.name}/{self.generator.randrange(PRODUCTS)}"
                what, after, ask = self.draw(product)
                self.pending = product, after
                try:
                    answer = ask(http)
                except httpx.TransportError:
                    return
                if answer.is_error:
                    self.wrong.append(f"{what} of {product}: {answer.status_code} {answer.text[:200]}")
                    return
                self.held[product], self.pending = after, None
                self.answered[what] += 1

    def draw(self, product: str) -> tuple[str, Held, Callable[[httpx.Client], httpx.Response]]:
        """A change of a product: what it is called, what is there afterwards, and how it is asked for."""
        held, place = self.held.get(product), f"/v1/products/{quote(product, safe='')}"
        what = self.generator.choice(["store", "store", "describe", "remove"]) if held else "store"
        if what == "remove":
            return "DELETE", None, lambda http: http.delete(place)
        name = f"name {self.generator.randrange(10**6)}"
        if what == "describe":
            return "PUT", (name, held[1] if held else frozenset()), lambda http: http.put(place, json={"name": name})
        new = [self.generator.randrange(len(NUMBERS)) for _ in range(self.generator.randint(1, PIECE))]
        files = [("image", (f"{number}.png", bytes_of(number))) for number in new]
        after = name, (held[1] if held else frozenset()) | frozenset(new)
        return "POST", after, lambda http: http.post(f"{place}/images", files=files, data={"name": name})


def serving(index: Path, listening: socket.socket) -> int:
    """Serve until the end, which comes from outside."""
    app = create_app(Index.open(index, device="cpu"), keys=Keys(None, KEY))
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])
    return 0


def kill(weights: tuple[Weights, Weights], kills: int, seed: int, end: float) -> tuple[int, Counter[str], list[str]]:
    """How many kills there were until a moment (of `time.monotonic`), how many changes were answered, by their kind, and what was wrong."""
    generator, answered, wrong, done = random.Random(seed), Counter[str](), list[str](), 0
    shop, held = None, dict[str, Held]()
    with tempfile.TemporaryDirectory() as place:
        for number in range(kills):
            if time.monotonic() > end:
                break
            done += 1
            if shop is None or number % LIFE == 0:
                shop, held = Shop(Path(tempfile.mkdtemp(dir=place)), weights), {}
                Index.create(shop.index, weights=weights[0], crops=[1], device="cpu", learner="neighbour").close()
            clients = [Client(f"client {one}", random.Random(generator.randrange(10**9)), dict(held)) for one in range(CLIENTS)]
            wrong += [f"kill {number}: {fault}" for fault in _round(shop, clients, generator)]
            for client in clients:
                answered += client.answered
            fault, held = compared(shop, clients)
            if fault:
                wrong.append(f"kill {number}: {fault}")
                shop = None
    return done, answered, wrong


def _round(shop: Shop, clients: list[Client], generator: random.Random) -> list[str]:
    """Start a service, ask it for changes, and kill it; returns what it answered that it should not."""
    listening = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    process = child(lambda: serving(shop.index, listening))
    listening.close()
    try:
        wait_for(url)
        threads = [threading.Thread(target=client.work, args=(url,)) for client in clients]
        for thread in threads:
            thread.start()
        patience = time.monotonic() + PATIENCE
        while not any(client.answered for client in clients) and time.monotonic() < patience:
            time.sleep(0.01)
        time.sleep(generator.random() * LONGEST)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    for thread in threads:
        thread.join()
    return [fault for client in clients for fault in client.wrong]


def wait_for(url: str) -> None:
    """Until a service is warm."""
    for _ in range(600):
        try:
            if httpx.get(f"{url}/readyz", timeout=20).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError("the service does not begin")


def compared(shop: Shop, clients: list[Client]) -> tuple[str, dict[str, Held]]:
    """What is wrong with the index, "" for nothing, and what it holds."""
    store = Index.open(shop.index, device="cpu").store
    contents: dict[str, Held] = {product.id: (product.name, frozenset()) for product in store.products().values()}
    for image in store.images():
        name, numbers = contents[image.product] or (None, frozenset())
        contents[image.product] = name, numbers | {NUMBERS[image.content]}
    store.close()
    for client in clients:
        for number in range(PRODUCTS):
            product = f"{client.name}/{number}"
            allowed = [client.held.get(product)] + ([client.pending[1]] if client.pending and client.pending[0] == product else [])
            if contents.get(product) not in allowed:
                return f"{product} is {contents.get(product)}, not {' or '.join(map(str, allowed))}", contents
    shop.state = {product: set(held[1]) for product, held in contents.items() if held}
    return shop.check(), contents

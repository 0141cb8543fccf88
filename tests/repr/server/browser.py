"""A headless Chromium, driven by its own WebDriver server (https://www.w3.org/TR/webdriver2/) over HTTP: no more than the tests need."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

DRIVER, BROWSER = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-dev-shm-usage",
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that WebDriver gives elements
PATIENCE = 20.0  # seconds that something may take to appear


class Browser:
    """One window."""

    def __init__(self, session: httpx.Client) -> None:
        self.session = session

    def _post(self, command: str, **body: Any) -> Any:
        answer = self.session.post(command, json=body)
        assert answer.status_code == 200, answer.json()["value"]["message"]
        return answer.json()["value"]

    def open(self, url: str) -> None:
        self._post("url", url=url)

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._post("goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._post("goog/cdp/execute", cmd="Emulation.setEmulatedMedia", params={"features": scheme})

    def run(self, script: str) -> Any:
        return self._post("execute/sync", script=script, args=[])

    def find(self, selector: str, text: str = "") -> str:
        """The first element that is shown, matches a CSS selector and has a text in it, waited for."""
        end = time.monotonic() + PATIENCE
        script = (
            "return [...document.querySelectorAll(arguments[0])].find(one => one.textContent.includes(arguments[1])"
            " && (one.type === 'file' || one.checkVisibility()))"
        )
        while time.monotonic() < end:
            found = self._post("execute/sync", script=script, args=[selector, text])
            if found:
                return str(found[ELEMENT])
            time.sleep(0.03)
        raise AssertionError(f"no {selector!r} with {text!r} in: {self.run('return document.body.innerText')}")

    def click(self, selector: str, text: str = "") -> None:
        self._post(f"element/{self.find(selector, text)}/click")

    def drag(self, selector: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press on an element, move, and let go: places as shares of its width and height."""
        self.find(selector)
        self.run(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        rect = self.run(
            f"const r = document.querySelector({selector!r}).getBoundingClientRect(); return [r.left, r.top, r.width, r.height]"
        )
        points = [(round(rect[0] + x * rect[2]), round(rect[1] + y * rect[3])) for x, y in (start, end)]
        moves = [{"type": "pointerMove", "duration": 50, "x": x, "y": y} for x, y in points]
        steps = [moves[0], {"type": "pointerDown", "button": 0}, moves[1], {"type": "pointerUp", "button": 0}]
        self._post("actions", actions=[{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}])

    def type(self, selector: str, keys: str) -> None:
        self._post(f"element/{self.find(selector)}/value", text=keys)

    def text(self, selector: str, text: str = "") -> str:
        return str(self.session.get(f"element/{self.find(selector, text)}/text").json()["value"])

    def gone(self, selector: str) -> None:
        """Wait until nothing matches."""
        end = time.monotonic() + PATIENCE
        while self.run(f"return document.querySelectorAll({selector!r}).length"):
            assert time.monotonic() < end, f"{selector} stays"
            time.sleep(0.03)

    def settled(self) -> None:
        """Wait until every image in view is there."""
        self.run("window.scrollBy(0, 1); window.scrollBy(0, -1)")
        self.gone("body:not(:has(dialog[open])) main .busy")
        time.sleep(0.3)

    def messages(self) -> list[str]:
        """Errors that the page has made so far."""
        answer = self.session.post("se/log", json={"type": "browser"})
        return [str(entry["message"]) for entry in answer.json()["value"]]

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.session.get("screenshot").json()["value"]))


@contextmanager
def browser() -> Iterator[Browser]:
    """A window, closed with the block, and all that was started for it."""
    assert DRIVER and BROWSER
    with socket.socket() as free, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        driver = subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=25) as client:
                wait_for(client)
                options = {"binary": BROWSER, "args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
                wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "WARNING"}}}
                answer = client.post("/session", json={"capabilities": wanted})
                assert answer.status_code == 200, answer.text
                client.base_url = client.base_url.join(f"/session/{answer.json()['value']['sessionId']}/")
                yield Browser(client)
                client.delete("")
        finally:
            driver.terminate()
            driver.wait(10)


def wait_for(client: httpx.Client) -> None:
    """Wait until the driver answers."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            client.get("/status")
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the driver does not answer")

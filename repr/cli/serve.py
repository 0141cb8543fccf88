"""`repr serve`: an index over HTTP, with a page for people."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repr import console, index_options, options
from repr.errors import UserError
from repr.server.settings import Limits

if TYPE_CHECKING:
    from repr.server.keys import Keys

GRACE = 30  # seconds that requests have to end when the service is stopped


@options.command()
@index_options.index_option()
@options.option("--host", default="127.0.0.1", metavar="ADDRESS", section="machine", help="Where to listen.  [default: 127.0.0.1]")
@options.option("--port", type=click.IntRange(0, 65535), default=8000, help="Where to listen; 0 for a free one.  [default: 8000]")
@options.option(
    "--read-key", metavar="FILE|env:NAME", section="data", help="Where the key stands that is needed to ask.  [default: none needed]"
)
@options.option(
    "--write-key",
    metavar="FILE|env:NAME",
    section="data",
    help="Where the key stands that is needed to change the index.  [default: no changes]",
)
@index_options.detector_option
@index_options.threshold_option
@options.of(Limits)
@options.shared("device", "workers")
@options.json_option
def command(
    folder: Path | None,
    words: tuple[str, ...],
    host: str,
    port: int,
    read_key: str | None,
    write_key: str | None,
    detector: str,
    threshold: float | None,
    device: str,
    workers: int | None,
    as_json: bool,
    **limits: Any,
) -> None:
    """Answer over HTTP which stored products a photograph shows, or a counter; the page for people is at /, the schema at /openapi.json.

    \b
    Examples:
      repr serve shop.index
      repr serve shop.index --write-key env:SHOP_KEY --port 9000

    Ctrl-C or SIGTERM: requests that are in work are answered first. --json: printed when it is warm.
    """
    place = index_options.index_alone(folder, words)
    _check_installed()
    import uvicorn

    from repr.checkout.choice import proposer_of
    from repr.lookup.index import Index
    from repr.server.app import create_app
    from repr.server.keys import Keys
    from repr.server.keys import read_key as key_of
    from repr.server.listening import check_writable, listen

    keys, held = Keys(key_of(read_key, "read_key"), key_of(write_key, "write_key")), Limits(**limits)
    proposer = proposer_of(detector, device=device)
    index = Index.open(place, device=device, workers=workers, wait=held.timeout / 2)
    if keys.write is not None:
        check_writable(index)
    socket = listen(host, port)
    url = _url(*socket.getsockname()[:2])
    _warn(socket.getsockname()[0], keys)
    products, images = index.store.counts()

    def _stop() -> None:
        server.should_exit = True

    def _ready() -> None:
        if as_json:
            console.emit({"url": url, "products": products, "images": images, "writable": keys.write is not None})

    app = create_app(index, limits=held, keys=keys, proposer=proposer, threshold=threshold, on_ready=_ready, on_failure=_stop)
    quiet: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False}
    server = uvicorn.Server(uvicorn.Config(app, timeout_graceful_shutdown=GRACE, timeout_keep_alive=15, backlog=1024, **quiet))
    console.say(f"Serving {products:,} products in {images:,} images at {url}  (Ctrl-C to stop)")
    with suppress(KeyboardInterrupt):
        server.run(sockets=[socket])
    if app.state.service.failed is not None:
        raise app.state.service.failed
    console.say("Stopped.")


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _check_installed() -> None:
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise UserError(f"the package {error.name} is not installed", "", "Install it with `pip install 'product-repr[serve]'`") from None


def _warn(address: str, keys: Keys) -> None:
    if keys.read is None and not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        console.say("Warning: other machines can ask without a key; name one with --read-key.")
    if keys.write is None:
        console.say("Nothing can be changed here: no --write-key is named.")

"""`repr index`, the part that judges one: how good it is, and who answers."""

from __future__ import annotations

from pathlib import Path

import click

from repr import console, index_options, options
from repr.lookup.settings import AnswerSettings


@options.command()
@index_options.index_option()
@options.shared("data", "subset")
@index_options.part_option
@options.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    is_flag=False,
    flag_value="check.html",
    section="output",
    help="Write one page with images.  [bare: check.html]",
)
@options.shared("device", "workers")
@options.json_option
def check(
    folder: Path | None,
    words: tuple[str, ...],
    data: tuple[str, ...],
    subset: str | None,
    parts: tuple[str, ...],
    report: Path | None,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Say how good the index is: what it answers on its own images, held out, or on those of --data; and which images look wrong.

    \b
    Examples:
      repr index check shop.index --report check.html
      repr index check shop.index --data photos/ --json
    """
    from repr.lookup.building import Stock
    from repr.lookup.index import Index
    from repr.reports import check_report

    index = Index.open(index_options.index_alone(folder, words), device=device, workers=workers)
    checked = index.check(Stock(data, parts, subset) if data else None)
    if report is not None:
        written = check_report.write(report, index.folder, checked, index.file, synthetic=index.info()["synthetic"])
        console.say(f"Report: {written}")
    index_options.finish(index.folder, checked.as_json(), "\n".join(checked.lines()), as_json=as_json)


@options.command()
@index_options.index_option()
@options.of(AnswerSettings)
@options.shared("wait")
@options.json_option
@click.pass_context
def learner(
    ctx: click.Context, folder: Path | None, words: tuple[str, ...], learner: str, accept: float, wait: float, as_json: bool
) -> None:
    """Choose on the stored images who answers, and from where on a photograph is unknown; what is not typed is as last time.

    \b
    Examples:
      repr index learner shop.index
      repr index learner shop.index --learner lda-root --accept 0.9
    """
    from repr.lookup.index import Index
    from repr.lookup.info import described

    index, typed = Index.open(index_options.index_alone(folder, words), wait=wait), options.typed(ctx)
    index.settle(learner if "learner" in typed else None, accept if "accept" in typed else None)
    content = index.info()
    index_options.finish(index.folder, content, "\n".join(described(content)), as_json=as_json)

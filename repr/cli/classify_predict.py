"""`repr classify predict`: a kept model asked for new products."""

from __future__ import annotations

from pathlib import Path

import click

from repr import console, options, tables
from repr.errors import UserError

SHOWN = 20  # rows printed
FILE = click.Path(path_type=Path)


@options.command("predict")
@click.argument("run", metavar="RUN", type=FILE)
@options.shared("data")
@options.option("--title", default="", metavar="TEXT", help="The title of one product, instead of data.")
@options.option("--description", default="", metavar="TEXT", help="Its description.")
@options.option("--image", type=FILE, metavar="FILE", help="Its image.")
@options.option("--top", type=click.IntRange(1), default=5, show_default=True, metavar="N", help="Classes told of each product.")
@options.option("--threshold", type=options.Between(0, 1), default=0.0, metavar="P", help="Answer 'unsure' below this probability.")
@options.option("--submission", type=FILE, metavar="FILE", help="Write the codes in the form of the Rakuten challenge's labels too.")
@options.out_option("the predictions, .csv or .jsonl (default: print)")
@options.json_option
def command(
    run: Path, data: tuple[str, ...], title: str, description: str, image: Path | None, top: int, threshold: float,
    submission: Path | None, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Ask what a run kept (of several rows, name one in its folder `models`) for the classes of new products.

    \b
    Examples:
      repr classify predict runs/mine --data new --out predictions.csv --threshold 0.5
      repr classify predict runs/mine --title "Green leaf tea" --image tea.jpg --json
      repr classify predict runs/mine --data X_test_update.csv --submission y_test.csv
    """
    from repr.catalog import rakuten
    from repr.classify.predict import Classifier, check_ending, predict_data, write_predictions

    one = bool(title or description or image)
    if one == bool(data):
        raise UserError("one product or data are asked for", "", "Give `data`, or a `title` and an `image`")
    if submission and (one or len(data) != 1):
        raise UserError("a submission is of one file of products", "", "Name it with `data`", argument="submission")
    if out:
        check_ending(out)
    if one:
        predictions = [Classifier.load(run).predict(title, image, description, top=top, threshold=threshold)]
    else:
        predictions = predict_data(run, data, top=top, threshold=threshold)
    if out:
        write_predictions(out, predictions)
        console.say(f"Wrote {len(predictions):,} predictions: {out}")
    if submission:
        products = rakuten.products_of(Path(data[0]))
        rakuten.write_submission(submission, products, {(each.product, each.image): each.classes[0] for each in predictions})
        console.say(f"Wrote {submission}")
    unsure = sum(each.unsure for each in predictions)
    if as_json:
        listed = [] if out else [each.as_json() for each in predictions]
        console.emit({"rows": len(predictions), "unsure": unsure, "predictions": listed})
    elif not out and not submission:
        cells = [[each.product, each.answer, f"{each.probabilities[0]:.3f}", " > ".join(each.path)] for each in predictions[:SHOWN]]
        click.echo(tables.table(["product", "answer", "probability", "path"], cells))
        click.echo(f"{len(predictions):,} products, {unsure:,} of them unsure.")

"""The figures of a catalog, as the MEP-3M papers draw them; those of its images: `catalog_images`."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from repr.catalog.characters import Characters
from repr.catalog.statistics import BIN, Statistics
from repr.catalog.title_terms import TitleTerms
from repr.reports import figures

SHOWN = 12  # resolutions drawn; the rest are one bar
NAMED = 40  # characters written beside their points
BARS = 30  # terms drawn as bars


@figures.styled
def long_tail(numbers: Statistics) -> Figure:
    """Samples of each class, largest first, on a logarithmic axis."""
    figure = figures.new_figure(height=2.8)
    axes = figure.add_subplot()
    counts = [row.samples for row in numbers.long_tail]
    axes.fill_between(range(1, len(counts) + 1), counts, 0.5, step="mid", color=figures.PALETTE[0], alpha=0.25, lw=0)
    axes.step(range(1, len(counts) + 1), counts, where="mid", color=figures.PALETTE[0], lw=1.4)
    axes.set(xlabel=f"classes of level {numbers.level}, largest first", ylabel="images", ylim=(0.5, max(counts) * 1.5))
    figures.logarithmic(axes, "y")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@figures.styled
def resolutions(numbers: Statistics) -> Figure:
    """Images by size in pixels, the most frequent ones."""
    shown = [(f"{r.width}×{r.height}", r.samples) for r in numbers.resolutions[:SHOWN]]
    others = numbers.resolutions[SHOWN:]
    if others:
        shown.append((f"{len(others)} others", sum(r.samples for r in others)))
    return _bars([name for name, _ in shown], [n for _, n in shown], "images (width × height in pixels, as the records say)")


@figures.styled
def title_lengths(numbers: Statistics) -> Figure:
    """Histogram of title lengths in characters."""
    assert numbers.titles
    figure = figures.new_figure(height=2.8)
    axes = figure.add_subplot()
    at, counts = zip(*numbers.titles.histogram, strict=True)
    axes.bar(at, counts, width=BIN * 0.92, align="edge", color=figures.PALETTE[0])
    axes.axvline(numbers.titles.mean, color=figures.PALETTE[5], lw=1.2, label=f"mean {numbers.titles.mean:.1f}")
    axes.set(xlabel="characters a title", ylabel="titles")
    axes.legend()
    return figure


@figures.styled
def classes(numbers: Statistics) -> Figure:
    """Table 2 as bars: samples of each level-1 class, with the number of its sub-classes."""
    names = [f"{row.name} ({row.sub_classes})" if row.sub_classes else row.name for row in numbers.classes]
    return _bars(names, [row.samples for row in numbers.classes], "images (in brackets: sub-classes)")


@figures.styled
def ocr(numbers: Statistics) -> Figure:
    """Share of records with OCR text, for each level-1 class."""
    return _bars([row.name for row in numbers.classes], [100 * row.ocr / row.samples for row in numbers.classes], "% with OCR text")


@figures.styled
def characters(counted: Characters) -> Figure:
    """Fig. 6: each character's frequency in titles against that in OCR text; the most frequent ones by name."""
    figure = figures.new_figure(height=4.2)
    axes = figure.add_subplot()
    titles, ocr = (1000 * rate for rate in counted.rates())
    both = (titles > 0) & (ocr > 0)
    axes.scatter(titles[both], ocr[both], s=6, color=figures.PALETTE[0], alpha=0.35, lw=0)
    for character, x, y in [
        entry for entry, in_both in zip(zip(counted.characters, titles, ocr, strict=True), both, strict=True) if in_both
    ][:NAMED]:
        axes.annotate(character, (x, y), xytext=(3, 2), textcoords="offset points", fontsize=9)
    if both.any():
        ends = [min(titles[both].min(), ocr[both].min()), max(titles[both].max(), ocr[both].max())]
        axes.plot(ends, ends, color=figures.PALETTE[6], lw=1, ls="--", label="as often in both")
        axes.legend()
        figures.logarithmic(axes, "x", "y")
    axes.set(xlabel="in 1,000 characters of titles", ylabel="in 1,000 characters of OCR")
    return figure


def _bars(names: list[str], values: list[float] | list[int], label: str) -> Figure:
    figure = figures.new_figure(height=0.8 + 0.24 * len(names))
    axes = figure.add_subplot()
    bars = axes.barh(range(len(names)), values, color=figures.PALETTE[0])
    axes.bar_label(bars, [f"{value:,.0f}" if isinstance(value, int) else f"{value:.1f}" for value in values], padding=3, fontsize=8)
    axes.set_xlim(0, max(values) * 1.15)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=5)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.grid(axis="y", visible=False)
    return figure


@figures.styled
def title_terms(counted: TitleTerms) -> Figure:
    """The most frequent terms of titles as bars: what stands for the cloud where no font of this machine has their letters."""
    shown = counted.terms[:BARS]
    return _bars([term for term, _ in shown], [n for _, n in shown], "titles that have the term")

"""One self-contained HTML page: text, tables, figures and images, readable on a phone, in the dark and on paper.

Nothing is loaded from elsewhere: style, figures (SVG) and images (data URLs) are in the file. Text in figures stays
text and is drawn by the reader's browser, so Chinese names need no font where the page is made.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib import metadata
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from repr.commands import command_line
from repr.errors import UserError
from repr.files import replacing
from repr.images.reader import ImageLike
from repr.records import Json
from repr.reports.figures import svg
from repr.reports.sheet import SheetRow, thumbnail
from repr.runs import Run

THUMB = 96  # pixels a side of a small image
SYNTHETIC_NOTICE = (
    "<strong>Synthetic.</strong> Made on the synthetic shop: an illustration of what the tool does, "
    "not a measurement. Figures here say nothing about real products."
)


SCROLLS = """<script>
const told = () => document.querySelectorAll(".scroll").forEach(
  part => part.classList.toggle("more", part.scrollWidth > part.clientWidth + 1));
addEventListener("resize", told); addEventListener("load", told); told();
</script>"""  # says of what does not fit that it scrolls; without scripts it scrolls all the same


class Page:
    """A page that is filled from top to bottom and written once.

    title: plain text; synthetic: whether any of it was made on the synthetic shop (a banner says so, and the title).
    """

    def __init__(self, title: str, synthetic: bool) -> None:
        self.title = f"{title} (synthetic)" if synthetic else title
        self.synthetic = synthetic
        self._parts: list[str] = []
        self._sections: list[str] = []
        self._figures = 0

    def section(self, title: str) -> None:
        """A heading of the second level, which also stands in the list of contents at the top."""
        self._sections.append(title)
        self._parts.append(f'<h2 id="s{len(self._sections)}">{escape(title)}</h2>')

    def heading(self, title: str) -> None:
        """A heading of the third level."""
        self._parts.append(f"<h3>{escape(title)}</h3>")

    def text(self, words: str) -> None:
        """Paragraphs and lists in a small part of Markdown: blank lines, "- " items, **bold**, `code`, [words](address)."""
        for block in re.split(r"\n\s*\n", words.strip()):
            lines = block.splitlines()
            if all(line.lstrip().startswith("- ") for line in lines):
                items = "".join(f"<li>{inline(line.lstrip()[2:])}</li>" for line in lines)
                self._parts.append(f"<ul>{items}</ul>")
            else:
                self._parts.append(f"<p>{inline(' '.join(line.strip() for line in lines))}</p>")

    def code(self, text: str) -> None:
        """Commands or other text as it stands."""
        self._parts.append(f'<pre tabindex="0"><code>{escape(text)}</code></pre>')

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "", *, words: bool = False) -> None:
        """A table; the first column left, the others right, as numbers want it. `words`: all columns left, lines broken.

        Cells may hold the inline marks of `text`. On a narrow screen the table scrolls sideways by itself.
        """
        for row in rows:
            assert len(row) == len(header), f"{len(row)} cells under {len(header)} headings"
        head = "".join(f'<th scope="col">{inline(cell)}</th>' for cell in header)
        body = "".join("<tr>" + "".join(f"<td>{inline(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        title = f"<figcaption>{inline(caption)}</figcaption>" if caption else ""
        kind = ' class="words"' if words else ""
        table = f"<table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        self._parts.append(f'<figure class="table">{title}<div class="scroll" tabindex="0">{table}</div></figure>')

    def options(self, run: Run, caption: str = "") -> None:
        """What a run was told, by name, and the command that does it again; what was left empty is left out."""
        rows = [[f"`{name}`", in_words(value)] for name, value in run.settings.items() if value not in (None, (), [], "")]
        again = command_line(run.config["command"], config=run.path / "config.json")
        self.table(["setting", "value"], rows, f"Once more: `{again}`. {caption}".strip(), words=True)

    def machine(self, environment: Mapping[str, Json]) -> None:
        """What a run was made on, as its environment.json says."""
        packages = environment.get("packages")
        rows = [[name, in_words(value)] for name, value in environment.items() if name != "packages"]
        rows += [[name, str(version)] for name, version in packages.items()] if isinstance(packages, Mapping) else []
        self.table(["machine", ""], rows, words=True)

    def figure(self, figure: Figure, caption: str, *, alt: str = "") -> None:
        """A matplotlib figure as SVG. alt: what a person who cannot see it should know (default: the caption)."""
        self._figures += 1
        drawn = svg(figure, f"f{self._figures}", alt or plain(caption))
        self._parts.append(f'<figure><div class="scroll">{drawn}</div><figcaption>{inline(caption)}</figcaption></figure>')

    def images(self, image: Image.Image, caption: str) -> None:
        """An image, such as a contact sheet, at its own size; wide ones scroll sideways."""
        source = data_url(image)
        label = escape(plain(caption), quote=True)
        tag = f'<img src="{source}" width="{image.width}" height="{image.height}" alt="{label}">'
        self._parts.append(f'<figure><div class="scroll" tabindex="0">{tag}</div><figcaption>{inline(caption)}</figcaption></figure>')

    def neighbours(self, rows: Sequence[SheetRow], caption: str, *, thumb: int = THUMB) -> None:
        """Queries with their matches, one line each; the text under the images is text, in any script."""
        lines = []
        for row in rows:
            cells = [_cell("query", row.query, row.label, thumb)]
            cells += [_cell({None: "match", True: "good", False: "bad"}[good], image, text, thumb) for image, text, good in row.matches]
            lines.append(f'<div class="neighbours">{"".join(cells)}</div>')
        self._parts.append(f'<p>{inline(caption)}</p><div class="scroll" tabindex="0">{"".join(lines)}</div>')

    def tiles(self, tiles: Sequence[tuple[ImageLike, str]], caption: str) -> None:
        """Images side by side, as many in a line as fit, each with its text below it."""
        cells = "".join(_cell("match", image, text, THUMB) for image, text in tiles)
        self._parts.append(f'<p>{inline(caption)}</p><div class="neighbours tiles">{cells}</div>')

    def html(self, fragment: str) -> None:
        """HTML as it stands. The caller answers for its escaping and for its loading nothing from elsewhere."""
        self._parts.append(fragment)

    def write(self, path: Path) -> Path:
        """Write the page, whole or not at all, and return its path."""
        path = Path(path)
        if path.is_dir():
            raise UserError("is a folder, not a file", path, "Give a file name that ends in .html")
        with replacing(path) as temporary:
            temporary.write_text(self.render(), encoding="utf-8")
        return path

    def render(self) -> str:
        """The whole page as text."""
        style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
        banner = f'<p class="synthetic" role="note">{SYNTHETIC_NOTICE}</p>' if self.synthetic else ""
        links = "".join(f'<a href="#s{n}">{escape(title)}</a>' for n, title in enumerate(self._sections, 1))
        contents = f'<nav aria-label="Contents">{links}</nav>' if len(self._sections) > 1 else ""
        body = "\n".join(self._parts)
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
            "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
            f"<title>{escape(self.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
            f"{banner}<h1>{escape(self.title)}</h1>\n{contents}\n<main>\n{body}\n</main>\n"
            f"<footer>Made with product-repr {_version()}.</footer>\n{SCROLLS}\n</body>\n</html>\n"
        )


def in_words(value: object) -> str:
    """A value of an option in words."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {in_words(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def inline(text: str) -> str:
    """Escaped HTML of one line with **bold**, `code` and [words](address) (relative, # and http addresses alone)."""
    html = escape(text, quote=True)
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    html = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html)
    return re.sub(r"\[([^\]]+)\]\(((?:https?://|#|(?![a-zA-Z][\w+.-]*:|//))[^)\s]+)\)", r'<a href="\2">\1</a>', html)


def plain(text: str) -> str:
    """The words of a line without its inline marks, for alternative texts."""
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text).replace("**", "").replace("`", "")


def _cell(kind: str, image: ImageLike, text: str, thumb: int) -> str:
    """An image with its text below it. kind: query, match, good or bad."""
    source = data_url(thumbnail(image, thumb))
    alt = escape(f"{kind}: {text}", quote=True)
    words = {"good": "✓ ", "bad": "✗ "}.get(kind, "") + escape(text)
    return f'<figure class="{kind}"><img src="{source}" alt="{alt}"><figcaption>{words}</figcaption></figure>'


def data_url(image: Image.Image) -> str:
    """An image as a data URL: JPEG, or PNG where it has few colours or an alpha channel and so would suffer."""
    stream = io.BytesIO()
    if image.mode in ("P", "1", "RGBA", "LA"):
        image.save(stream, "PNG", optimize=True)
        kind = "png"
    else:
        image.convert("RGB").save(stream, "JPEG", quality=85, optimize=True)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"


def _version() -> str:
    try:
        return metadata.version("product-repr")
    except metadata.PackageNotFoundError:
        return "(not installed)"

// Checkout: a photograph of a counter in, the list out; boxes can be named otherwise, taken away and drawn.
import { attempt, busy, chooser, droppable, failure, h, many, say, share, title } from "./dom.js";
import { checkout } from "./api.js";
import { choose } from "./choose.js";

const SMALLEST = 0.01; // of the photograph's side: shorter strokes are slips, not boxes

export function view() {
  const place = h("div", { id: "counter" });
  const take = ([file]) => { drop.classList.add("small"); count(file, place); };
  const drop = droppable(h("section", { class: "card drop", "aria-label": "A photograph of a counter" },
    h("h1", {}, "What is on the counter?"),
    h("p", { class: "soft" }, "Drop a photograph of a counter here, or choose one."),
    chooser(take, { multiple: false, label: "Choose a photograph" })), take);
  return { element: h("div", {}, drop, place) };
}

async function count(file, place) {
  place.replaceChildren(busy("Counting …"));
  try {
    place.replaceChildren(new Counter(file, await checkout(file)).element);
    place.querySelector("h2")?.focus();
  } catch (error) {
    place.replaceChildren(failure(error));
  }
}

/** A counter as it stands: what was found, and what a person has made of it. */
class Counter {
  constructor(file, found) {
    this.file = file;
    this.width = found.width;
    this.height = found.height;
    this.items = found.items.map((item) => ({ ...item, product: item.unknown ? null : item.matches[0] }));
    this.chosen = null;
    this.stage = h("div", { class: "stage" });
    this.list = h("section", { class: "card", "aria-label": "The list" });
    this.panel = h("div", {});
    this.image = h("img", { alt: `Your photograph ${found.query}`, draggable: "false", width: String(found.width), height: String(found.height) });
    const url = URL.createObjectURL(file);
    this.image.onload = () => URL.revokeObjectURL(url);
    this.image.src = url;
    this.stage.style.maxWidth = `calc(75vh * ${found.width / found.height})`; // all of it in view
    this.stage.append(this.image);
    this.drawing();
    this.element = h("div", { class: "counter" },
      h("div", {}, this.stage, h("p", { class: "small soft" }, "Choose a box to correct it. Draw one around what was missed.")),
      h("div", { class: "stack" }, this.list, this.panel));
    this.show();
  }

  show() {
    this.stage.querySelectorAll("button").forEach((one) => one.remove());
    this.stage.append(...this.items.map((item) => this.box(item)));
    const lines = new Map();
    for (const { product } of this.items) if (product) lines.set(product.product, { product, n: (lines.get(product.product)?.n || 0) + 1 });
    const unknown = this.items.filter((item) => !item.product).length;
    const rows = [...lines.values()].sort((a, b) => b.n - a.n || title(a.product).localeCompare(title(b.product)));
    this.list.replaceChildren(
      h("h2", { tabindex: "-1" }, this.items.length ? `${many(this.items.length, "thing")} on the counter` : "Nothing on the counter"),
      h("ul", { class: "lines" },
        rows.map(({ product, n }) => h("li", {}, h("span", { class: "times" }, `${n} ×`), h("span", {}, h("span", { class: "title" }, title(product)),
          h("span", { class: "path" }, [product.name && product.product, product.barcode].filter(Boolean).join(" · "))))),
        unknown > 0 && h("li", { class: "unknown" }, h("span", { class: "times" }, `${unknown} ×`), h("span", { class: "title" }, "not one of ours"))));
    this.detail();
  }

  box(item) {
    const [x, y, w, h_] = item.box;
    const name = item.product ? title(item.product) : "not one of ours";
    const style = `left:${(100 * x) / this.width}%;top:${(100 * y) / this.height}%;width:${(100 * w) / this.width}%;height:${(100 * h_) / this.height}%`;
    const made = h("button", { type: "button", class: `box${item.product ? "" : " unknown"}`, "aria-pressed": String(item === this.chosen), "aria-label": name,
      onclick: () => { this.chosen = item === this.chosen ? null : item; this.show(); this.panel.querySelector("button")?.focus({ preventScroll: true }); this.panel.scrollIntoView({ block: "nearest" }); } },
    h("span", {}, name));
    made.style.cssText = style; // by the object model, which the page's policy allows
    return made;
  }

  detail() {
    const item = this.chosen;
    if (!item) { this.panel.replaceChildren(); return; }
    const use = (product) => { item.product = product; this.chosen = null; this.show(); };
    this.panel.replaceChildren(h("section", { class: "card", "aria-label": "This box" },
      h("h2", {}, "What is it?"),
      h("div", { class: "stack", role: "group", "aria-label": "It is" }, item.matches.map((match) =>
        h("button", { type: "button", class: match.product === item.product?.product ? "strong guess" : "guess", onclick: () => use(match) },
          `${title(match)}${match.probability === null ? "" : ` · ${share(match.probability)}`}`))),
      h("div", { class: "row" },
        h("button", { type: "button", class: "other", onclick: () => choose((id, name) => use({ product: id, name: name === id ? null : name, barcode: null })) }, "Another product …"),
        h("button", { type: "button", class: "quiet", onclick: () => use(null) }, "Not ours"),
        h("button", { type: "button", class: "quiet bad", onclick: () => this.remove(item) }, "Remove the box"))));
  }

  remove(item) {
    const before = this.items;
    this.items = before.filter((one) => one !== item);
    this.chosen = null;
    this.show();
    say("The box is removed.", () => { this.items = before; this.show(); });
  }

  /** A box is drawn by dragging over the photograph; who only taps on it, draws none. */
  drawing() {
    let from = null, band = null;
    const at = (event) => {
      const { left, top, width, height } = this.stage.getBoundingClientRect();
      return [Math.min(1, Math.max(0, (event.clientX - left) / width)), Math.min(1, Math.max(0, (event.clientY - top) / height))];
    };
    const span = (to) => [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.abs(from[0] - to[0]), Math.abs(from[1] - to[1])];
    this.image.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      from = at(event);
      band = h("div", { class: "band" });
      this.stage.append(band);
      this.image.setPointerCapture(event.pointerId);
    });
    this.image.addEventListener("pointermove", (event) => {
      if (from) span(at(event)).forEach((part, place) => { band.style[["left", "top", "width", "height"][place]] = `${100 * part}%`; });
    });
    const end = (event) => {
      if (!from) return;
      const [x, y, w, h_] = span(at(event));
      band.remove();
      from = null;
      if (event.type === "pointerup" && w > SMALLEST && h_ > SMALLEST) this.add([x * this.width, y * this.height, w * this.width, h_ * this.height]);
    };
    this.image.addEventListener("pointerup", end);
    this.image.addEventListener("pointercancel", end);
  }

  async add(box) {
    this.panel.replaceChildren(busy("Looking …"));
    const done = await attempt(async () => {
      const [item] = (await checkout(this.file, [box])).items;
      const made = { ...item, product: item.unknown ? null : item.matches[0] };
      this.items = [...this.items, made];
      this.chosen = made;
    });
    if (!done) this.chosen = null;
    this.show();
  }
}

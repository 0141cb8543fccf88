// A dialog to choose a stored product in.
import { busy, failure, h, title } from "./dom.js";
import { products, stored_image } from "./api.js";

const SHOWN = 12;

/** Ask for a product; calls `use(id, name)` with the one that is chosen. */
export function choose(use) {
  const list = h("div", { class: "picks" });
  const search = h("input", { type: "search", placeholder: "Id, name, barcode or category", oninput: () => later(show) });
  const dialog = h("dialog", { "aria-label": "Choose a product" },
    h("h2", {}, "Which product is it?"), h("label", {}, "Search", search), list,
    h("div", { class: "row end" }, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel")));
  async function show() {
    try {
      const found = await products(search.value, 0, SHOWN);
      list.replaceChildren(...found.products.map((one) =>
        h("button", { type: "button", class: "pick", onclick: () => { dialog.close(); use(one.id, title(one)); } },
          stored_image(one.cover, "", 96),
          h("span", {}, h("span", { class: "title" }, title(one)), h("span", { class: "path" }, one.name ? ` ${one.id}` : "")))));
      if (!found.products.length) list.replaceChildren(h("p", { class: "soft" }, "No product has this in it."));
    } catch (error) {
      list.replaceChildren(failure(error));
    }
  }
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  list.append(busy("Products …"));
  show();
  dialog.showModal();
}

let waiting = 0;
export function later(work) { clearTimeout(waiting); waiting = setTimeout(work, 200); }

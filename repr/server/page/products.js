// Products: browse, search, look at one, change it.
import { attempt, busy, failure, h, many, say, title } from "./dom.js";
import { describe, product, products, removeImage, stored_image } from "./api.js";
import { later } from "./choose.js";
import { letGo, productForm } from "./form.js";

const PAGE = 24;

export function view(state, id) {
  const body = h("div", {});
  if (id) one(id, body, state); else browse(body, state);
  return { element: body };
}

function browse(body, state) {
  const list = h("ul", { class: "grid" }), pages = h("div", { class: "row" }), place = h("div", {});
  const search = h("input", { type: "search", placeholder: "Id, name, barcode or category", oninput: () => later(() => show(0)) });
  const add = state.writable && h("button", { type: "button", class: "strong", onclick: () => place.replaceChildren(productForm({ done: () => { state.refresh(); return show(0); } })) }, "Add a product");
  body.append(h("div", { class: "bar" }, h("h1", {}, "Products"), h("label", { class: "search" }, "Search", search), add), place, list, pages);

  async function show(start) {
    try {
      const found = await products(search.value, start, PAGE);
      list.replaceChildren(...found.products.map(tile));
      const step = (label, to) => h("button", { type: "button", disabled: to === null, onclick: () => { show(to); scrollTo(0, 0); } }, label);
      const last = start + found.products.length;
      const range = found.total ? `${start + 1}–${last} of ${many(found.total, "product")}` : "No product has this in it.";
      pages.replaceChildren(h("span", { class: "soft", role: "status" }, range),
        ...(found.total > PAGE ? [step("Before", start ? Math.max(0, start - PAGE) : null), step("Next", found.next)] : []));
    } catch (error) {
      list.replaceChildren(failure(error));
    }
  }
  list.append(busy("Products …"));
  show(0);
}

function tile(one) {
  return h("li", {}, h("a", { class: "card tile", href: `#products/${encodeURIComponent(one.id)}` },
    stored_image(one.cover, ""), h("div", { class: "title" }, title(one)),
    one.category.length > 0 && h("div", { class: "path" }, one.category.join(" › ")),
    h("div", { class: "small soft" }, [one.name && one.id, many(one.images, "image")].filter(Boolean).join(" · "))));
}

async function one(id, body, state) {
  body.replaceChildren(busy("Product …"));
  let found;
  try { found = await product(id); } catch (error) { body.replaceChildren(failure(error), h("p", {}, h("a", { href: "#products" }, "All products"))); return; }
  const again = () => { state.refresh(); return one(id, body, state); };
  const place = h("div", {});
  const facts = [found.name && `Id ${found.id}`, found.barcode && `Barcode ${found.barcode}`, many(found.images.length, "image")].filter(Boolean).join(" · ");
  const images = h("ul", { class: "thumbs" }, found.images.map((image, number) => h("li", {},
    stored_image(image, `Image ${number + 1} of ${title(found)}`),
    state.writable && h("button", { type: "button", class: "quiet bad small", "aria-label": `Remove image ${number + 1}`,
      onclick: () => attempt(async () => { await removeImage(image); say("The image is removed."); await again(); }) }, "Remove"))));
  body.replaceChildren(
    h("p", {}, h("a", { href: "#products" }, "← All products")),
    h("div", { class: "bar" }, h("div", {}, h("h1", {}, title(found)), found.category.length > 0 && h("div", { class: "path" }, found.category.join(" › ")), h("div", { class: "soft" }, facts)),
      state.writable && h("div", { class: "row" },
        h("button", { type: "button", class: "strong", onclick: () => place.replaceChildren(productForm({ id: found.id, done: again })) }, "Add photographs"),
        h("button", { type: "button", onclick: () => place.replaceChildren(description(found, again)) }, "Describe"),
        h("button", { type: "button", class: "bad", onclick: () => letGo(found.id, found.images.length, () => { state.refresh(); location.hash = "#products"; }) }, "Remove"))),
    place, images);
}

function description(found, again) {
  const field = (label, name, value) => h("label", {}, label, h("input", { type: "text", name, value: value || "", maxlength: "1000" }));
  const form = h("form", { class: "card", "aria-label": "Describe the product" },
    h("div", { class: "fields" }, field("Name", "name", found.name), field("Barcode", "barcode", found.barcode), field("Category, as food > tea", "category", found.category.join(" > "))),
    h("div", { class: "row end" }, h("button", { type: "button", class: "quiet", onclick: () => form.remove() }, "Cancel"), h("button", { class: "strong" }, "Save")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { name, barcode, category } = form.elements;
    const known = { name: name.value || null, barcode: barcode.value || null, category: category.value.split(/[>›]/).map((part) => part.trim()).filter(Boolean) };
    const before = { name: found.name, barcode: found.barcode, category: found.category };
    attempt(async () => {
      await describe(found.id, known);
      say("Saved.", async () => { await describe(found.id, before); await again(); });
      await again();
    });
  });
  return form;
}

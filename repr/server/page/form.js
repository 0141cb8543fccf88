// A new product, or more photographs of one: checked first, then stored.
import { attempt, busy, chooser, droppable, h, many, say } from "./dom.js";
import { check, describe, inParts, local, product, removeProduct, stored, stored_image } from "./api.js";

const path = (text) => text.split(/[>›]/).map((part) => part.trim()).filter(Boolean);

/** A form for photographs of a product. id: of one that is there; without it the form asks for one. done: called after. */
export function productForm({ id = null, photographs = [], done = () => {} } = {}) {
  const files = new Map(); // file → its place in the list
  const list = h("ul", { class: "thumbs" });
  const field = (label, name, required = false) => h("label", {}, label, h("input", { type: "text", name, required, maxlength: "1000", autocomplete: "off" }));
  const fields = id === null && h("div", { class: "fields" }, field("Id (needed)", "id", true), field("Name", "name"), field("Barcode", "barcode"), field("Category, as food > tea", "category"));
  const save = h("button", { type: "submit", class: "strong" }, id === null ? "Add product" : "Add photographs");
  const form = h("form", { class: "card add", "aria-label": id === null ? "A new product" : `Photographs of ${id}` },
    h("h2", {}, id === null ? "A new product" : "More photographs"), fields || "",
    h("p", { class: "soft small" }, "Photographs are looked at before they are stored: out of focus, empty, stored already, or like another product."),
    chooser(take, { label: "Add photographs" }), list,
    h("div", { class: "row end" }, h("button", { type: "button", class: "quiet", onclick: () => form.remove() }, "Cancel"), save));
  form.style.marginTop = "1rem";
  droppable(form, take);

  async function take(given) {
    const fresh = given.map((file) => {
      const item = h("li", {}, local(file, `Photograph ${file.name}`), busy("Looking …"));
      files.set(file, item);
      list.append(item);
      return [file, item];
    });
    const odd = (error) => ({ findings: [{ kind: "unreadable", text: error.message, image_id: null }] });
    const unlooked = (error) => given.map(() => ({ findings: [{ kind: "unlooked", text: `not looked at: ${error.message}`, image_id: null }] }));
    const checks = await inParts(given, (part) => check(part, id || ""), odd).catch(unlooked);
    fresh.forEach(([file, item], place) => {
      item.lastChild.replaceWith(...findings(checks[place].findings),
        h("button", { type: "button", class: "quiet small", "aria-label": `Leave out ${file.name}`, onclick: () => { files.delete(file); item.remove(); } }, "Leave out"));
    });
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!files.size) { say("Add a photograph first."); return; }
    save.disabled = true;
    await attempt(() => keep(id ?? form.elements.id.value.trim()));
    save.disabled = false;
  });

  async function keep(of) {
    if (id === null && (await known(of))) throw new Error(`There is a product ${of} already: open it to add photographs`);
    const told = await stored(of, [...files.keys()]);
    if (id === null) await name(told);
    const left = told.left.length ? ` ${many(told.left.length, "photograph")} left out: ${told.left[0].error}.` : "";
    say(`${many(told.fresh, "photograph")} of ${of} stored.${left}`, told.undo && (async () => { await told.undo(); say("Taken back."); await done(); }));
    form.remove();
    await done(of);
  }

  async function name(told) {
    const { name, barcode, category } = form.elements;
    if (!name.value && !barcode.value && !category.value) return;
    try {
      await describe(told.product, { name: name.value || null, barcode: barcode.value || null, category: path(category.value) });
    } catch (error) {
      if (told.undo) await told.undo(); // all of it, or nothing
      throw error;
    }
  }

  if (photographs.length) take(photographs);
  requestAnimationFrame(() => { form.scrollIntoView({ block: "nearest" }); form.querySelector("input")?.focus({ preventScroll: true }); });
  return form;
}

async function known(id) {
  try {
    await product(id);
    return true;
  } catch (error) {
    if (error.status === 404) return false;
    throw error;
  }
}

function findings(found) {
  if (!found.length) return [h("span", { class: "finding fine" }, "Looks good")];
  return found.map((one) => h("span", { class: `finding ${one.kind}` }, one.text[0].toUpperCase() + one.text.slice(1),
    one.image_id ? stored_image(one.image_id, `Stored image of ${one.product}`, 96) : ""));
}

/** Ask before a product goes, with all its images. */
export function letGo(id, images, done) {
  const dialog = h("dialog", { "aria-label": "Remove a product" },
    h("h2", {}, `Remove ${id}?`), h("p", {}, `Its ${many(images, "image")} go too. This cannot be undone.`),
    h("div", { class: "row end" },
      h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Keep it"),
      h("button", { type: "button", class: "bad", onclick: async () => { dialog.close(); if (await attempt(() => removeProduct(id))) { say(`${id} is removed.`); done(); } } }, "Remove")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

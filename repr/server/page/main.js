// The page: views by the address behind #, the key, and what is served.
import { askWith, get, key, useKey } from "./api.js";
import { failure, many } from "./dom.js";
import * as checkout from "./checkout.js";
import * as find from "./find.js";
import * as map from "./map.js";
import * as products from "./products.js";
import * as review from "./review.js";

const VIEWS = { find, checkout, products, review, map };
const main = document.getElementById("main");
const state = { writable: false, refresh };
let leave = () => {};

async function refresh() {
  const shop = await get("/v1/index");
  state.writable = shop.writable;
  const synthetic = shop.synthetic ? " · synthetic: not real products" : "";
  document.getElementById("about").textContent = `${many(shop.products, "product")} in ${many(shop.images, "image")} · ${shop.weights}${synthetic}${shop.writable ? "" : " · read only"}`;
  const doubts = document.getElementById("doubts");
  if (shop.writable && key()) {
    const { total } = await get("/v1/reviews?limit=1").catch(() => ({ total: 0 }));
    doubts.textContent = total;
    doubts.hidden = !total;
  }
}

async function show() {
  const [name, ...rest] = location.hash.slice(1).split("/");
  const view = VIEWS[name] || VIEWS.find;
  const shown = VIEWS[name] ? name : "find";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${shown}`) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  leave();
  const made = view.view(state, rest.length ? decodeURIComponent(rest.join("/")) : "");
  leave = made.leave || (() => {});
  main.replaceChildren(made.element);
  scrollTo(0, 0);
}

/** Ask for the key; resolves to whether one was given. */
function askKey(why = "") {
  const dialog = document.getElementById("key-dialog"), field = document.getElementById("key-value");
  if (why) document.getElementById("key-why").textContent = `${why[0].toUpperCase()}${why.slice(1)}. It is kept until this tab is closed.`;
  field.value = key();
  if (!dialog.open) dialog.showModal();
  field.select();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    const given = dialog.returnValue === "ok";
    if (given) useKey(field.value.trim());
    dialog.returnValue = "";
    resolve(given && Boolean(key()));
  }, { once: true }));
}

askWith(askKey);
document.getElementById("key-dialog").querySelector("form").addEventListener("submit", (event) => {
  if (!event.submitter) { event.preventDefault(); document.getElementById("key-dialog").close("ok"); }
});
document.getElementById("key-value").addEventListener("keydown", (event) => {
  if (event.key === "Enter") { event.preventDefault(); document.getElementById("key-dialog").close("ok"); }
});
document.getElementById("key").addEventListener("click", async () => { if (await askKey()) { await refresh().catch(() => {}); show(); } });
// Nothing that is dropped beside its place is opened in the place of the page.
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
addEventListener("hashchange", () => { show(); main.focus({ preventScroll: true }); });
refresh().then(show, (error) => main.replaceChildren(failure(error)));

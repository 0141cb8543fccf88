// Review: photographs whose answer was unknown or doubtful, until a person has said what they show.
import { attempt, busy, failure, h, many, say, share, title } from "./dom.js";
import { call, get, photograph, remove, stored, stored_image } from "./api.js";
import { choose } from "./choose.js";
import { productForm } from "./form.js";

export function view(state) {
  const body = h("div", {});
  if (!state.writable) {
    body.append(h("h1", {}, "Review"), h("p", { class: "notice" }, h("strong", {}, "Nothing is kept for review here"), "Start the service with a write key, and doubtful and unknown lookups are listed here."));
    return { element: body };
  }
  show(body, state);
  return { element: body };
}

async function show(body, state) {
  body.replaceChildren(busy("Doubtful lookups …"));
  try {
    const found = await get("/v1/reviews?limit=20");
    const said = found.total ? `${many(found.total, "photograph")} to look at, the newest first.` : "Nothing to look at. Doubtful and unknown lookups are listed here.";
    body.replaceChildren(h("h1", {}, "Review"), h("p", { class: "soft" }, said), h("div", { class: "stack" }, found.reviews.map((one) => doubt(one, body, state))));
  } catch (error) {
    body.replaceChildren(h("h1", {}, "Review"), failure(error));
  }
}

function doubt(one, body, state) {
  const where = `/v1/reviews/${one.id}`;
  const settled = async () => { await remove(where); await state.refresh(); await show(body, state); };
  const file = async () => new File([await (await call(`${where}/photograph`)).blob()], one.result.query);
  const use = (id, name) => attempt(async () => {
    const done = await stored(id, [await file()]);
    await settled();
    say(`Stored as an image of ${name}.`, done.undo && (async () => { await done.undo(); say("Taken back."); }));
  });
  const picks = one.result.matches.slice(0, 6).map((match) => h("button", { type: "button", class: "pick", onclick: () => use(match.product, title(match)) },
    stored_image(match.image_id, "", 96),
    h("span", {}, h("span", { class: "title" }, title(match)), h("br"), h("span", { class: "path" }, match.probability === null ? `score ${match.score.toFixed(3)}` : share(match.probability)))));
  const place = h("div", {});
  return h("article", { class: "card doubt", "aria-label": `Photograph ${one.id}` },
    photograph(`${where}/photograph?size=320`, `Photograph ${one.result.query}`),
    h("div", {},
      h("h2", {}, one.reason === "unknown" ? "Perhaps not one of ours" : "Doubtful"),
      h("p", { class: "small soft" }, `${one.result.query} · ${new Date(one.at).toLocaleString()}`),
      h("div", { class: "picks", role: "group", "aria-label": "It is" }, picks),
      h("div", { class: "row" },
        h("button", { type: "button", onclick: () => choose(use) }, "Another product …"),
        h("button", { type: "button", onclick: async () => { place.replaceChildren(productForm({ photographs: [await file()], done: (id) => (id ? settled() : null) })); } }, "New product …"),
        h("button", { type: "button", class: "quiet", onclick: () => attempt(async () => { await settled(); say("Let go of."); }) }, "Not ours")),
      place));
}

// Find: a photograph in, ranked products out; confirm, correct, or add it as a new product.
import { attempt, busy, chooser, droppable, failure, h, many, say, share, title } from "./dom.js";
import { local, lookup, stored, stored_image } from "./api.js";
import { choose } from "./choose.js";
import { productForm } from "./form.js";

const AT_ONCE = 8; // photographs a request

export function view(state) {
  const answers = h("div", { id: "answers" });
  const take = (files) => { drop.classList.add("small"); find(files, answers, state); };
  const drop = droppable(h("section", { class: "card drop", "aria-label": "Photographs" },
    h("h1", {}, "Which product is it?"),
    h("p", { class: "soft" }, "Drop photographs here, paste one, or choose files."),
    chooser(take)), take);
  const paste = (event) => {
    const files = [...(event.clipboardData?.files || [])].filter((file) => file.type.startsWith("image/"));
    if (files.length) { event.preventDefault(); take(files); }
  };
  document.addEventListener("paste", paste);
  return { element: h("div", {}, drop, answers), leave: () => document.removeEventListener("paste", paste) };
}

async function find(files, answers, state) {
  answers.replaceChildren(busy(`Looking at ${many(files.length, "photograph")} …`));
  const shown = [];
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const part = files.slice(start, start + AT_ONCE);
    try {
      const results = await lookup(part);
      shown.push(...results.map((result, place) => answer(result, part[place], state)));
    } catch (error) {
      shown.push(...(part.length > 1 && error.status >= 400 && error.status < 500 ? await singly(part, state) : [failure(error)]));
    }
  }
  answers.replaceChildren(...shown);
  answers.querySelector("h2")?.focus();
  state.refresh();
}

/** Where not one of several could be answered: what each has. */
async function singly(files, state) {
  const shown = [];
  for (const file of files) {
    try { shown.push(answer((await lookup([file]))[0], file, state)); } catch (error) { error.message = `${file.name}: ${error.message}`; shown.push(failure(error)); }
  }
  return shown;
}

function answer(result, file, state) {
  const right = h("div", {});
  const whole = h("section", { class: "answer", "aria-label": `Answer for ${result.query}` },
    h("div", { class: "asked" }, local(file, `Your photograph ${result.query}`), h("div", { class: "name small soft" }, result.query)), right);
  if (result.error) {
    right.append(h("p", { class: "notice bad", role: "alert" }, h("strong", {}, "No answer for this photograph"), result.error));
    return whole;
  }
  const first = result.matches[0];
  const heading = result.unknown ? "Not one of ours" : first ? title(first) : "Nothing is stored yet";
  right.append(h("h2", { tabindex: "-1" }, heading));
  if (result.unknown) right.append(h("p", { class: "notice" }, h("strong", {}, "Probably none of the stored products"), "These are the most alike."));
  right.append(h("ol", { class: "matches" }, result.matches.map((match, place) =>
    h("li", {}, row(match, place === 0 && !result.unknown, state.writable ? () => confirm(match.product, title(match), file, right) : null)))));
  if (state.writable) {
    right.append(h("div", { class: "row" },
      h("button", { type: "button", class: "other", onclick: () => choose((id, name) => confirm(id, name, file, right)) }, "Another product …"),
      h("button", { type: "button", class: "new", onclick: () => right.append(productForm({ photographs: [file], done: state.refresh })) }, "Add as a new product …")));
    right.lastChild.style.marginTop = "0.9rem";
  }
  return whole;
}

/** One product of an answer. */
export function row(match, first, use) {
  const told = match.probability === null
    ? h("span", { class: "sure soft" }, `score ${match.score.toFixed(3)}`)
    : h("span", { class: "sure" }, h("meter", { min: "0", max: "1", value: String(match.probability), "aria-label": "Probability" }), share(match.probability));
  return h("div", { class: `card match${first ? " first" : ""}` },
    stored_image(match.image_id, `Nearest stored image of ${title(match)}`),
    h("div", {},
      h("div", { class: "title" }, title(match)),
      match.category.length > 0 && h("div", { class: "path" }, match.category.join(" › ")),
      (match.name || match.barcode) && h("div", { class: "path" }, [match.name && match.product, match.barcode].filter(Boolean).join(" · ")),
      told),
    use && h("button", { type: "button", class: first ? "strong confirm" : "confirm", "aria-label": `It is ${title(match)}`, onclick: use }, first ? "That is it" : "It is this"));
}

/** Store the photograph as an image of a product. */
async function confirm(id, name, file, where) {
  await attempt(async () => {
    const done = await stored(id, [file]);
    const text = done.fresh ? `Stored as an image of ${name}.` : `${name} has this image already.`;
    const note = h("p", { class: "notice good" }, text);
    where.querySelectorAll(".notice").forEach((one) => one.remove());
    where.prepend(note);
    say(text, done.undo && (async () => { await done.undo(); note.remove(); say("Taken back."); }));
  });
}

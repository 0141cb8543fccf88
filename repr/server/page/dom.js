// Small helpers: elements, messages, and what a person is asked.

/** An element: h("button", {class: "strong", onclick: go}, "Go"). Text is text, never HTML. */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const said = document.getElementById("said");
let silence = 0;

/** Say what was done, with a way back where there is one. */
export function say(text, undo = null) {
  clearTimeout(silence);
  const way = undo && h("button", { type: "button", onclick: async () => { quiet(); await attempt(undo); } }, "Undo");
  said.replaceChildren(h("div", {}, h("span", {}, text), way));
  silence = setTimeout(quiet, undo ? 20000 : 6000);
}

function quiet() { said.replaceChildren(); }

/** Do something, and say what went wrong with it; returns whether nothing did. */
export async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    say(error.remedy ? `${error.message}. ${error.remedy}.` : error.message);
    return false;
  }
}

/** What went wrong, to stand in a page. */
export function failure(error) {
  return h("p", { class: "notice bad", role: "alert" }, h("strong", {}, error.message), error.remedy || "");
}

export const busy = (text) => h("p", { class: "busy", role: "status" }, text);
export const title = (product) => product.name || product.id || product.product;
export const share = (value) => (value >= 0.995 ? "> 99 %" : value < 0.01 ? "< 1 %" : `${Math.round(100 * value)} %`);
export const many = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;

/** Buttons that take photographs: from files, and on a phone from its camera. */
export function chooser(take, { multiple = true, label = "Choose photographs" } = {}) {
  const given = (event) => { const files = [...event.target.files]; event.target.value = ""; if (files.length) take(files); };
  const camera = matchMedia("(pointer: coarse)").matches;
  return h("div", { class: "row" },
    h("span", { class: "button strong file" }, label,
      h("input", { type: "file", accept: "image/*,.heic,.heif", multiple, "aria-label": label, onchange: given })),
    camera && h("span", { class: "button file" }, "Take a photograph",
      h("input", { type: "file", accept: "image/*", capture: "environment", "aria-label": "Take a photograph", onchange: given })));
}

/** Have an element take what is dropped on it. */
export function droppable(element, take) {
  const over = (on) => (event) => { event.preventDefault(); element.classList.toggle("over", on); };
  element.addEventListener("dragover", over(true));
  element.addEventListener("dragleave", over(false));
  element.addEventListener("drop", (event) => {
    over(false)(event);
    const files = [...event.dataTransfer.files].filter((file) => !file.type || file.type.startsWith("image/"));
    if (files.length) take(files);
  });
  return element;
}

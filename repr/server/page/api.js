// The service, as the page calls it.
import { h } from "./dom.js";

const KEPT = "repr-key";
let ask = null; // shows the dialog for the key; set by main.js

export function askWith(dialog) { ask = dialog; }
export const key = () => sessionStorage.getItem(KEPT) || "";
export function useKey(value) { if (value) sessionStorage.setItem(KEPT, value); else sessionStorage.removeItem(KEPT); }

/** What the service says is wrong. */
export class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail || `The service answered ${status}`);
    this.status = status;
    this.remedy = problem.remedy || "";
    this.kind = (problem.type || "").split(":").pop();
  }
}

/** Ask the service; when a key is needed the person is asked for it, once. */
export async function call(path, options = {}, again = true) {
  const headers = { ...(options.headers || {}) };
  if (key()) headers.Authorization = `Bearer ${key()}`;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Refused({ detail: "The service does not answer", remedy: "Check that it runs, then try again" }, 0);
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  const locked = answer.status === 401 || problem.type === "urn:product-repr:wrong-key";
  if (again && locked && ask && (await ask(problem.detail))) return call(path, options, false);
  throw new Refused(problem, answer.status);
}

export const get = async (path) => (await call(path)).json();
export const remove = (path) => call(path, { method: "DELETE" });
const at = (id) => `/v1/products/${encodeURIComponent(id)}`;

function form(photographs) {
  const body = new FormData();
  for (const one of photographs) body.append("image", one, one.name || "photograph.jpg");
  return body;
}

export const lookup = async (photographs) => (await (await call("/v1/lookup?k=6", { method: "POST", body: form(photographs) })).json()).results;
/** The list of a counter; boxes: [x, y, width, height] that are drawn on it, to be named instead of those that are found. */
export async function checkout(photograph, boxes = null) {
  const body = form([photograph]);
  if (boxes) body.append("boxes", JSON.stringify(boxes));
  return (await (await call("/v1/checkout?k=5", { method: "POST", body })).json()).results[0];
}
export const check = async (photographs, product = "") =>
  (await (await call(`/v1/check?product=${encodeURIComponent(product)}`, { method: "POST", body: form(photographs) })).json()).results;
export const products = (text, start, limit) => get(`/v1/products?q=${encodeURIComponent(text)}&start=${start}&limit=${limit}`);
export const product = (id) => get(at(id));
export const store = async (id, photographs) => (await call(`${at(id)}/images`, { method: "POST", body: form(photographs) })).json();
export const describe = (id, known) =>
  call(at(id), { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(known) });
export const removeProduct = (id) => remove(at(id));
export const removeImage = (id) => remove(`/v1/images/${id}`);

const AT_ONCE = 8, BYTES = 16 * 2 ** 20; // photographs a request
const OF_PHOTOGRAPHS = [413, 415, 422]; // statuses that are about what was sent

function parts(photographs) {
  const made = [];
  let bytes = Infinity;
  for (const one of photographs) {
    if (bytes + one.size > BYTES || made.at(-1).length === AT_ONCE) { made.push([]); bytes = 0; }
    made.at(-1).push(one);
    bytes += one.size;
  }
  return made;
}

/** What `ask` answers about each photograph, in as many requests as it takes; one by one where several are refused. refused(error): of one that is. */
export async function inParts(photographs, ask, refused) {
  const answers = [];
  for (const part of parts(photographs)) answers.push(...await askOf(part, ask, refused));
  return answers;
}

async function askOf(part, ask, refused) {
  try {
    return await ask(part);
  } catch (error) {
    if (!OF_PHOTOGRAPHS.includes(error.status)) throw error;
    if (part.length === 1) return [refused(error)];
    const answers = [];
    for (const one of part) answers.push(...await askOf([one], ask, refused));
    return answers;
  }
}

/** Store photographs as images of a product, all that can be or none; returns how to take that back. */
export async function stored(id, photographs) {
  const images = [];
  let created = false;
  const part = async (some) => {
    const added = await store(id, some);
    created ||= added.created;
    images.push(...added.results.filter((one) => one.status === 201).map((one) => one.image_id));
    return added.results;
  };
  const undo = async () => { await removeImages(images); if (created) await removeEmpty(id); };
  let results;
  try {
    results = await inParts(photographs, part, (error) => ({ status: error.status, error: error.message, refusal: error }));
  } catch (error) {
    if (images.length) await undo();
    throw error;
  }
  const left = results.filter((one) => one.status >= 400);
  if (left.length === results.length && left[0]?.refusal) throw left[0].refusal;
  return { product: id, fresh: images.length, left, undo: images.length ? undo : null };
}

async function removeImages(images) {
  for (const image of images) await removeImage(image).catch((error) => { if (error.status !== 404) throw error; }); // gone already
}

/** A product that was made for images which have gone; another's images keep it. */
async function removeEmpty(id) {
  const there = await product(id).catch((error) => { if (error.status !== 404) throw error; });
  if (there && !there.images.length) await removeProduct(id);
}

const watched = new WeakMap();
const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) { watcher.unobserve(target); fill(target, watched.get(target)); }
}, { rootMargin: "300px" });

async function fill(image, path) {
  try {
    const url = URL.createObjectURL(await (await call(path)).blob());
    image.onload = () => URL.revokeObjectURL(url);
    image.src = url;
  } catch {
    image.alt = "This image cannot be shown";
  }
}

const BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/** An image of the service, fetched with the key when it comes into view. */
export function photograph(path, alt, attributes = {}) {
  const image = h("img", { class: "photograph", alt, src: BLANK, width: "160", height: "160", ...attributes });
  if (path) { watched.set(image, path); watcher.observe(image); }
  return image;
}

export const stored_image = (id, alt, size = 256) => photograph(id === null ? null : `/v1/images/${id}?size=${size}`, alt);

/** An image that is on this device. */
export function local(file, alt) {
  const url = URL.createObjectURL(file);
  const image = h("img", { class: "photograph", alt, src: url, onload: () => URL.revokeObjectURL(url) });
  image.onerror = () => { image.alt = `${alt} (this browser cannot show it)`; };
  return image;
}

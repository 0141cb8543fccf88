// Map: stored images in the plane, like ones near; the one that is pointed at, or gone to with the arrow keys, is shown.
import { busy, failure, h, many, title } from "./dom.js";
import { get, stored_image } from "./api.js";

const COLOURS = ["#14998c", "#e8702f", "#6f76f2", "#e0558f", "#c0930f", "#2f97cf", "#7bb022", "#a763e0"];
const OTHERS = "#8b95a1", RADIUS = 5, EDGE = 18;

export function view() {
  const body = h("div", {}, h("h1", {}, "Map"), busy("Drawing the map; this takes some seconds the first time …"));
  const ended = new AbortController();
  show(body, ended.signal);
  return { element: body, leave: () => ended.abort() };
}

async function show(body, signal) {
  let told;
  try { told = await get("/v1/map"); } catch (error) { body.lastChild.replaceWith(failure(error)); return; }
  if (!told.points.length) { body.lastChild.replaceWith(h("p", { class: "soft" }, "Nothing is stored yet.")); return; }
  const groups = ranked(told.points.map((point) => point.group)).slice(0, COLOURS.length);
  const colour = (point) => (groups.length > 1 ? COLOURS[groups.indexOf(point.group)] : COLOURS[0]) || OTHERS;
  const canvas = h("canvas", { tabindex: "0", role: "img", "aria-label": "Map of the stored images. Arrow keys go from image to image, Enter opens the product." });
  const tip = h("div", { class: "card tip", role: "status", hidden: true });
  const legend = groups.length > 1 && h("ul", { class: "legend" }, groups.map((group, place) => { const dot = h("i"); dot.style.background = COLOURS[place]; return h("li", {}, dot, group || "without category"); }));
  const share = told.points.length < told.images ? `${many(told.points.length, "image")} of ${told.images.toLocaleString("en")}` : many(told.images, "image");
  body.lastChild.replaceWith(h("div", {}, h("p", { class: "soft" }, `${share}; like images are near (${told.made}). Point at one to see it.`), h("div", { class: "card sheet" }, canvas, tip), legend || ""));
  const state = { points: told.points, colour, canvas, tip, at: null };
  const paint = () => draw(state);
  new ResizeObserver(paint).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint, { signal });
  listen(state);
}

function ranked(names) {
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) || 0) + 1);
  return [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
}

function place({ canvas }, point) {
  const { clientWidth: width, clientHeight: height } = canvas;
  return [width / 2 + point.x * (width / 2 - EDGE), height / 2 - point.y * (height / 2 - EDGE)];
}

function draw(state) {
  const { canvas } = state, ratio = devicePixelRatio || 1, pen = canvas.getContext("2d");
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  pen.scale(ratio, ratio);
  for (const point of state.points) {
    const [x, y] = place(state, point);
    pen.beginPath();
    pen.arc(x, y, point === state.at ? RADIUS + 3 : RADIUS, 0, 2 * Math.PI);
    pen.globalAlpha = point === state.at || !state.at ? 0.9 : 0.55;
    pen.fillStyle = state.colour(point);
    pen.fill();
    if (point === state.at) { pen.lineWidth = 2; pen.strokeStyle = getComputedStyle(canvas).color; pen.stroke(); }
  }
}

function go(state, point) {
  if (point === state.at) return;
  state.at = point;
  draw(state);
  state.tip.hidden = !point;
  if (!point) return;
  state.tip.replaceChildren(stored_image(point.image_id, "", 192), h("strong", {}, title(point)), point.name ? h("div", { class: "path" }, point.product) : "");
  const [x, y] = place(state, point), room = state.canvas.clientWidth, wide = 152;
  state.tip.style.left = `${Math.min(Math.max(x + 32, 0), room - wide)}px`;
  state.tip.style.top = `${y > state.canvas.clientHeight / 2 ? y - 200 : y + 32}px`;
}

function listen(state) {
  const { canvas } = state;
  const open = () => { if (state.at) location.hash = `#products/${encodeURIComponent(state.at.product)}`; };
  canvas.addEventListener("pointermove", (event) => go(state, nearest(state, event.offsetX, event.offsetY, 16)));
  canvas.addEventListener("pointerleave", () => go(state, null));
  canvas.addEventListener("click", (event) => { const hit = nearest(state, event.offsetX, event.offsetY, 16); if (hit && hit === state.at && event.pointerType !== "touch") open(); else go(state, hit); });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Enter") open();
    if (event.key === "Escape") go(state, null);
    if (!way) return;
    event.preventDefault();
    go(state, state.at ? onward(state, way) : state.points[0]);
  });
}

function nearest(state, x, y, within) {
  let best = null, least = within;
  for (const point of state.points) {
    const [px, py] = place(state, point), far = Math.hypot(px - x, py - y);
    if (far < least) { best = point; least = far; }
  }
  return best;
}

/** The nearest image in a direction; what lies aside counts twice. */
function onward(state, [dx, dy]) {
  const [x, y] = place(state, state.at);
  let best = state.at, least = Infinity;
  for (const point of state.points) {
    const [px, py] = place(state, point), along = (px - x) * dx + (py - y) * dy, aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
    if (point !== state.at && along > 0 && along + 2 * aside < least) { best = point; least = along + 2 * aside; }
  }
  return best;
}

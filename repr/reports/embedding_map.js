// The map of an embedding: points on a canvas; hover, tap or arrow keys show the image. `setUp` gets the figure element.
function setUp(root) {
  if (root.dataset.ready) return; // a page with two maps holds the script twice
  root.dataset.ready = "yes";
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const canvas = root.querySelector("canvas"), tip = root.querySelector(".map-tip"), choice = root.querySelector("select");
  const small = tip.firstElementChild, words = tip.lastElementChild, ink = canvas.getContext("2d");
  const shown = 96; // CSS pixels a side of the image in the tip
  let points = data.maps[0].points, at = -1, chosen = -1, crop = 1, middle = [0, 0], drag = null;

  small.style.backgroundImage = "url(" + root.querySelector("img").src + ")";
  small.style.backgroundSize = data.columns * shown + "px auto";
  const pixels = () => canvas.getBoundingClientRect();
  const place = (p) => {
    const box = pixels(), half = Math.min(box.width, box.height) / 2 - 8;
    return [box.width / 2 + (p[0] - middle[0]) * half * crop, box.height / 2 - (p[1] - middle[1]) * half * crop];
  };
  function draw() {
    const box = pixels(), sharp = window.devicePixelRatio || 1;
    canvas.width = box.width * sharp; canvas.height = box.height * sharp;
    ink.setTransform(sharp, 0, 0, sharp, 0, 0);
    const r = Math.min(6, (points.length > 800 ? 2.5 : 3.5) * Math.sqrt(crop));
    points.forEach((p, i) => {
      const [x, y] = place(p), group = data.groups[i];
      ink.globalAlpha = chosen < 0 || chosen === group ? 0.85 : 0.12;
      ink.fillStyle = data.colours[group % data.colours.length];
      ink.beginPath();
      // The shape changes where the colours begin again, so that no two groups of the legend look the same.
      const shape = Math.floor(group / data.colours.length) % 3;
      if (shape === 0) ink.arc(x, y, r, 0, 7);
      else if (shape === 1) ink.rect(x - r, y - r, 2 * r, 2 * r);
      else { ink.moveTo(x, y - 1.3 * r); ink.lineTo(x + 1.3 * r, y + r); ink.lineTo(x - 1.3 * r, y + r); }
      ink.fill();
    });
    ink.globalAlpha = 1;
    if (at >= 0) {
      const [x, y] = place(points[at]);
      ink.strokeStyle = getComputedStyle(root).color; ink.lineWidth = 2;
      ink.beginPath(); ink.arc(x, y, r + 4, 0, 7); ink.stroke();
    }
  }
  function show(i) {
    at = i;
    tip.hidden = i < 0;
    if (i >= 0) {
      const [x, y] = place(points[i]), box = pixels(), column = i % data.columns, row = Math.floor(i / data.columns);
      small.style.backgroundPosition = -column * shown + "px " + -row * shown + "px";
      words.textContent = data.labels[i];
      const w = tip.offsetWidth, h = tip.offsetHeight;
      tip.style.left = Math.max(0, Math.min(box.width - w, x + 12 + w > box.width ? x - w - 12 : x + 12)) + "px";
      tip.style.top = Math.max(0, Math.min(box.height - h, y - h / 2)) + "px";
    }
    draw();
  }
  function nearest(event) {
    const box = pixels(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = event.pointerType === "touch" ? 900 : 225; // squared CSS pixels
    points.forEach((p, i) => {
      if (chosen >= 0 && data.groups[i] !== chosen) return;
      const [px, py] = place(p), d = (px - x) ** 2 + (py - y) ** 2;
      if (d < least) { least = d; best = i; }
    });
    return best;
  }
  canvas.addEventListener("pointermove", (event) => {
    if (drag) {
      const half = Math.min(pixels().width, pixels().height) / 2 - 8;
      middle = [drag.from[0] - (event.clientX - drag.x) / half / crop, drag.from[1] + (event.clientY - drag.y) / half / crop];
      show(-1);
    } else show(nearest(event));
  });
  canvas.addEventListener("pointerdown", (event) => {
    show(nearest(event));
    if (crop > 1 && event.pointerType !== "touch") drag = { x: event.clientX, y: event.clientY, from: middle };
  });
  window.addEventListener("pointerup", () => { drag = null; });
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") show(-1); });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); show((at + step + points.length) % points.length); }
    if (event.key === "Escape") show(-1);
  });
  root.querySelectorAll("button[data-crop]").forEach((button) => button.addEventListener("click", () => {
    const factor = Number(button.dataset.crop);
    if (at >= 0 && factor > 1) middle = points[at].slice();
    crop = factor ? Math.max(1, Math.min(32, crop * factor)) : 1;
    if (crop === 1) middle = [0, 0];
    show(at);
  }));
  root.querySelectorAll("button[data-group]").forEach((button) => button.addEventListener("click", () => {
    chosen = chosen === Number(button.dataset.group) ? -1 : Number(button.dataset.group);
    root.querySelectorAll("button[data-group]").forEach((b) => b.setAttribute("aria-pressed", String(Number(b.dataset.group) === chosen)));
    show(-1);
  }));
  if (choice) choice.addEventListener("change", () => { points = data.maps[choice.selectedIndex].points; show(-1); });
  window.addEventListener("resize", () => show(-1));
  draw();
}
document.querySelectorAll(".map").forEach(setUp);

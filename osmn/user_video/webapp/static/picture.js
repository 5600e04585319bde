// The one picture: a frame and what is painted on it, as an id for each pixel; the pen, the box, the zoom.
const image = find("img"), paint = find(".paint"), pen = find(".pen"), movie = find("video");
const dragged = find(".dragged"), cursor = find(".cursor"), view = find(".view"), picture = find(".picture");
const paintContext = paint.getContext("2d"), penContext = pen.getContext("2d", { willReadFrequently: true });
const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8];
const NEAREST = 3; // pixels of the screen: a shorter drag is no box
let labels = null, shown = null, pictures = 0; // Ids of the pixels; the number of the frame that is shown.
let object = 1, tool = "box", zoom = 1, start = null, last = null, pencil = { x: 0, y: 0 }, corner = null;

const size = () => [pen.width, pen.height];
const hex = (color) => [1, 3, 5].map((place) => parseInt(color.slice(place, place + 2), 16));
const paintable = () => shown !== null && shown === Number(find("[name=frame]").value) && movie.hidden && !live;

function beginPicture(sides) {
  for (const canvas of [paint, pen]) [canvas.width, canvas.height] = sides;
  picture.style.setProperty("--aspect", sides[0] / sides[1]);
  pencil = { x: Math.round(sides[0] / 2), y: Math.round(sides[1] / 2) };
  labels = shown = corner = null;
  setZoom(0);
}

async function decoded(url) {
  const found = new Image();
  found.src = url;
  await found.decode();
  return found;
}

async function showPicture({ number, frame, paint: url }) {
  const count = ++pictures;
  const [ids] = await Promise.all([decoded(url), decoded(frame)]);
  if (count !== pictures) return; // Another one has come.
  image.src = frame;
  const scratch = document.createElement("canvas"), context = scratch.getContext("2d");
  [scratch.width, scratch.height] = size();
  context.drawImage(ids, 0, 0);
  const data = context.getImageData(0, 0, ...size()).data;
  labels = new Uint8Array(data.length / 4);
  for (let i = 0; i < labels.length; i++) labels[i] = Math.round(data[4 * i] / props.step);
  shown = number;
  start = corner = null;
  penContext.clearRect(0, 0, ...size());
  drawLabels();
  element.dataset.number = number;
}

function showLive({ number, frame }) {
  pictures += 1;
  image.src = frame;
  shown = labels = null;
  paintContext.clearRect(0, 0, ...size());
  setFrame(number);
}

function drawLabels() {
  if (!labels) return;
  const picture = paintContext.createImageData(...size());
  const colors = Object.fromEntries(Object.entries(session.colors).map(([id, color]) => [id, hex(color)]));
  for (let i = 0; i < labels.length; i++) {
    if (!labels[i]) continue;
    picture.data.set(colors[labels[i]], 4 * i);
    picture.data[4 * i + 3] = 255;
  }
  paintContext.putImageData(picture, 0, 0);
}

// The ids as the server reads them, see painting.py.
function labelsUrl() {
  const scratch = document.createElement("canvas"), context = scratch.getContext("2d");
  [scratch.width, scratch.height] = size();
  const picture = context.createImageData(...size());
  for (let i = 0; i < labels.length; i++) {
    picture.data.fill(labels[i] * props.step, 4 * i, 4 * i + 3);
    picture.data[4 * i + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
  return scratch.toDataURL("image/png");
}

function place(event) {
  const area = pen.getBoundingClientRect(), scale = pen.width / area.width;
  return { x: (event.clientX - area.left) * scale, y: (event.clientY - area.top) * scale, scale };
}

function stroke(to) {
  penContext.strokeStyle = penContext.fillStyle = tool === "eraser" ? "#ffffff" : session.colors[object];
  penContext.lineWidth = find("[name=size]").value * to.scale;
  penContext.lineCap = "round";
  penContext.beginPath();
  penContext.moveTo(last.x, last.y);
  penContext.lineTo(to.x, to.y);
  penContext.stroke();
  penContext.beginPath(); // A line of no length is not drawn.
  penContext.arc(to.x, to.y, penContext.lineWidth / 2, 0, 2 * Math.PI);
  penContext.fill();
  last = to;
}

// A stroke becomes ids where it covers at least half a pixel: colors never mix.
function endStroke() {
  const data = penContext.getImageData(0, 0, ...size()).data, changed = new Set(), id = tool === "eraser" ? 0 : object;
  for (let i = 0; i < labels.length; i++) {
    if (data[4 * i + 3] < 128 || labels[i] === id) continue;
    changed.add(labels[i]).add(id);
    labels[i] = id;
  }
  penContext.clearRect(0, 0, ...size());
  if (!changed.size) return;
  drawLabels();
  ask("paint", { number: shown, paint: labelsUrl(), objects: [...changed].filter(Boolean) });
}

const boxOf = (a, b) => [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(a.x - b.x), Math.abs(a.y - b.y)];

function drawBox(a, b) {
  const shares = boxOf(a, b).map((pixels, side) => `${100 * pixels / size()[side % 2]}%`);
  [dragged.style.left, dragged.style.top, dragged.style.width, dragged.style.height] = shares;
  dragged.hidden = false;
}

async function endBox(a, b) {
  dragged.hidden = true;
  const box = boxOf(a, b).map(Math.round), number = shown;
  if (Math.max(box[2], box[3]) / b.scale < NEAREST) return;
  let replace = false;
  if (labels.includes(object)) {
    const next = nextObject();
    const anew = next ? { next: `It is new: object ${next}` } : {};
    const choices = { replace: `Replace object ${object}`, ...anew, no: "Cancel" };
    const chosen = await question(`Frame ${number} has object ${object} already. What is in the box?`, choices);
    if (chosen === "no") return;
    if (chosen === "next") choose(next);
    replace = chosen === "replace";
  }
  busy("Looking for the object in the box …");
  await ask("box", { number, object, box, replace });
  busy(null);
}

const isPen = () => tool !== "box" && tool !== "click";

async function clickAt(at, positive) {
  busy("Looking for the object …");
  await ask("click", { number: shown, object, x: Math.floor(at.x), y: Math.floor(at.y), positive });
  busy(null);
}
pen.oncontextmenu = (event) => { if (tool === "click") event.preventDefault(); };

pen.onpointerdown = (event) => {
  if (live) go(current()); // From now on this frame stays, to be corrected.
  if (!paintable() || (event.button && !(tool === "click" && event.button === 2))) return;
  event.preventDefault();
  pen.focus({ preventScroll: true });
  pen.setPointerCapture(event.pointerId);
  start = last = place(event);
  if (isPen()) stroke(last);
};
pen.onpointermove = (event) => {
  if (!start) return;
  const to = place(event);
  if (tool === "box") drawBox(start, to);
  else if (isPen()) stroke(to);
};
pen.onpointerup = (event) => {
  if (!start) return;
  const from = start;
  start = null;
  if (tool === "box") endBox(from, place(event));
  else if (tool === "click") clickAt(from, event.button !== 2 && !event.shiftKey);
  else endStroke();
};
pen.onpointercancel = () => { // A second finger, for instance: nothing was meant.
  start = null;
  dragged.hidden = true;
  penContext.clearRect(0, 0, ...size());
};

// The pen by keys: where it is set down it paints, or is a corner of a box.
function movePencil(right, down) {
  pencil = {
    x: Math.min(Math.max(pencil.x + right, 0), pen.width - 1),
    y: Math.min(Math.max(pencil.y + down, 0), pen.height - 1),
  };
  cursor.hidden = false;
  cursor.style.left = `${100 * pencil.x / pen.width}%`;
  cursor.style.top = `${100 * pencil.y / pen.height}%`;
  if (corner) drawBox(corner, pencil);
}

function setPencilDown(positive = true) {
  if (!paintable()) return;
  const at = { ...pencil, scale: pen.width / pen.getBoundingClientRect().width };
  if (tool === "click") {
    clickAt(at, positive);
  } else if (tool !== "box") {
    last = at;
    stroke(at);
    endStroke();
  } else if (!corner) {
    corner = at;
  } else {
    const from = corner;
    corner = null;
    endBox(from, at);
  }
}
pen.onblur = () => { cursor.hidden = true; };

function setZoom(way, at = null) {
  const before = zoom, area = picture.getBoundingClientRect();
  const around = at || { clientX: area.left + area.width / 2, clientY: area.top + area.height / 2 };
  const x = (around.clientX - area.left) / area.width, y = (around.clientY - area.top) / area.height;
  const next = ZOOMS.indexOf(zoom) + way;
  zoom = way ? ZOOMS[Math.min(Math.max(next, 0), ZOOMS.length - 1)] : 1;
  picture.style.setProperty("--zoom", zoom);
  if (!area.width || before === zoom) return;
  const now = picture.getBoundingClientRect(); // What is under the pointer stays there.
  view.scrollLeft += now.left + x * now.width - around.clientX;
  view.scrollTop += now.top + y * now.height - around.clientY;
}
view.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  setZoom(event.deltaY < 0 ? 1 : -1, event);
}, { passive: false });
for (const button of findAll("[data-zoom]")) button.onclick = () => setZoom(Number(button.dataset.zoom));

function chooseTool(name) {
  tool = name;
  corner = null;
  dragged.hidden = true;
  for (const button of findAll("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === name);
  find(".size").hidden = !isPen();
}
for (const button of findAll("[data-tool]")) button.onclick = () => chooseTool(button.dataset.tool);

function hidePaint(hidden = !element.classList.contains("bare")) {
  element.classList.toggle("bare", hidden);
  find(".hide").setAttribute("aria-pressed", hidden);
  if (!movie.hidden) play(); // The film with paint, or without.
}
find(".hide").onclick = () => hidePaint();

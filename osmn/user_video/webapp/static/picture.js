// The one picture: a frame and what is painted on it, as an id for each pixel; the pen, the box, the zoom.
const image = find("img"), paint = find(".paint"), pen = find(".pen"), movie = find("video");
const dragged = find(".dragged"), cursor = find(".cursor"), view = find(".view"), picture = find(".picture");
const paintContext = paint.getContext("2d"), penContext = pen.getContext("2d", { willReadFrequently: true });
const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8];
const NEAREST = 3; // pixels of the screen: a shorter drag is no box
let labels = null, shown = null, pictures = 0; // Ids of the pixels; the number of the frame that is shown.
let object = 1, tool = "box", zoom = 1, pencil = { x: 0, y: 0 }, corner = null;
// What the pointer that is down does: {pointer, tool, object, from, last}; what is chosen then is for the next one.
let gesture = null;

const size = () => [pen.width, pen.height];
const hex = (color) => [1, 3, 5].map((place) => parseInt(color.slice(place, place + 2), 16));
const paintable = () => shown !== null && shown === Number(find("[name=frame]").value) && movie.hidden && !live;

function beginPicture(sides) {
  for (const canvas of [paint, pen]) [canvas.width, canvas.height] = sides;
  picture.style.setProperty("--aspect", sides[0] / sides[1]);
  pencil = { x: Math.round(sides[0] / 2), y: Math.round(sides[1] / 2) };
  labels = shown = null;
  dropGesture();
  setZoom(0);
}

function endPicture() {
  pictures += 1; // What is on its way is not shown.
  labels = shown = null;
  dropGesture();
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
  if (number !== shown) dropGesture();
  shown = number;
  picture.classList.toggle("coming", shown !== current());
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

// A stroke as the server reads it, see painting.py: an id in its pixels, and elsewhere what says that nothing changes.
function strokeUrl(inside, id) {
  const scratch = document.createElement("canvas"), context = scratch.getContext("2d");
  [scratch.width, scratch.height] = size();
  const picture = context.createImageData(...size());
  for (let i = 0; i < labels.length; i++) {
    picture.data.fill((inside(i) ? id : props.untouched) * props.step, 4 * i, 4 * i + 3);
    picture.data[4 * i + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
  return scratch.toDataURL("image/png");
}

function place(event) {
  const area = pen.getBoundingClientRect(), scale = pen.width / area.width;
  return { x: (event.clientX - area.left) * scale, y: (event.clientY - area.top) * scale, scale };
}

function stroke(drawn, to) {
  const { last } = drawn;
  penContext.strokeStyle = penContext.fillStyle = drawn.tool === "eraser" ? "#ffffff" : session.colors[drawn.object];
  penContext.lineWidth = find("[name=size]").value * to.scale;
  penContext.lineCap = "round";
  penContext.beginPath();
  penContext.moveTo(last.x, last.y);
  penContext.lineTo(to.x, to.y);
  penContext.stroke();
  penContext.beginPath(); // A line of no length is not drawn.
  penContext.arc(to.x, to.y, penContext.lineWidth / 2, 0, 2 * Math.PI);
  penContext.fill();
  drawn.last = to;
}

// A stroke becomes ids where it covers at least half a pixel: colors never mix.
function endStroke(drawn) {
  const data = penContext.getImageData(0, 0, ...size()).data, id = drawn.tool === "eraser" ? 0 : drawn.object;
  const inside = (i) => data[4 * i + 3] >= 128;
  let changed = waiting > 0; // What comes of earlier clicks is not shown yet, and the stroke is over it.
  for (let i = 0; i < labels.length; i++) {
    if (!inside(i) || labels[i] === id) continue;
    changed = true;
    labels[i] = id;
  }
  penContext.clearRect(0, 0, ...size());
  if (!changed) return;
  drawLabels();
  ask("paint", { number: shown, paint: strokeUrl(inside, id), picture: waiting > 0 });
}

const boxOf = (a, b) => [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(a.x - b.x), Math.abs(a.y - b.y)];

function drawBox(a, b) {
  const shares = boxOf(a, b).map((pixels, side) => `${100 * pixels / size()[side % 2]}%`);
  [dragged.style.left, dragged.style.top, dragged.style.width, dragged.style.height] = shares;
  dragged.hidden = false;
}

async function endBox(a, b, object) {
  dragged.hidden = true;
  const box = boxOf(a, b).map(Math.round), number = shown;
  if (Math.max(box[2], box[3]) / b.scale < NEAREST) {
    find(".note").textContent = `Drag a box from corner to corner${clicks ? ", or choose Click" : ""}.`;
    return;
  }
  let replace = false;
  if (labels.includes(object)) {
    const next = nextObject();
    const anew = next ? { next: `It is new: object ${next}` } : {};
    const choices = { replace: `Replace object ${object}`, ...anew, no: "Cancel" };
    const chosen = await question(`Frame ${number} has object ${object} already. What is in the box?`, choices);
    if (chosen === "no" || !session) return;
    if (chosen === "next") choose(object = next);
    replace = chosen === "replace";
  }
  busy("Looking for the object in the box …");
  await ask("box", { number, object, box, replace });
  busy(null);
}

const isPen = (name) => name === "brush" || name === "eraser";
const clicksWith = (name) => name === "click" || name === "away";

let looking = 0; // Clicks whose answers are not there yet.
async function clickAt(at, positive, object) {
  looking += 1;
  busy("Looking for the object …");
  await ask("click", { number: shown, object, x: Math.floor(at.x), y: Math.floor(at.y), positive });
  looking -= 1;
  if (!looking) busy(null);
}
pen.oncontextmenu = (event) => { if (clicksWith(tool)) event.preventDefault(); };

function dropGesture() {
  gesture = corner = null;
  dragged.hidden = true;
  penContext.clearRect(0, 0, ...size());
}

pen.onpointerdown = (event) => {
  if (live) go(current()); // From now on this frame stays, to be corrected.
  if (gesture || !paintable() || (event.button && !(clicksWith(tool) && event.button === 2))) return;
  event.preventDefault();
  pen.focus({ preventScroll: true });
  pen.setPointerCapture(event.pointerId);
  const from = place(event);
  gesture = { pointer: event.pointerId, tool, object, from, last: from };
  if (isPen(tool)) stroke(gesture, from);
};
pen.onpointermove = (event) => {
  if (!gesture || event.pointerId !== gesture.pointer) return;
  const to = place(event);
  if (gesture.tool === "box") drawBox(gesture.from, to);
  else if (isPen(gesture.tool)) stroke(gesture, to);
};
pen.onpointerup = (event) => {
  if (!gesture || event.pointerId !== gesture.pointer) return;
  const ended = gesture, { from } = ended;
  gesture = null;
  if (ended.tool === "box") endBox(from, place(event), ended.object);
  else if (isPen(ended.tool)) endStroke(ended);
  else clickAt(from, ended.tool === "click" && event.button !== 2 && !event.shiftKey, ended.object);
};
pen.onpointercancel = dropGesture; // Nothing was meant.

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
  if (clicksWith(tool)) {
    clickAt(at, positive && tool === "click", object);
  } else if (isPen(tool)) {
    const dot = { tool, object, last: at };
    stroke(dot, at);
    endStroke(dot);
  } else if (!corner) {
    corner = at;
  } else {
    const from = corner;
    corner = null;
    endBox(from, at, object);
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
  if (find(`[data-tool="${name}"]`).hidden) return;
  tool = name;
  corner = null;
  dragged.hidden = true;
  for (const button of findAll("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === name);
  find(".size").hidden = !isPen(tool);
}
for (const button of findAll("[data-tool]")) button.onclick = () => chooseTool(button.dataset.tool);

function hidePaint(hidden = !element.classList.contains("bare")) {
  element.classList.toggle("bare", hidden);
  find(".hide").setAttribute("aria-pressed", hidden);
  if (!movie.hidden) play(); // The film with paint, or without.
}
find(".hide").onclick = () => hidePaint();

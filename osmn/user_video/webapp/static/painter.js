// Paint objects on a frame. The page gives props.value = {frame, paint, number, token}: data URLs of the frame and of
// what is painted on it. After each stroke props.value = {number, token, paint}, and the event "stroke"; after a drag
// with the tool "box", in pixels of the frame, also {object, box: [x, y, width, height]}, and the event "box".
const find = (selector) => element.querySelector(selector);
const image = find("img"), canvas = find("canvas"), dragged = find(".box");
const context = canvas.getContext("2d", { willReadFrequently: true });
const MOST_UNDONE = 10;
let object = 1, tool = "brush", view = null, start = null, last = null, undoable = [];

function press(buttons, pressed) {
  for (const button of buttons) button.setAttribute("aria-pressed", button === pressed);
}

const chips = Object.entries(props.colors).map(([id, color]) => {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.textContent = id;
  chip.style.setProperty("--color", color);
  chip.title = chip.ariaLabel = `Object ${id}`;
  chip.onclick = () => { object = Number(id); press(chips, chip); };
  find(".objects").append(chip);
  return chip;
});
press(chips, chips[0]);
const tools = [...element.querySelectorAll("[data-tool]")];
for (const button of tools) button.onclick = () => { tool = button.dataset.tool; press(tools, button); };
find(".undo").onclick = () => {
  if (!undoable.length) return;
  context.putImageData(undoable.pop(), 0, 0);
  report();
};

async function show() {
  const shown = props.value;
  if (!shown || !shown.frame) return;
  view = null; // Nothing is painted while it changes.
  const paint = new Image();
  image.src = shown.frame;
  paint.src = shown.paint;
  await Promise.all([image.decode(), paint.decode()]);
  if (props.value !== shown && props.value.token !== shown.token) return; // Another one has come.
  canvas.width = paint.naturalWidth;
  canvas.height = paint.naturalHeight;
  context.drawImage(paint, 0, 0);
  undoable = [];
  view = { number: shown.number, token: shown.token };
  element.dataset.number = shown.number;
  find(".empty").hidden = true;
}

function report(event = "stroke", more = {}) {
  props.value = { ...view, paint: canvas.toDataURL("image/png"), ...more };
  trigger(event);
}

function place(event) {
  const area = canvas.getBoundingClientRect(), scale = canvas.width / area.width;
  return { x: (event.clientX - area.left) * scale, y: (event.clientY - area.top) * scale, scale };
}

function stroke(to) {
  context.globalCompositeOperation = tool === "eraser" ? "destination-out" : "source-over";
  context.strokeStyle = props.colors[object];
  context.lineWidth = find("[name=size]").value * to.scale;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(last.x, last.y);
  context.lineTo(to.x, to.y);
  context.stroke();
  last = to;
}

function box(to) {
  const x = Math.min(start.x, to.x), y = Math.min(start.y, to.y);
  return [x, y, Math.max(start.x, to.x) - x, Math.max(start.y, to.y) - y];
}

canvas.onpointerdown = (event) => {
  if (!view || event.button) return;
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  start = last = place(event);
  if (tool === "box") return;
  undoable.push(context.getImageData(0, 0, canvas.width, canvas.height));
  if (undoable.length > MOST_UNDONE) undoable.shift();
  stroke(last);
};
canvas.onpointermove = (event) => {
  if (!start) return;
  const to = place(event);
  if (tool !== "box") return stroke(to);
  const [x, y, width, height] = box(to).map((pixels) => pixels / to.scale);
  Object.assign(dragged.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
  dragged.hidden = false;
};
canvas.onpointerup = canvas.onpointercancel = (event) => {
  if (!start) return;
  const found = box(place(event)).map(Math.round);
  start = null;
  dragged.hidden = true;
  if (!view) return;
  if (tool !== "box") return report();
  report("box", { object, box: found });
};

watch("value", show);
show();

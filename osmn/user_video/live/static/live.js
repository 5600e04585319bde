"use strict";
// The page of live pictures. It asks for one picture after the other, so that a slow page leaves pictures out instead of
// being late. Pointing at the picture takes a still of it; what is found there is followed when "Follow" is pressed.

const settings = JSON.parse(document.querySelector("meta[name=osmn]").content);
const find = (selector) => document.querySelector(selector);
const picture = find("canvas.picture"), shown = find("canvas.labels"), dragged = find(".dragged");
const RETRY = 1000; // Milliseconds.

let object = 1, tool = settings.clicks ? "click" : "box";
let still = null; // {still, width, height, labels: Uint8Array}, while one is looked at.
let holding = null; // The promise of one.
let changed = false, over = false, state = {};
let wake = () => {};

// -- Asking ----------------------------------------------------------------------------------------------------------

async function post(name, content, kind) {
  const headers = { "X-Osmn-Token": settings.token, "Content-Type": kind };
  const answer = await fetch(name, { method: "POST", headers, body: content });
  const told = await answer.json();
  if (told.problem) throw new Error(told.problem);
  return told;
}

const ask = (name, options = {}) => post(name, JSON.stringify(options), "application/json");

function complain(error) {
  find(".problem").hidden = !error;
  find(".problem").textContent = error ? error.message : "";
}

let before = Promise.resolve(); // What is being done: one thing after the other.

function doing(work) {
  before = before.then(async () => {
    document.body.style.cursor = "progress";
    try {
      complain(null);
      await work();
    } catch (error) {
      complain(error);
    }
    document.body.style.cursor = "";
    refresh();
  });
  return before;
}

// -- The live picture -------------------------------------------------------------------------------------------------

async function watch() {
  let after = 0;
  while (!over) {
    if (still || holding) await new Promise((resolve) => (wake = resolve));
    try {
      const answer = await fetch(`frame?after=${after}`, { headers: { "X-Osmn-Token": settings.token } });
      if (answer.status === 403) throw new Error((await answer.json()).problem);
      state = JSON.parse(answer.headers.get("X-Osmn-State"));
      if (answer.status === 200) {
        after = state.serial;
        const image = await createImageBitmap(await answer.blob());
        if (!still) draw(image);
      }
      over = state.over;
      tell();
    } catch (error) {
      find(".numbers").textContent = "the program does not answer";
      if (error instanceof TypeError === false) complain(error);
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
}

function draw(image) {
  if (picture.width !== image.width || picture.height !== image.height) {
    for (const canvas of [picture, shown]) [canvas.width, canvas.height] = [image.width, image.height];
    find(".view").style.setProperty("--aspect", image.width / image.height);
  }
  picture.getContext("2d").drawImage(image, 0, 0);
  picture.dataset.serial = state.serial;
}

function tell() {
  find(".title").textContent = state.title;
  const parts = [`${state.rate.toFixed(1)} frames/s`];
  if (state.age !== undefined) parts.push(`${state.age} ms late`);
  parts.push(`${state.shown} shown`, `${state.dropped} left out`);
  if (state.lost) parts.unshift("no picture comes");
  if (over) parts.unshift("ended");
  find(".numbers").textContent = parts.join(", ");
  refresh();
}

function refresh() {
  const followed = state.objects || [];
  document.querySelectorAll(".objects button").forEach((button) => {
    button.setAttribute("aria-pressed", String(Number(button.textContent) === object));
    button.classList.toggle("followed", followed.includes(Number(button.textContent)));
  });
  document.querySelectorAll(".kinds button").forEach((button) =>
    button.setAttribute("aria-pressed", String(button.dataset.tool === tool)));
  find(".give").disabled = !still || !changed;
  find(".back").disabled = !still;
  find(".remove").disabled = !followed.includes(object);
  find(".remove").textContent = `Remove object ${object}`;
  find(".badge").hidden = !still;
  find(".stop").disabled = over;
  const hints = { click: "click on the object", box: "drag a box around the object", brush: "paint the object",
    eraser: "erase what is too much" };
  let hint = `To show object ${object}, ${hints[tool]}: the picture stands still for that.`;
  if (followed.length) hint = `Followed: ${followed.join(", ")}. To correct object ${object}, ${hints[tool]}.`;
  if (still) hint = changed ? "Press Follow when the object is right; until then the others are followed."
    : `In this still, ${hints[tool]}.`;
  else if (state.waits) hint += " The file is played from here on when you press Follow.";
  find(".hint").textContent = over ? "Ended." : hint;
}

// -- A still ----------------------------------------------------------------------------------------------------------

const unpacked = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

async function hold() {
  const told = await ask("still");
  const image = new Image();
  image.src = `data:image/jpeg;base64,${told.frame}`;
  await image.decode();
  still = { still: told.still, width: told.width, height: told.height, labels: unpacked(told.labels) };
  draw(image);
  show();
}

function show() {
  const context = shown.getContext("2d");
  context.clearRect(0, 0, shown.width, shown.height);
  if (!still) return;
  const colors = Object.fromEntries(Object.entries(settings.colors).map(([id, color]) =>
    [id, [1, 3, 5].map((place) => parseInt(color.slice(place, place + 2), 16))]));
  const pixels = context.createImageData(still.width, still.height);
  still.labels.forEach((id, place) => {
    if (id) pixels.data.set([...(colors[id] || [255, 255, 255]), 255], 4 * place);
  });
  context.putImageData(pixels, 0, 0);
}

function leave() {
  still = holding = null;
  changed = false;
  show();
  refresh();
  wake();
}

// -- Pointing: a gesture is from the pointer's going down to its going up ----------------------------------------------

let gesture = null;

function place(event) {
  const area = picture.getBoundingClientRect();
  const x = Math.floor(((event.clientX - area.left) / area.width) * picture.width);
  const y = Math.floor(((event.clientY - area.top) / area.height) * picture.height);
  return [Math.min(Math.max(x, 0), picture.width - 1), Math.min(Math.max(y, 0), picture.height - 1)];
}

function down(event) {
  if (gesture || over || !state.shown || (event.button && event.button !== 2)) return;
  event.preventDefault();
  picture.setPointerCapture(event.pointerId);
  gesture = { points: [place(event)], positive: event.button !== 2 && !event.shiftKey, done: 0 };
  complain(null);
  if (!still && !holding) holding = hold().catch((error) => { complain(error); leave(); });
}

function move(event) {
  if (!gesture || gesture.over) return;
  gesture.points.push(place(event));
  if (tool === "box") drawBox();
  else if (still && tool !== "click") stroke();
}

async function up() {
  if (!gesture || gesture.over) return;
  const { points, positive } = gesture;
  gesture.over = true;
  await doing(async () => {
    await holding;
    if (!still) return;
    const [first, last] = [points[0], points.at(-1)];
    if (tool === "click") {
      found(await ask("click", { still: still.still, object, x: first[0], y: first[1], positive }));
    } else if (tool === "box") {
      const [x, y] = [0, 1].map((side) => Math.min(first[side], last[side]));
      const [width, height] = [0, 1].map((side) => Math.abs(first[side] - last[side]));
      found(await ask("box", { still: still.still, object, box: [x, y, width, height] }));
    } else {
      stroke();
      await post(`paint?still=${still.still}`, still.labels, "application/octet-stream");
      changed = true;
    }
  });
  gesture = null;
  dragged.hidden = true;
}

function found(told) {
  still.labels = unpacked(told.labels);
  changed = true;
  show();
}

function drawBox() {
  const [first, last] = [gesture.points[0], gesture.points.at(-1)], scale = picture.clientWidth / picture.width;
  const [x, y] = [0, 1].map((side) => Math.min(first[side], last[side]) * scale);
  const [width, height] = [0, 1].map((side) => Math.abs(first[side] - last[side]) * scale);
  Object.assign(dragged.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
  dragged.hidden = false;
}

function stroke() { // Paints what of the gesture is not painted yet.
  const radius = Number(find("[name=size]").value) / 2;
  const points = gesture.points.slice(Math.max(0, gesture.done - 1));
  gesture.done = gesture.points.length;
  points.forEach(([x, y], number) => {
    const [fromX, fromY] = points[Math.max(0, number - 1)];
    const steps = Math.max(1, Math.ceil(Math.hypot(x - fromX, y - fromY) / Math.max(1, radius / 2)));
    for (let step = 1; step <= steps; step++) {
      dot(fromX + ((x - fromX) * step) / steps, fromY + ((y - fromY) * step) / steps, radius);
    }
  });
  show();
}

function dot(x, y, radius) {
  for (let row = Math.max(0, Math.ceil(y - radius)); row <= Math.min(still.height - 1, y + radius); row++) {
    const half = Math.sqrt(Math.max(0, radius * radius - (row - y) * (row - y)));
    const [left, right] = [Math.max(0, Math.round(x - half)), Math.min(still.width - 1, Math.round(x + half))];
    for (let place = row * still.width + left; place <= row * still.width + right; place++) {
      if (tool === "brush") still.labels[place] = object;
      else if (still.labels[place] === object) still.labels[place] = 0;
    }
  }
}

// -- Buttons and keys --------------------------------------------------------------------------------------------------

const give = () => doing(async () => {
  if (!still || !changed) return;
  await ask("give", { still: still.still });
  leave();
});
const back = () => doing(async () => {
  if (!still) return;
  await ask("release", { still: still.still });
  leave();
});

for (const [id, color] of Object.entries(settings.colors)) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = id;
  button.style.setProperty("--color", color);
  button.setAttribute("aria-label", `Object ${id}`);
  button.addEventListener("click", () => { object = Number(id); refresh(); });
  find(".objects").append(button);
}
document.querySelectorAll(".kinds button").forEach((button) => {
  button.hidden = button.dataset.tool === "click" && !settings.clicks;
  button.addEventListener("click", () => { tool = button.dataset.tool; refresh(); });
});
find(".give").addEventListener("click", give);
find(".back").addEventListener("click", back);
find(".remove").addEventListener("click", () => doing(() => ask("remove", { object })));
find(".stop").addEventListener("click", () => doing(() => ask("stop")));
picture.addEventListener("pointerdown", down);
picture.addEventListener("pointermove", move);
picture.addEventListener("pointerup", up);
picture.addEventListener("pointercancel", up);
picture.addEventListener("contextmenu", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
  const tools = { c: "click", b: "box", p: "brush", e: "eraser" };
  if (event.key === "Enter" && (still || holding)) give();
  else if (event.key === "Escape" && (still || holding)) back();
  else if (settings.colors[event.key]) object = Number(event.key);
  else if (tools[event.key] && (settings.clicks || event.key !== "c")) tool = tools[event.key];
  else return;
  event.preventDefault();
  refresh();
});

// -- The browser's own camera ------------------------------------------------------------------------------------------

async function film() {
  const video = find("video"), canvas = document.createElement("canvas");
  const wanted = { width: { ideal: 960 }, height: { ideal: 540 }, frameRate: { ideal: 30 } };
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
  await video.play();
  find(".camera").hidden = true;
  const next = () => new Promise((resolve) => video.requestVideoFrameCallback
    ? video.requestVideoFrameCallback(resolve) : setTimeout(resolve, 33));
  while (!over) {
    await next();
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    const content = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
    try {
      await post("picture", content, "image/jpeg"); // One at a time: what comes meanwhile is left out.
    } catch (error) {
      complain(error);
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
  video.srcObject.getTracks().forEach((track) => track.stop());
}

find(".camera").hidden = !settings.browser;
find(".start").addEventListener("click", () => {
  if (!navigator.mediaDevices) return complain(new Error("browsers give a camera to 127.0.0.1 and to https alone"));
  film().catch((error) => complain(new Error(`the camera cannot be used (${error.message})`)));
});
refresh();
watch();

// Keys, wherever the focus is, except in a field that has uses of its own for them.
function onKey(event) {
  if (!element.isConnected) return document.removeEventListener("keydown", onKey);
  if (!session || find(".work").hidden || dialog.open) return;
  if (gesture || (corner && event.key === "Escape")) { // The pointer is down: what it does is done first, or dropped.
    if (event.key === "Escape") dropGesture();
    if (!event.ctrlKey && !event.metaKey) event.preventDefault();
    return;
  }
  const at = document.activeElement, type = at && at.tagName === "INPUT" ? at.type : "";
  // A key that is held down: another button may be in the place of the one that it pressed.
  if (event.repeat && event.key === "Enter" && at && at.tagName === "BUTTON") return event.preventDefault();
  if (type === "number" || (at && (at.isContentEditable || at.tagName === "TEXTAREA"))) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey) {
    const key = event.key.toLowerCase();
    if (key === "z") return does(event, event.shiftKey ? find(".redo") : find(".undo"));
    if (key === "y") return does(event, find(".redo"));
    return;
  }
  if (event.altKey) {
    const step = event.shiftKey ? 20 : 4, [right, down] = ARROWS[event.key] || [0, 0];
    if (at === pen && (right || down)) return does(event, () => movePencil(step * right, step * down));
    return;
  }
  if (event.key === " ") {
    if (!at || !["BUTTON", "A", "SUMMARY"].includes(at.tagName)) does(event, playOrPause);
    return;
  }
  if (event.key === "Enter" && at === pen) return does(event, () => setPencilDown(!event.shiftKey));
  if (type === "range" && at !== slider && event.key.startsWith("Arrow")) return;
  const by = event.shiftKey ? 10 : 1;
  const uses = {
    ArrowLeft: () => step(-by), ArrowRight: () => step(by), Home: () => step(-Infinity), End: () => step(Infinity),
    b: () => chooseTool("box"), c: () => chooseTool("click"), x: () => chooseTool("away"),
    p: () => chooseTool("brush"), e: () => chooseTool("eraser"), h: () => hidePaint(),
    "+": () => setZoom(1), "-": () => setZoom(-1), 0: () => setZoom(0),
  };
  if (session.colors[event.key]) does(event, () => choose(Number(event.key)));
  else if (uses[event.key]) does(event, uses[event.key]);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function does(event, what) {
  event.preventDefault();
  if (typeof what === "function") what();
  else what.click();
}

function step(by) {
  const at = movie.hidden ? current() : frameAt(movie.currentTime);
  stopMovie();
  go(Math.min(Math.max(at + by, 0), frames() - 1));
}

document.addEventListener("keydown", onKey);
// After a click, keys are for the picture again, and the space bar plays.
element.addEventListener("click", (event) => {
  if (event.detail && event.target.closest(".work button") && !dialog.open) pen.focus({ preventScroll: true });
});

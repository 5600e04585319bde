// The objects, their colors, and the frames in which they are given.
const color = find("[type=color]");

// The next number that no object has; null if all are taken.
const nextObject = () => Object.keys(session.colors).map(Number).find((id) => !session.objects.includes(id)) || null;

function choose(id) {
  object = id;
  renderObjects();
  renderFrame();
}

function renderObjects() {
  if (!isNew("objects", session.token, session.objects, session.colors, object)) return;
  const chips = [...new Set([...session.objects, object])].sort((a, b) => a - b);
  const next = nextObject();
  const made = chips.map((id) => {
    const chip = document.createElement("button");
    chip.textContent = id;
    chip.title = chip.ariaLabel = `Object ${id}`;
    chip.style.setProperty("--color", session.colors[id]);
    chip.setAttribute("aria-pressed", id === object);
    chip.onclick = () => choose(id);
    return chip;
  });
  if (next && !chips.includes(next)) {
    const chip = document.createElement("button");
    chip.textContent = "+ New";
    chip.title = chip.ariaLabel = `New object ${next}`;
    chip.onclick = () => choose(next);
    made.push(chip);
  }
  for (const chip of made) chip.type = "button";
  keepFocus(find(".objects"), () => find(".objects").replaceChildren(...made));
  color.value = session.colors[object];
}

color.onchange = () => ask("color", { object, color: color.value }).then(drawLabels);

function renderGiven() {
  if (!isNew("given", session.token, session.given, session.colors)) return;
  const rows = session.given.map(({ frame, objects }) => {
    const [row, jump, remove] = ["li", "button", "button"].map((name) => document.createElement(name));
    jump.textContent = `Frame ${frame}`;
    jump.onclick = () => { stopMovie(); go(frame); };
    for (const id of objects) {
      const dot = document.createElement("span");
      dot.className = "dot";
      dot.textContent = id;
      dot.style.setProperty("--color", session.colors[id]);
      jump.append(dot);
    }
    remove.textContent = "×";
    remove.title = remove.ariaLabel = `Remove what is given in frame ${frame}`;
    remove.onclick = once(() => ask("clear", { frame, number: current() }));
    for (const button of [jump, remove]) button.type = "button";
    row.append(jump, remove);
    return row;
  });
  if (!rows.length) {
    const row = document.createElement("li");
    row.textContent = "None yet.";
    rows.push(row);
  }
  keepFocus(find(".given"), () => find(".given").replaceChildren(...rows));
}

// Keep the focus in a list whose elements are made anew, at the same place of it.
function keepFocus(list, change) {
  const at = [...list.querySelectorAll("button")].indexOf(document.activeElement);
  change();
  const buttons = list.querySelectorAll("button");
  if (at >= 0 && buttons.length) buttons[Math.min(at, buttons.length - 1)].focus();
}

find(".undo").onclick = () => ask("undo", { number: current() }).then(turnTo);
find(".redo").onclick = () => ask("redo", { number: current() }).then(turnTo);
find(".clear-frame").onclick = () => ask("clear", { frame: current(), number: current() });
find(".clear-object").onclick = () => ask("clear", { object, number: current() });
find(".clear-all").onclick = () => ask("clear", { number: current() });

// An undone change may be in another frame than the one that was shown.
function turnTo(answer) {
  if (answer.picture && session) setFrame(answer.picture.number);
}

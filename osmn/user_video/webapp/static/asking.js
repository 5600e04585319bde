// Asking the server: ask(action, more) returns a promise of the answer, see actions.py. One request at a time is on its
// way, in the order of the calls, so that nothing that a visitor does overtakes what they did before.
const find = (selector) => element.querySelector(selector);
const findAll = (selector) => [...element.querySelectorAll(selector)];
const PATIENCE = 180000; // ms without an answer after which the program counts as ended
let sequence = 0, line = Promise.resolve(), answered = null, waiting = 0;
let session = null, video = null, task = null, offers = []; // As the server told them last.

// By this secret the server knows whose work it keeps; without storage a reload begins anew.
const visitor = (() => {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  const made = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    return localStorage.osmnVisitor ||= made;
  } catch {
    return made;
  }
})();

function ask(action, more = {}) {
  const asked = { action, token: session && session.token, visitor, ...more };
  waiting += 1;
  if (action !== "look") find(".note").textContent = "";
  return line = line.then(() => new Promise((resolve) => {
    asked.seq = ++sequence;
    const end = (answer) => {
      clearTimeout(timer);
      answered = null;
      waiting -= 1;
      apply(answer);
      resolve(answer);
    };
    const silence = { problem: "The program does not answer. Is it still running? Reload the page." };
    const timer = setTimeout(() => end(silence), PATIENCE);
    answered = end;
    trigger("act", asked);
  }));
}

watch("value", () => {
  if (answered && props.value && props.value.seq === sequence) answered(props.value);
});

// Whether something that is shown has changed: what is drawn anew under a pointer that is pressed is not clicked on.
const drawn = {};
function isNew(name, ...what) {
  const now = JSON.stringify(what), before = drawn[name];
  drawn[name] = now;
  return now !== before;
}

const file = (path) => `gradio_api/file=${encodeURI(path).replace(/[?#]/g, encodeURIComponent)}`;

// Asking the server: ask(action, more) returns a promise of the answer, see actions.py. One request at a time is on its
// way, in the order of the calls, so that nothing that a visitor does overtakes what they did before.
const find = (selector) => element.querySelector(selector);
const findAll = (selector) => [...element.querySelectorAll(selector)];
// A handler of clicks that leaves out the second one of a double click: by then something else may be in this place.
const once = (handler) => (event) => { if (event.detail < 2) handler(event); };
const SEEN = ["look", "show"]; // What changes nothing.
const CHECKED = 3000; // ms between checks of whether a request is still being answered
let sequence = 0, line = Promise.resolve(), answered = null, waiting = 0;
let session = null, video = null, task = null, offers = []; // As the server told them last.

const secret = () => {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
};
// By this secret the server knows whose work it keeps; without storage a reload begins anew.
const visitor = (() => {
  try {
    return localStorage.osmnVisitor ||= secret();
  } catch {
    return secret();
  }
})();

// Gradio loads the page anew when a lost connection is there again: what was not answered yet is asked for then.
const outstanding = [], SOON = 15000; // ms in which Gradio does so
let lost = false, lately = null;

function remember() {
  const asked = outstanding.filter(({ action }) => !SEEN.includes(action));
  try {
    const now = session && { token: session.token, title: video.title, number: current(), asked };
    if (now && (lost || lately)) sessionStorage.osmnLost = JSON.stringify(now);
    else delete sessionStorage.osmnLost;
  } catch { /* Without storage the page offers to go on. */ }
}

async function resume() {
  let was = null;
  try {
    was = JSON.parse(sessionStorage.osmnLost || null);
    delete sessionStorage.osmnLost;
  } catch { /* There is none. */ }
  if (!was) return;
  if (!offers.some(({ token }) => token === was.token)) return tellGone(was.token, was.title);
  await ask("go on", { work: was.token });
  for (const { seq, token, ...asked } of was.asked) await ask(asked.action, asked);
  if (session) go(was.number);
}

function ask(action, more = {}) {
  const asked = { action, id: secret(), token: session && session.token, visitor, ...more };
  waiting += 1;
  outstanding.push(asked);
  if (lost || lately) remember();
  if (action !== "look") find(".note").textContent = "";
  if (!SEEN.includes(action)) find(".problem").hidden = true; // It was of something before.
  return line = line.then(() => new Promise((resolve) => {
    asked.seq = ++sequence;
    const end = (answer) => {
      clearInterval(timer);
      outstanding.splice(outstanding.indexOf(asked), 1);
      if (lost) {
        lost = false;
        busy(null);
        clearTimeout(lately);
        lately = setTimeout(() => { lately = null; remember(); }, SOON);
      }
      if (lately) remember();
      answered = null;
      waiting -= 1;
      apply(answer);
      resolve(answer);
    };
    // A request, or its answer, may be lost, of a laptop that was closed for instance: then it is sent again.
    let missed = 0;
    const timer = setInterval(async () => {
      try {
        const { doing } = await (await fetch(`${props.doing}?id=${asked.id}`)).json();
        missed = doing ? 0 : missed + 1; // The answer may be on its way.
        if (missed % 2 === 0 && missed) trigger("act", asked);
      } catch {
        if (answered !== end) return;
        lost = true;
        remember();
        busy("The connection to the program is lost. Waiting for it …");
      }
    }, CHECKED);
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

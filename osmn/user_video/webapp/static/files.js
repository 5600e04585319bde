// Choosing a video, going on with an earlier one, questions before something is replaced, the download.
const choice = find("[name=video]"), maskChoice = find("[name=mask]"), dialog = find("dialog");

// Ask the visitor: {key: words of a button}; the promise gives the key that was chosen, the last one for Escape.
function question(words, choices) {
  find("#osmn-question").textContent = words;
  return new Promise((resolve) => {
    const keys = Object.keys(choices);
    find(".choices").replaceChildren(...keys.map((key) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = choices[key];
      button.onclick = () => dialog.close(key);
      return button;
    }));
    dialog.onclose = () => resolve(dialog.returnValue || keys.at(-1));
    dialog.returnValue = "";
    dialog.showModal();
  });
}

const ofFrames = (number) => number === 1 ? "1 frame" : `${number} frames`;

function inMinutes(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 2) return "a minute";
  if (minutes % 60) return `${minutes} minutes`;
  return minutes === 60 ? "an hour" : `${minutes / 60} hours`;
}

// Whether another video may take the place of this one.
async function mayReplace(title) {
  if (!session || !session.work) return true;
  const fate = keep > 0
    ? `${video.title} and what you made of it are kept for ${inMinutes(keep)}, and offered on this page.`
    : `${video.title} and what you made of it are removed.`;
  const choices = { yes: `Open ${title}`, no: `Stay with ${video.title}` };
  return "yes" === await question(`Open ${title} instead? ${fate}`, choices);
}

let sending = null; // The request by which a file is sent.

// Send a file; the promise gives the token by which it is taken, or null if it did not arrive.
function send(chosen) {
  find(".problem").hidden = true;
  if (chosen.size > props.most * 1e6) {
    const most = `${props.most} MB, the most that this page takes`;
    tell(`${chosen.name} is larger than ${most}. Choose a shorter or smaller video.`);
    return Promise.resolve(null);
  }
  const request = new XMLHttpRequest();
  request.upload.onprogress = ({ loaded, total }) => {
    busy(`Uploading ${chosen.name}: ${Math.floor(100 * loaded / total)} %`);
  };
  request.open("POST", `${props.uploads}?name=${encodeURIComponent(chosen.name)}`);
  request.send(chosen);
  sending = request;
  busy(`Uploading ${chosen.name}`);
  return new Promise((resolve) => {
    let stopped = false;
    request.onabort = () => { stopped = true; };
    request.onloadend = () => {
      sending = null;
      busy(null);
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { /* Nothing was told. */ }
      const arrived = request.status === 200;
      if (!arrived && !stopped) tell(`${chosen.name} did not arrive: ${told.detail || "the connection was lost"}.`);
      resolve(arrived ? told.token : null);
    };
  });
}

async function upload(chosen) {
  if (!chosen) return;
  if (task || sending) return tell("Wait for what is being done, or stop it.");
  if (!(await mayReplace(chosen.name))) return;
  const token = await send(chosen);
  if (token) ask("open", { upload: token });
}

const READINGS = {
  ids: "Values are numbers of objects",
  colors: "Each color is an object",
  soft: "Shades are soft borders",
  ranks: "Values count in their order, the lowest is the background",
  panoptic: "Colors are numbers, R + 256 G + 65536 B",
};

// Ask what a mask's file leaves open; the promise gives what to ask for next, or null.
async function settled({ clash, unclear }, at) {
  if (unclear) {
    const choices = Object.fromEntries(unclear.readings.map((reading) => [reading, READINGS[reading]]));
    const reading = await question(`${unclear.why}. How is it to be read?`, { ...choices, no: "Cancel" });
    return reading === "no" ? null : { upload: unclear.upload, reading };
  }
  const objects = clash.objects.join(", ");
  const choices = { yes: `Replace object ${objects}`, no: "Cancel" };
  const chosen = await question(`Object ${objects} is given in frame ${at} already.`, choices);
  return chosen === "yes" ? { upload: clash.upload, replace: true } : null;
}

async function giveMask(chosen) {
  if (sending) return tell("Wait for what is being done.");
  const at = current(), token = chosen && await send(chosen);
  if (!token) return;
  busy(`Reading ${chosen.name} …`);
  let asked = { upload: token, number: at };
  while (asked) {
    const answer = await ask("mask", asked);
    const more = answer.clash || answer.unclear ? await settled(answer, at) : null;
    asked = more && { ...asked, ...more };
  }
  busy(null);
}

maskChoice.onchange = () => {
  giveMask(maskChoice.files[0]);
  maskChoice.value = "";
};

choice.onchange = () => {
  const chosen = choice.files[0];
  upload(chosen);
  choice.value = ""; // So that the same file can be chosen again.
};
element.ondragover = (event) => event.preventDefault();
element.ondrop = (event) => {
  event.preventDefault();
  upload(event.dataTransfer.files[0]);
};

for (const name of props.examples) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.onclick = once(async () => { if (await mayReplace(name)) ask("open", { example: name }); });
  find(".examples").append(button);
}

function renderOffers() {
  if (!isNew("offers", offers)) return;
  find(".offers").replaceChildren(...offers.map(({ token, title, done, frames, open }) => {
    const [row, on, away] = ["li", "button", "button"].map((name) => document.createElement(name));
    on.textContent = `Go on with ${title}, ${done} of ${ofFrames(frames)} segmented`;
    on.onclick = once(() => ask("go on", { work: token }));
    away.textContent = "×";
    away.title = away.ariaLabel = `Remove ${title}`;
    away.onclick = async () => {
      const shown = open ? " It seems to be open in another window." : "";
      const chosen = await question(`Remove ${title} and what you made of it?${shown}`, { yes: "Remove", no: "Keep" });
      if (chosen === "yes") ask("discard", { work: token });
    };
    for (const button of [on, away]) button.type = "button";
    row.append(on, away);
    return row;
  }));
}

function renderDownload() {
  const link = find(".download"), ready = Boolean(session.archive && session.current && !task);
  link.setAttribute("aria-disabled", !ready);
  const some = session.done < frames() ? ` ${session.done} of ${ofFrames(frames())}` : "";
  link.textContent = `Download${ready ? some : ""}`;
  if (ready) {
    link.href = file(session.archive);
    link.download = session.archive.split("/").at(-1);
  } else {
    link.removeAttribute("href");
  }
  const old = session.archive && !session.current && !task;
  find(".hint").textContent = old ? "The results to download are of before the last change." : "";
}

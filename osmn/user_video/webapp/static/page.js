// What the page shows of the server's answers.
const OFTEN = 250, SELDOM = 60000; // ms between looks, while something is waited for, and else
let keep = 0, clicks = false, words = null, timer = null, choosing = false;

function apply(answer) {
  if (answer.problem) tell(answer.problem);
  const before = session && session.token, waited = task;
  ({ session, task, offers, keep, clicks } = answer);
  for (const name of ["click", "away"]) find(`[data-tool="${name}"]`).hidden = !clicks;
  if (before && !session) {
    tellGone(before, video.title);
    end();
  }
  if (session && session.video && session.token !== before) begin(session.video);
  if (answer.picture && session) showPicture(answer.picture);
  if (answer.note) find(".note").textContent = answer.note;
  if (answer.live && live) showLive(answer.live);
  if (waited && !task && waited.phase !== "opening" && session) endRun();
  render();
  schedule();
}

// What the page showed may have gone while the page slept, or to another window.
function tellGone(token, title) {
  if (offers.some((offer) => offer.token === token)) {
    tell(`${title} is shown in another window now. It can be brought back here.`);
  } else {
    const how = keep > 0 ? `for ${inMinutes(keep)} after its page has gone or sleeps` : "only while its page is open";
    tell(`${title} is no more here. Work is kept ${how}, unless another window removes it or the program ends.`);
  }
}

// Where nothing is kept, a reload asks first.
function onLeaving(event) {
  if (!element.isConnected) removeEventListener("beforeunload", onLeaving);
  else if (keep === 0 && session && session.work) event.preventDefault();
}
addEventListener("beforeunload", onLeaving);

function begin(found) {
  stopMovie();
  video = found;
  choosing = false;
  object = session.objects[0] || 1;
  beginPicture(video.size);
  slider.max = number.max = frames() - 1;
  go(session.done && session.done < frames() ? session.done - 1 : 0);
  setTimeout(() => pen.focus({ preventScroll: true })); // Once it is shown.
}

function end() {
  stopMovie();
  endPicture();
  live = false;
  video = null;
}

function endRun() {
  go(live && session.done ? Math.min(current(), session.done - 1) : current());
}

function schedule() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (!element.isConnected) return;
    if (waiting) return schedule();
    look();
  }, task ? OFTEN : SELDOM);
}

const look = () => ask("look", { live, seen: live && shown === null ? current() : null });

// Who comes back to the page, or opens the laptop, sees how it is by now.
function onSeen() {
  if (!element.isConnected) document.removeEventListener("visibilitychange", onSeen);
  else if (document.visibilityState === "visible" && !waiting) look();
}
document.addEventListener("visibilitychange", onSeen);

function tell(problem) {
  // A sentence; a file's name stays as it is.
  const sentence = /^[a-z]+[ ,]/.test(problem) ? problem.charAt(0).toUpperCase() + problem.slice(1) : problem;
  find(".problem span").textContent = sentence;
  find(".problem").hidden = false;
}
find(".problem button").onclick = () => { find(".problem").hidden = true; };

// Say what is being waited for; null for nothing.
function busy(what) {
  words = what;
  renderStatus();
}

const inSeconds = (seconds) => seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} minutes`;

function waitingFor() {
  if (words) return words;
  if (!task) return null;
  const { phase, ahead, title, count, total, number: at, left } = task;
  if (phase === "opening" && !count) return `Reading ${title} …`;
  if (phase === "opening") return `Reading ${title}: ${total ? `${count} of about ${total} frames` : ofFrames(count)}`;
  if (phase === "waiting") {
    const others = ahead > 1 ? `${ahead} videos of other visitors are` : "the video of another visitor is";
    return `Waiting: ${others} segmented before yours`;
  }
  if (phase === "preparing") return "Preparing the network …";
  if (phase === "finishing") return "Writing the film with the objects, and the file to download …";
  const way = phase === "backward" ? ", backward" : "";
  return `Segmenting frame ${at} ${ofAll()}${way}${left === null ? "" : `, about ${inSeconds(left)} left`}`;
}

function advice() {
  if (!session.objects.length) {
    const how = clicks ? "drag a box around it, click on it," : "drag a box around it,";
    return [`Show an object in the picture: ${how} or paint it.`, ...video.remarks].join(" ");
  }
  if (session.current && session.done === frames()) {
    const lost = session.found.map((words) => ` O${words.slice(1)}.`).join("");
    const next = `${frames() === 1 ? "W" : "Play them; w"}here an object is wrong, correct it and segment again.`;
    return `${frames() === 1 ? "The frame is" : `All ${frames()} frames are`} segmented.${lost} ${next}`;
  }
  if (session.current) {
    return `Stopped: ${session.done} of ${frames()} frames are segmented. Correct what is wrong, or segment on.`;
  }
  if (session.done && session.outdated < frames()) return `Segment again: from frame ${session.outdated} on.`;
  if (session.done) return "Segment again, for the film in the new colors.";
  return "Segment when every object is shown, each in the first frame in which it is seen.";
}

function renderStatus() {
  const what = waitingFor(), bar = find("progress");
  find(".wait span").textContent = what || "";
  find(".wait").hidden = !what || !find(".work").hidden;
  find(".halt").hidden = !sending && !task;
  if (!session) return;
  find(".status").textContent = what || advice();
  find(".status").classList.toggle("busy", Boolean(what));
  bar.hidden = !task || task.phase === "opening";
  if (task && task.phase === "segmenting") bar.value = (task.number + 1) / frames();
  else if (task && task.phase === "finishing") bar.value = 1;
  else bar.removeAttribute("value");
  const running = Boolean(task && task.phase !== "opening"), focused = document.activeElement;
  find(".segment").hidden = running;
  find(".stop").hidden = !running;
  find(".segment").disabled = Boolean(task) || !session.objects.length;
  if (running && focused === find(".segment")) find(".stop").focus(); // The one is in the other's place.
  else if (!running && focused === find(".stop")) find(".segment").focus();
}

function renderFrame() {
  if (!session) return;
  find(".clear-frame").disabled = !session.given.some(({ frame }) => frame === current());
  find(".clear-object").disabled = !session.objects.includes(object);
  find(".clear-object").textContent = `Clear object ${object}`;
  find(".clear-all").disabled = !session.given.length;
}

function render() {
  const working = Boolean(session) && !choosing;
  find(".work").hidden = !working;
  find(".start").hidden = working;
  find(".back").hidden = !session;
  find(".other").hidden = !working;
  find(".title").textContent = working ? `${video.title}, ${ofFrames(frames())} of ${video.size.join("x")}` : "";
  find(".limits").textContent = `Of up to ${props.most} MB. ` + (keep > 0
    ? `It stays here for ${inMinutes(keep)} after you leave, and is then removed.` : "It is removed when you leave.");
  renderOffers();
  if (session) {
    find(".undo").disabled = !session.undo;
    find(".redo").disabled = !session.redo;
    renderObjects();
    renderGiven();
    renderTimeline();
    renderDownload();
    renderFrame();
  }
  renderStatus();
}

find(".other").onclick = () => { choosing = true; stopMovie(); render(); choice.focus(); };
find(".back").onclick = () => { choosing = false; render(); };
find(".segment").onclick = once(async () => {
  stopMovie();
  live = true;
  const answer = await ask("segment", { both: find("[name=both]").checked });
  if (answer.problem) live = false;
});
find(".halt").onclick = () => { if (sending) sending.abort(); else ask("stop"); };
find(".stop").onclick = once(() => ask("stop"));

chooseTool("box");
ask("look").then(resume);

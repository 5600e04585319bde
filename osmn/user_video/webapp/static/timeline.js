// The one timeline: stepping, playing, and marks of given frames, of lost objects, and of how far it is segmented.
const slider = find("[name=frame]"), number = find("[name=number]");
let live = false, wanted = null, going = null; // `live`: the newest segmented frame is shown.

const frames = () => video.seconds.length;
const current = () => Number(slider.value);
const ofAll = (to = "–") => `of 0${to}${frames() - 1}`; // Frames count from 0, as the masks' names do.

function setFrame(at) {
  slider.value = number.value = at;
  picture.classList.toggle("coming", shown !== at);
  slider.setAttribute("aria-valuetext", `Frame ${at} ${ofAll(" to ")}`);
  renderFrame();
}

// Go to a frame; while one is fetched, only the last one that was asked for comes next.
function go(to) {
  if (!video || !Number.isFinite(to)) return Promise.resolve();
  live = false;
  wanted = Math.min(Math.max(Math.round(to), 0), frames() - 1);
  setFrame(wanted);
  going ||= (async () => {
    while (wanted !== null) {
      const next = wanted;
      wanted = null;
      await ask("show", { number: next });
    }
    going = null;
  })();
  return going;
}

slider.oninput = () => { stopMovie(); go(Number(slider.value)); };
number.onchange = () => {
  stopMovie();
  go(Number(number.value));
  pen.focus({ preventScroll: true }); // Keys are for the picture again.
};

function frameAt(seconds) {
  let low = 0, high = frames(); // The last frame that begins at or before this time.
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (video.seconds[middle] <= seconds + 1e-3) low = middle;
    else high = middle;
  }
  return low;
}

// Play from the frame that is shown: the overlay as far as there is one, else the video alone.
function play() {
  if (!video) return;
  live = false;
  const at = movie.hidden ? (current() === frames() - 1 ? 0 : current()) : frameAt(movie.currentTime);
  const bare = element.classList.contains("bare");
  const source = file(!bare && session.overlay && at < session.done ? session.overlay : video.preview);
  if (movie.getAttribute("src") !== source) movie.src = source;
  movie.currentTime = video.seconds[at] + 1e-3;
  movie.hidden = false;
  movie.play().catch(() => stopMovie());
  find(".play").textContent = "Pause";
  requestAnimationFrame(follow);
}

function follow() {
  if (movie.hidden || movie.paused) return;
  if (!movie.seeking && movie.readyState > 1) setFrame(frameAt(movie.currentTime));
  requestAnimationFrame(follow);
}

function stopMovie() {
  if (movie.hidden) return;
  movie.pause();
  movie.hidden = true;
  find(".play").textContent = "Play";
}

// The picture under the film becomes the frame at which it was paused, before the film is taken away.
async function pauseMovie() {
  const at = movie.ended ? current() : frameAt(movie.currentTime);
  movie.pause();
  await go(at);
  stopMovie();
}
movie.onended = () => {
  const end = frameAt(movie.currentTime);
  if (movie.src.endsWith("overlay.mp4") && session.done < frames()) setFrame(session.done - 1);
  else setFrame(end);
  pauseMovie();
};

movie.onclick = () => pauseMovie();

const playOrPause = () => { if (movie.hidden) play(); else pauseMovie(); };
find(".play").onclick = playOrPause;

const share = (at) => `${100 * at / Math.max(1, frames() - 1)}%`;

function mark(kind, title, first, last = first, jumps = false) {
  const made = document.createElement(jumps ? "button" : "div");
  made.className = kind;
  made.title = title;
  made.style.left = share(first);
  if (last > first) made.style.width = share(last - first);
  if (jumps) {
    made.type = "button";
    made.tabIndex = -1; // The list of given frames is reached by Tab.
    made.onclick = () => { stopMovie(); go(first); };
  }
  find(".marks").append(made);
}

function renderTimeline() {
  if (!isNew("timeline", session.token, session.given, session.done, session.lost)) return;
  slider.max = number.max = frames() - 1;
  find(".count").textContent = ofAll();
  find(".marks").replaceChildren();
  if (session.done) mark("done", `Segmented: ${session.done} of ${ofFrames(frames())}`, 0, session.done - 1);
  for (const { object: id, first, last } of session.lost) {
    mark("lost", `Object ${id} is lost: frame ${first} to ${last}`, first, last, true);
  }
  for (const { frame, objects } of session.given) {
    mark("given-mark", `Given in frame ${frame}: object ${objects.join(", ")}`, frame, frame, true);
  }
}

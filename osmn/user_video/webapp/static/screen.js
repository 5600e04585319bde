// Show props.value: {image: data URL} while a video is segmented, then {video: path}; null for nothing yet. When the
// viewer pauses the video, the event 'pause' tells the time.
const image = element.querySelector("img"), video = element.querySelector("video");

function show() {
  const shown = props.value || {};
  image.hidden = !shown.image;
  video.hidden = !shown.video;
  element.querySelector(".empty").hidden = Boolean(shown.image || shown.video);
  if (shown.image) image.src = shown.image;
  if (shown.video) video.src = `gradio_api/file=${encodeURI(shown.video)}`;
  else video.removeAttribute("src");
}

video.onpause = () => {
  if (!video.hidden && !video.ended) trigger("pause", { seconds: video.currentTime });
};

watch("value", show);
show();

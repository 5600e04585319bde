"""Live pictures in `osmn_app.py`: the browser's own camera, by Chromium's fake device, and visitors who come and go."""

import importlib.util
import json

import numpy as np
import pytest

from helpers.live_sessions import Bright, Stay, disc
from helpers.live_streams import until
from helpers.web_page import PATIENCE, served
from osmn.inference.predictor import Predictor
from osmn.user_video.live import in_app, page
from osmn.user_video.live.in_app import MOST_PAGES, SILENT, Cameras
from osmn.user_video.webapp import pointing

SIZE = (128, 96)  # The camera's.
COLOR = (240, 200, 40)


def write_camera(path, pictures):
    """Write the file of Chromium's fake camera: y4m, 8 bits, 4:2:0, even sizes, at ten pictures a second."""
    with path.open("wb") as file:
        file.write("YUV4MPEG2 W{} H{} F10:1 Ip A1:1 C420jpeg\n".format(*SIZE).encode())
        for image in pictures:
            red, green, blue = np.moveaxis(image.astype(float), -1, 0)
            y = 0.257 * red + 0.504 * green + 0.098 * blue + 16
            u = -0.148 * red - 0.291 * green + 0.439 * blue + 128
            v = 0.439 * red - 0.368 * green - 0.071 * blue + 128
            planes = [y, *(part.reshape(SIZE[1] // 2, 2, SIZE[0] // 2, 2).mean(axis=(1, 3)) for part in (u, v))]
            file.write(b"FRAME\n" + b"".join(plane.round().astype(np.uint8).tobytes() for plane in planes))
    return path


@pytest.fixture
def filmed(chromium, tmp_path):
    """Return a browser whose camera sees a bright disc that goes to and fro on a dark ground, and stays at the left."""
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("gradio is not installed (make browser)")
    from playwright.sync_api import sync_playwright

    places = [40, 50, 60, 50]
    camera = write_camera(tmp_path / "camera.y4m", [disc(left)[0] for left in places for _ in range(3)])
    options = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[*options, f"--use-file-for-fake-video-capture={camera}"]
        )
        yield browser
        browser.close()


def pixels(view):
    """Return the picture that the page shows, uint8 (H, W, 3)."""
    found = view.evaluate(
        """() => { const canvas = document.querySelector("canvas.picture");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return [canvas.width, canvas.height, ...data]; }"""
    )
    width, height, *data = found
    return np.reshape(data, (height, width, 4))[..., :3]


def test_the_browsers_camera_is_followed_and_not_mirrored(filmed, tmp_path):
    with served(tmp_path) as (address, _):
        errors, asked = [], []
        context = filmed.new_context(viewport={"width": 1000, "height": 700})
        context.set_default_timeout(1000 * PATIENCE)
        start = context.new_page()
        start.goto(address)
        with context.expect_page() as opened:
            start.get_by_role("link", name="Live camera").click()
        view = opened.value
        view.on("pageerror", lambda error: errors.append(str(error)))
        view.on("request", lambda request: asked.append(request.url))
        view.get_by_role("button", name="Start this browser's camera").click()
        view.wait_for_selector("canvas.picture[data-serial]")
        image = pixels(view)
        height, width = image.shape[:2]
        # The disc is in the left half, on a dark ground: what Chromium makes of a file is looked at, not believed.
        scale = width / SIZE[0]
        assert abs(height - scale * SIZE[1]) <= 2
        bright = image[..., 0] > 150
        places = np.flatnonzero(bright.any(axis=0))
        assert bright.mean() == pytest.approx(np.pi * 20**2 / (SIZE[0] * SIZE[1]), rel=0.25)
        assert places[0] / scale > 12 and places[-1] / scale < 88
        assert np.abs(np.median(image[bright], axis=0) - COLOR).max() < 25 and np.median(image[~bright]) < 45

        area = view.locator("canvas.picture").bounding_box()
        view.get_by_role("button", name="Paint").click()
        view.mouse.move(area["x"] + area["width"] * 0.35, area["y"] + area["height"] * 0.5)
        view.mouse.down()
        view.mouse.move(area["x"] + area["width"] * 0.45, area["y"] + area["height"] * 0.5, steps=4)
        view.mouse.up()
        view.get_by_role("button", name="Follow").click()
        # The model of the test finds the object in every pixel.
        view.wait_for_function(
            """() => { const canvas = document.querySelector("canvas.picture");
            const [red, green] = canvas.getContext("2d").getImageData(4, 4, 1, 1).data;
            return red > green + 80; }"""
        )
        view.wait_for_function(
            "() => /[1-9][0-9.]* frames.s, [0-9]+ ms late/.test(document.querySelector('.numbers').innerText)"
        )
        view.screenshot(path=tmp_path / "live.png")
        view.get_by_role("button", name="Stop").click()
        view.wait_for_function("() => document.querySelector('.numbers').innerText.includes('ended')")
        assert errors == [] and all(url.startswith((address, "data:", "blob:")) for url in asked)
        context.close()


# -- Visitors ---------------------------------------------------------------------------------------------------------


class Now:
    seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def cameras(monkeypatch):
    """Return `Cameras` without a server, whose time stands still."""
    monkeypatch.setattr(pointing, "shipped_engine", lambda: Bright())
    now = Now()
    with Cameras(lambda size: Predictor(Stay()), now) as cameras:
        cameras.now = now
        yield cameras
    assert not cameras._pages


def new_page(cameras):
    """Return the token of a new page."""
    answer = cameras.answer("GET", "", {}, {}, b"")
    assert answer.status == 200
    return answer.content.decode().partition("token&quot;: &quot;")[2][:32]


def post(cameras, token, name, content=b"{}"):
    return cameras.answer("POST", name, {"X-Osmn-Token": token, "Host": "a"}, {}, content)


def send(cameras, token, image):
    return post(cameras, token, "picture", page.as_jpeg(image, 95))


@pytest.fixture
def two(cameras):
    return cameras, new_page(cameras), new_page(cameras)


def test_each_visitor_has_a_session_of_their_own(two):
    cameras, first, second = two
    assert first != second
    assert send(cameras, first, disc()[0]).status == 200
    until(lambda: cameras._pages[first][0].session.shown)
    assert post(cameras, second, "still").status == 400  # Nothing of the first one's.
    still = json.loads(post(cameras, first, "still").content)["still"]
    assert b"no more kept" in post(cameras, second, "give", json.dumps({"still": still}).encode()).content


def test_a_camera_that_sends_nothing_is_told_on_its_page_and_not_in_the_apps_terminal(cameras, monkeypatch, caplog):
    monkeypatch.setattr(in_app, "LOST_AFTER", 0.1)
    token = new_page(cameras)
    send(cameras, token, disc()[0])
    until(lambda: cameras._pages[token][0].session.state()["lost"])
    shown = cameras._pages[token][0].session.shown
    send(cameras, token, disc()[0])
    until(lambda: cameras._pages[token][0].session.shown > shown)
    assert not caplog.records


def test_nobody_without_a_token_of_ours_begins_anything(cameras):
    for token in ("", "0" * 32):
        assert send(cameras, token, disc()[0]).status == 403
    token = new_page(cameras)
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = cameras.answer("POST", "stop", {"X-Osmn-Token": token, "Host": "a", **headers}, {}, b"{}")
        assert answer.status == 403
    assert cameras.answer("GET", "stop", {"X-Osmn-Token": token}, {}, b"").status == 405
    assert not cameras._pages


def test_a_page_that_has_gone_is_ended_and_gives_its_place_back(cameras):
    tokens = [new_page(cameras) for _ in range(MOST_PAGES + 1)]
    assert [send(cameras, token, disc()[0]).status for token in tokens] == [200] * MOST_PAGES + [403]
    sessions = [each.session for each, _ in cameras._pages.values()]
    cameras.now.seconds += SILENT / 2
    send(cameras, tokens[0], disc()[0])
    cameras.now.seconds += SILENT / 2
    cameras.sweep()
    assert list(cameras._pages) == tokens[:1]
    assert [session.over.is_set() for session in sessions] == [False] + [True] * (MOST_PAGES - 1)
    assert send(cameras, tokens[-1], disc()[0]).status == 200
    assert send(cameras, tokens[1], disc()[0]).status == 403


def test_a_page_that_was_stopped_is_ended(cameras):
    token = new_page(cameras)
    send(cameras, token, disc()[0])
    assert post(cameras, token, "stop").status == 200
    cameras.sweep()
    assert not cameras._pages


def test_pages_that_never_ask_for_anything_are_forgotten(cameras, monkeypatch):
    monkeypatch.setattr(in_app, "MOST_OPEN", 3)
    tokens = [new_page(cameras) for _ in range(5)]
    assert [send(cameras, token, disc()[0]).status for token in tokens] == [403, 403, 200, 200, 200]

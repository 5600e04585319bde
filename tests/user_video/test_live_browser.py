"""The page of live pictures, in a real browser: headless Chromium, by Playwright, with an engine worked out by hand."""

import numpy as np
import pytest

from helpers.live_sessions import SHAPE, ByHand, disc, site
from helpers.live_streams import until

SECONDS = 1000


class Window:
    """The page in a browser window."""

    def __init__(self, browser, page):
        self.site, self.errors, self.asked = page, [], []
        self.page = browser.new_context(viewport={"width": 1000, "height": 700}).new_page()
        self.page.set_default_timeout(60 * SECONDS)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(page.server.address)

    def _note(self, said):
        if said.type == "error" and "status of 400" not in said.text:  # Which the page tells in words.
            self.errors.append(said.text)

    def picture(self):
        """Wait for a picture."""
        self.page.wait_for_selector("canvas.picture[data-serial]")

    def at(self, x, y):
        """Return where a pixel of the picture is in the window."""
        area = self.page.locator("canvas.picture").bounding_box()
        return area["x"] + (x + 0.5) * area["width"] / SHAPE[1], area["y"] + (y + 0.5) * area["height"] / SHAPE[0]

    def drag(self, *places):
        self.page.mouse.move(*self.at(*places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.at(*place), steps=6)
        self.page.mouse.up()

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def ready(self):
        """Wait until what was done can be followed."""
        self.page.wait_for_selector("button.give:not(:disabled)")

    def follow(self):
        self.ready()
        self.press("Follow")
        self.page.wait_for_selector("button.back:disabled")

    def marked(self):
        """Return the object that each pixel of the still is marked as having, uint8 (H, W), by its color's place."""
        pixels = self.page.evaluate(
            """() => { const canvas = document.querySelector("canvas.labels");
            return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]; }"""
        )
        return np.reshape(pixels, (*SHAPE, 4))[..., 3] > 0

    def says(self, selector, words):
        self.page.wait_for_function(
            "([selector, words]) => document.querySelector(selector).innerText.includes(words)", arg=[selector, words]
        )

    def close(self):
        self.page.context.close()
        assert self.errors == []
        assert [url for url in self.asked if not url.startswith((self.site.server.address, "data:", "blob:"))] == []


@pytest.fixture
def window(browser):
    opened = []

    def open_window(page):
        opened.append(Window(browser, page))
        return opened[-1]

    yield open_window
    assert len(opened) == 1


def labels(page):
    return page.session.tracker.newest().labels


def test_click_follow_correct_remove_stop(window, tmp_path):
    image, there = disc()
    with site() as page:
        view = window(page)
        view.says(".numbers", "0 shown")
        page.send(image)
        view.picture()
        view.page.mouse.click(*view.at(40, 48))
        view.ready()
        assert (view.marked() == there).mean() > 0.98
        view.page.screenshot(path=tmp_path / "still.png")
        view.follow()
        until(lambda: (labels(page) == np.where(there, 1, 0)).mean() > 0.98)
        view.says(".hint", "Followed: 1.")
        for left in (40, 41):
            page.send(disc(left)[0])
        view.says(".numbers", "3 shown, 0 left out")
        # A stroke takes a part away, and another object gets it.
        view.page.keyboard.press("e")
        view.drag((40, 30), (40, 66))
        view.ready()
        assert not view.marked()[48, 40] and view.marked()[48, 25]
        view.page.keyboard.press("2")
        view.page.keyboard.press("p")
        view.drag((40, 30), (40, 66))
        view.page.keyboard.press("Enter")
        view.page.wait_for_selector("button.back:disabled")
        until(lambda: labels(page)[48, 40] == 2)
        page.send(image)
        assert labels(page)[48, 25] == 1 and labels(page)[48, 40] == 2 and not labels(page)[5, 5]
        view.says(".hint", "Followed: 1, 2.")
        view.press("Remove object 2")
        until(lambda: page.frame()[0]["objects"] == [1])
        view.says(".hint", "Followed: 1.")
        view.press("Stop")
        view.says(".numbers", "ended")
        assert page.session.over.is_set()
        view.close()


def test_a_box_an_escape_and_a_problem_that_is_told(window):
    image, there = disc()
    with site(ByHand(waits=True), clicks=False) as page:
        view = window(page)
        page.send(image)
        view.picture()
        assert view.page.get_by_role("button", name="Click").is_hidden()
        view.says(".hint", "The file is played from here on when you press Follow.")
        view.drag((16, 24), (64, 72))
        view.ready()
        assert (view.marked() == there).mean() > 0.97
        view.page.keyboard.press("Escape")
        view.page.wait_for_selector("button.back:disabled")
        assert not view.marked().any() and not page.source.gone
        view.drag((90, 5), (91, 5))
        view.says(".problem", "too small")
        view.drag((16, 24), (64, 72))
        view.follow()
        until(lambda: page.source.gone and labels(page).any())
        assert view.page.locator(".problem").is_hidden()
        view.close()


def test_the_picture_on_the_page_is_the_newest_with_its_objects(window):
    image, there = disc()
    with site() as page:
        view = window(page)
        page.send(image)
        page.session.give({1: there})
        for left in (50, 60, 70):
            page.send(disc(left)[0])
        serial = page.session.tracker.newest().serial
        view.page.wait_for_selector(f'canvas.picture[data-serial="{serial}"]')
        pixel = (
            "([x, y]) => [...document.querySelector('canvas.picture').getContext('2d').getImageData(x, y, 1, 1).data]"
        )
        in_both, of_mask, of_ground = (view.page.evaluate(pixel, place) for place in ([55, 48], [30, 48], [5, 5]))
        assert in_both[0] > 220 and of_mask[0] > of_mask[2] + 60 and max(of_ground[:3]) < 45
        view.close()

"""What the web page asks its server for, and the answers, as the browser sends and gets them."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.moving_square import FRAMES, SIZE, Bright, square, write_square
from osmn.files.images import write_labels
from osmn.inference.predictor import Predictor
from osmn.user_video.webapp import painting, pointing
from osmn.user_video.webapp.actions import Actions
from osmn.user_video.webapp.visitors import Visitors

PATIENCE = 60


class Page:
    """A page in a browser, which asks for one thing after the other."""

    def __init__(self, visitors, key, secret="v" * 32):
        self.visitors, self.key, self.secret, self.token, self.seq = visitors, key, secret, None, 0
        self.actions = Actions(visitors)

    def ask(self, action, **more):
        self.seq += 1
        asked = {"action": action, "seq": self.seq, "id": f"{id(self)} {self.seq}", "token": self.token, **more}
        asked["visitor"] = self.secret
        answer = json.loads(json.dumps(self.actions.answer(self.key, json.loads(json.dumps(asked)))))
        assert answer["seq"] == self.seq
        self.token = answer["session"] and answer["session"]["token"]
        return answer

    def settle(self):
        """Look until nothing is waited for any more; return the last answer."""
        while True:
            answer = self.ask("look")
            if answer["task"] is None:
                return answer
            self.visitors.task(self.key).wait(PATIENCE)

    def upload(self, content, name="bird.mkv"):
        with self.visitors.uploads.coming(name) as (token, path):
            path.write_bytes(content)
        answer = self.ask("open", upload=token)
        return answer if "problem" in answer else self.settle()

    def paint(self, number, labels, where=None):
        stroke = labels if where is None else np.where(where, labels, painting.UNTOUCHED).astype(np.uint8)
        return self.ask("paint", number=number, paint=painting.url_of(stroke))

    def shown(self, number):
        return painting.labels_of(self.ask("show", number=number)["picture"]["paint"], SIZE)


@pytest.fixture
def visitors(monkeypatch):
    monkeypatch.setattr(pointing, "shipped_engine", lambda: None)  # Boxes are GrabCut's.
    with Visitors(lambda size: Predictor(Bright(), size)) as visitors:
        yield visitors


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_square(tmp_path_factory.mktemp("clip") / "bird.mkv").read_bytes()


@pytest.fixture
def page(visitors, video):
    page = Page(visitors, "key")
    page.upload(video)
    return page


ONE = np.where(square(0), np.uint8(1), np.uint8(0))


def test_a_video_is_described_once_and_then_only_what_changes(visitors, video):
    page = Page(visitors, "key")
    assert page.ask("look")["session"] is None
    with visitors.uploads.coming("bird.mkv") as (token, path):
        path.write_bytes(video)
    page.ask("open", upload=token)
    visitors.task("key").wait(PATIENCE)
    told = page.ask("look")["session"]["video"]
    assert told["title"] == "bird.mkv" and told["size"] == list(SIZE) and len(told["seconds"]) == FRAMES
    assert "video" not in page.ask("look")["session"]


def test_painting_segmenting_and_correcting(page):
    state = page.paint(0, ONE)["session"]
    assert state["given"] == [{"frame": 0, "objects": [1]}] and state["undo"] and not state["current"]
    page.ask("segment")
    state = page.settle()["session"]
    assert state["done"] == FRAMES and state["current"] and state["archive"].endswith("bird_masks.zip")
    np.testing.assert_array_equal(page.shown(2), np.where(square(2), 1, 0))
    state = page.paint(4, np.where(square(4), np.uint8(1), np.uint8(0)))["session"]
    assert not state["current"] and [each["frame"] for each in state["given"]] == [0, 4]
    assert state["lost"] == [{"object": 1, "first": 4, "last": 7}]
    assert state["found"] == ["object 1 is lost from frame 4 on"]
    page.ask("segment")
    assert page.settle()["session"]["lost"] == []


def test_a_stroke_changes_what_is_there_by_then_and_no_more(page):
    page.paint(0, ONE)
    page.ask("color", object=1, color="#123456")
    stroke = np.zeros(SIZE[::-1], bool)
    stroke[:6] = True
    page.paint(0, np.full(SIZE[::-1], 2, np.uint8), stroke)
    page.paint(0, np.zeros(SIZE[::-1], np.uint8), np.roll(stroke, 6, axis=0))  # Erased.
    expected = ONE.copy()
    expected[:6], expected[6:12] = 2, 0
    np.testing.assert_array_equal(page.shown(0), expected)
    answer = page.ask("paint", number=0, paint=painting.url_of(expected), picture=True)
    assert answer["picture"]["number"] == 0


def test_undo_and_redo_of_a_box_a_stroke_a_correction_and_a_clear_show_the_frame_of_the_change(page):
    page.ask("box", number=0, object=1, box=[1, 3, 17, 17])
    page.paint(3, np.where(square(3), np.uint8(2), np.uint8(0)), square(3))
    page.ask("clear", number=5)
    states = [page.ask("undo", number=5) for _ in range(3)]
    assert [answer["picture"]["number"] for answer in states] == [5, 3, 0]
    assert [[each["frame"] for each in answer["session"]["given"]] for answer in states] == [[0, 3], [0], []]
    assert not states[-1]["session"]["undo"] and states[-1]["session"]["redo"]
    states = [page.ask("redo", number=5) for _ in range(3)]
    assert [[each["frame"] for each in answer["session"]["given"]] for answer in states] == [[0], [0, 3], []]
    assert "problem" not in page.ask("redo", number=5)  # There is nothing more.


def test_clearing_a_frame_an_object_and_all(page):
    for number in (0, 2):
        page.paint(number, ONE + np.where(square(5), np.uint8(2), np.uint8(0)))
    given = page.ask("clear", frame=2, number=0)["session"]["given"]
    assert given == [{"frame": 0, "objects": [1, 2]}]
    answer = page.ask("clear", object=1, number=0)
    assert answer["session"]["given"] == [{"frame": 0, "objects": [2]}]
    assert set(np.unique(painting.labels_of(answer["picture"]["paint"], SIZE))) == {0, 2}
    assert page.ask("clear", number=0)["session"]["objects"] == []


def test_a_second_box_of_the_same_number_is_refused_unless_it_says_that_it_replaces(page):
    page.ask("box", number=0, object=1, box=[1, 3, 17, 17])
    asked = {"number": 0, "object": 1, "box": [20, 3, 30, 30]}
    answer = page.ask("box", **asked)
    assert "object 1 is in frame 0 already" in answer["problem"]
    np.testing.assert_array_equal(page.shown(0), ONE)


def test_a_masks_file_gives_objects_and_asks_before_it_replaces_what_is_given(page, visitors):
    def upload(labels):
        with visitors.uploads.coming("mask.png") as (token, path):
            write_labels(path, labels)
        return token

    before = set(visitors.folder.iterdir())
    page.paint(0, np.where(square(5), np.uint8(1), np.uint8(0)))
    answer = page.ask("mask", upload=upload(ONE), number=0)
    assert answer["clash"]["objects"] == [1] and answer["session"]["given"] == [{"frame": 0, "objects": [1]}]
    assert not page.shown(0)[square(0)].any()
    answer = page.ask("mask", upload=answer["clash"]["upload"], number=0, replace=True)
    np.testing.assert_array_equal(painting.labels_of(answer["picture"]["paint"], SIZE), ONE)
    assert "shows no object" in page.ask("mask", upload=upload(0 * ONE), number=2)["problem"]
    assert "no more there" in page.ask("mask", upload="none", number=2)["problem"]
    page.ask("undo", number=0)
    np.testing.assert_array_equal(page.shown(0) == 1, square(5))
    assert set(visitors.folder.iterdir()) == before  # The files of masks are removed when they are read.


def test_a_masks_file_that_can_be_read_in_several_ways_asks_which(page, visitors):
    before = set(visitors.folder.iterdir())
    with visitors.uploads.coming("mask.png") as (token, path):
        halves = np.where(np.arange(SIZE[0]) < SIZE[0] // 2, np.uint8(4), np.uint8(6))
        Image.fromarray(halves[None].repeat(SIZE[1], axis=0)).save(path)
    unclear = page.ask("mask", upload=token, number=0)["unclear"]
    assert unclear["readings"] == ["ids", "ranks"] and unclear["why"].startswith("mask.png has no 0")
    wrong = page.ask("mask", upload=unclear["upload"], number=0, reading="tea leaves")
    assert "is read by ids, colors, soft, ranks, panoptic, not by tea leaves" in wrong["problem"]
    answer = page.ask("mask", upload=unclear["upload"], number=0, reading="ids")
    assert answer["session"]["given"] == [{"frame": 0, "objects": [4, 6]}]
    assert set(visitors.folder.iterdir()) == before


def test_a_request_that_comes_again_is_answered_again_and_done_once(page):
    page.paint(0, ONE)
    page.paint(2, ONE)
    first = page.ask("undo", number=0)
    page.seq -= 1
    again = page.ask("undo", number=0)
    assert again == first and [each["frame"] for each in again["session"]["given"]] == [0]
    assert not page.actions.is_doing(f"{id(page)} {page.seq}")


def test_a_reload_finds_the_work_and_a_page_of_before_does_nothing_to_it(page, visitors):
    page.paint(0, ONE)
    after = Page(visitors, "another key")
    (offer,) = after.ask("look")["offers"]
    assert offer["title"] == "bird.mkv" and (offer["done"], offer["frames"], offer["given"]) == (0, FRAMES, 1)
    after.ask("go on", work=offer["token"])
    np.testing.assert_array_equal(after.shown(0), ONE)
    answer = page.ask("clear", number=0)
    assert "choose a video first" in answer["problem"] and answer["session"] is None
    np.testing.assert_array_equal(after.shown(0), ONE)


def test_what_a_page_asks_for_another_video_than_the_one_it_has_by_now_is_not_done(page, video):
    page.paint(0, ONE)
    before = page.token
    page.upload(video)
    page.token = before
    answer = page.paint(0, ONE)
    assert "in another window now" in answer["problem"] and answer["session"]["given"] == []
    assert [offer["token"] for offer in answer["offers"]] == [before]


def test_a_problem_of_what_was_waited_for_is_told_once_and_without_the_folders_of_the_server(page, visitors):
    answer = page.upload(b"Dear Sir", "letter.mp4")
    assert answer["problem"].startswith("letter.mp4 cannot be opened") and str(visitors.folder) not in answer["problem"]
    assert "problem" not in page.ask("look") and page.token is not None


def test_the_newest_frame_is_shown_while_it_is_segmented_and_each_only_once(page, visitors):
    page.paint(0, ONE)
    page.ask("segment")
    visitors.task("key").wait(PATIENCE)
    live = page.ask("look", live=True, seen=None)["live"]
    assert live["number"] == FRAMES - 1 and live["frame"].startswith("data:image/jpeg")
    assert "live" not in page.ask("look", live=True, seen=FRAMES - 1) and "live" not in page.ask("look")


def test_segmenting_without_an_object_is_refused_before_a_turn_is_waited_for(page):
    answer = page.ask("segment")
    assert "show an object first" in answer["problem"] and answer["task"] is None


@pytest.mark.parametrize(
    ("action", "more"),
    [
        *((action, {}) for action in ("show", "paint", "box", "clear", "undo", "color", "open", "go on", "no such")),
        ("show", {"number": 99}),
        ("show", {"number": "1"}),
        ("paint", {"number": 0, "paint": 5}),
        ("paint", {"number": 0, "paint": "data:,"}),
        ("box", {"number": 0, "object": 1, "box": [1, 2]}),
        ("box", {"number": 0, "object": "1", "box": [1, 2, 9, 9]}),
        ("color", {"object": 1, "color": "red"}),
        ("clear", {"frame": 99, "number": 0}),
        ("clear", {"object": [1], "number": 0}),
        ("open", {"upload": {}}),
        ("open", {"example": {}}),
        ("go on", {"work": None}),
    ],
)
def test_whatever_is_asked_wrongly_is_one_sentence_and_changes_nothing(page, action, more):
    page.paint(0, ONE)
    answer = page.ask(action, **more)
    if answer["task"]:
        answer = page.settle()
    assert answer["problem"] and "\n" not in answer["problem"]
    assert answer["session"]["given"] == [{"frame": 0, "objects": [1]}]

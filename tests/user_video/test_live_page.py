"""The page of live pictures, as its server answers: pictures, stills, corrections, and who may ask."""

import base64
import io
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.live_sessions import SHAPE, ByHand, disc, site
from helpers.live_streams import PATIENCE, jpeg, until
from helpers.processes import interrupted
from osmn.errors import InputError
from osmn.user_video.live.options import LiveOptions
from osmn.user_video.live.page import MOST_BYTES, is_same_origin
from osmn.user_video.live.server import Server, is_for_us
from osmn.user_video.live.sources import Pushed


def labels_of(told):
    return np.frombuffer(base64.b64decode(told["labels"]), np.uint8).reshape(SHAPE)


def image_of(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_pictures_come_one_by_one_with_their_objects_and_how_late_they_are():
    image, there = disc()
    with site() as page:
        state, content = page.frame()
        assert content == b"" and state["shown"] == 0  # None has come.
        page.send(image)
        state, content = page.frame()
        assert np.abs(image_of(content) - image).mean() < 8
        assert (state["serial"], state["shown"], state["dropped"], state["objects"]) == (1, 1, 0, [])
        assert 0 <= state["age"] < 1000 * PATIENCE and state["title"] == "by hand é"
        page.session.give({2: there})
        state, content = page.frame(after=1)
        assert state["objects"] == [2] and image_of(content)[there][:, 1].mean() > image[there][:, 1].mean()
        assert page.frame(after=state["serial"])[1] == b""


def test_ctrl_c_ends_the_wait_for_the_first_picture():
    with site() as page, interrupted(page.source.stop):
        page.session.begin()


def test_an_object_is_clicked_on_in_a_still_and_followed():
    image, there = disc()
    with site() as page:
        page.send(image)
        status, still = page.told("still")
        assert status == 200 and (still["width"], still["height"]) == SHAPE[::-1]
        assert np.abs(image_of(base64.b64decode(still["frame"])) - image).mean() < 8
        assert not labels_of(still).any()
        page.send(image)  # Pictures go on.
        status, told = page.told("click", still=still["still"], object=3, x=40, y=48, positive=True)
        assert status == 200 and (labels_of(told) == np.where(there, 3, 0)).mean() > 0.98
        assert page.frame()[0]["objects"] == []  # It is not followed yet.
        assert page.told("give", still=still["still"]) == (200, {})
        until(lambda: page.frame()[0]["objects"] == [3])
        page.send(image)
        assert page.session.tracker.newest().labels[48, 40] == 3
        status, told = page.told("give", still=still["still"])
        assert status == 400 and "no more kept" in told["problem"]


def test_a_correction_by_box_and_paint_changes_its_object_alone():
    image, there = disc()
    with site(clicks=False) as page:
        page.send(image)
        other = np.zeros(SHAPE, bool)
        other[60:90, 90:120] = True
        page.session.give({1: ~there & ~other, 2: other})
        page.send(image)
        _, still = page.told("still")
        where = {"still": still["still"]}
        labels = labels_of(still).copy()
        labels[labels == 1] = 0
        painted = page.ask("POST", f"/paint?still={still['still']}", labels.tobytes(), {"X-Osmn-Token": page.token})
        assert painted[0] == 200
        status, told = page.told("box", **where, object=1, box=[15, 22, 50, 52])
        assert status == 200 and ((labels_of(told) == 1) == there).mean() > 0.97
        assert (labels_of(told) == 2).sum() == other.sum()
        assert page.told("give", **where)[0] == 200
        page.send(image)
        until(lambda: not page.session.tracker.newest().labels[0, 0])
        np.testing.assert_array_equal(page.session.tracker.newest().labels == 2, other)
        assert page.told("remove", object=2)[0] == 200
        until(lambda: page.frame()[0]["objects"] == [1])


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("click", {"object": 0, "x": 1, "y": 1, "positive": True}, "object"),
        ("click", {"object": 1, "x": 500, "y": 1, "positive": True}, "outside the frame"),
        ("click", {"object": 1, "x": 1, "y": 1, "positive": False}, "nothing to take away"),
        ("click", {"object": 1, "positive": True}, "reload"),
        ("box", {"object": 1, "box": [1, 2]}, "a box is"),
        ("box", {"object": 1, "box": [500, 500, 9, 9]}, "outside the frame"),
        ("give", {}, "nothing is changed"),
        ("remove", {"object": "x"}, "object's number"),
        ("nothing", {}, "there is no nothing here"),
        ("click", {"still": "other", "object": 1, "x": 1, "y": 1, "positive": True}, "no more kept"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(name, asked, said):
    with site() as page:
        page.send(disc()[0])
        _, still = page.told("still")
        status, told = page.told(name, **({"still": still["still"]} | asked))
        assert status in (400, 404) and said in told["problem"]
        assert page.frame()[0]["objects"] == [] and page.session.shown == 1


@pytest.mark.parametrize("content", [b"", b"x" * 10, bytes([200]) * (SHAPE[0] * SHAPE[1])])
def test_paint_that_is_none_of_the_still_is_refused(content):
    with site() as page:
        page.send(disc()[0])
        _, still = page.told("still")
        status, _, said = page.ask("POST", f"/paint?still={still['still']}", content, {"X-Osmn-Token": page.token})
        assert status == 400 and b"problem" in said


def test_before_the_first_picture_there_is_nothing_to_point_at():
    with site() as page:
        status, told = page.told("still")
        assert status == 400 and told["problem"]


def test_the_page_waits_for_a_file_until_an_object_is_given_and_stops_it():
    image, there = disc()
    with site(ByHand(waits=True)) as page:
        page.send(image)
        assert page.frame()[0]["waits"] and not page.source.gone
        page.session.give({1: there})
        assert page.source.gone
        assert page.told("stop") == (200, {})
        assert page.session.over.is_set() and page.frame()[0]["over"]


# -- Who may ask ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="what listens is read as Linux has it")
def test_only_this_machine_can_connect_unless_told():
    with site() as page:
        (line,) = [
            each for each in Path("/proc/net/tcp").read_text().split("\n") if f":{page.port:04X} 00000000:0000" in each
        ]
        assert line.split()[1] == f"0100007F:{page.port:04X}"  # 127.0.0.1
    assert LiveOptions("0").host == "127.0.0.1"


@pytest.mark.parametrize("path", ["/", "/live.js", "/frame?after=0"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:7861", "127.0.0.1.evil.example", "192.0.2.7", ""])
def test_a_request_by_another_name_of_this_machine_is_refused(path, host):
    with site() as page:
        status, _, said = page.ask("GET", path, headers={"X-Osmn-Token": page.token, "Host": host})
        assert status == 403 and b"token" not in said


def test_names_of_this_machine_are_taken():
    for name in ("localhost", "localhost:80", "127.0.0.1:7861", "[::1]:7861", "LOCALHOST"):
        assert is_for_us(name, "127.0.0.1")
    assert is_for_us("192.0.2.7:7861", "0.0.0.0") and is_for_us("[2001:db8::1]", "::")
    assert is_for_us(socket.gethostname(), "0.0.0.0") and is_for_us("camera.lan", "camera.lan")
    for name in ("192.0.2.7", "evil.example", "", "[", "localhost.evil.example", "user@localhost@evil.example"):
        assert not is_for_us(name, "127.0.0.1")
    assert not is_for_us("evil.example", "0.0.0.0")


def test_only_the_page_itself_asks():
    assert is_same_origin({"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-origin"})
    assert is_same_origin({"Host": "127.0.0.1:1"})
    for others in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert not is_same_origin({"Host": "127.0.0.1:1", **others})
    with site() as page:
        page.send(disc()[0])
        for headers in (
            {},
            {"X-Osmn-Token": "0" * 32},
            {"X-Osmn-Token": page.token, "Origin": "http://evil.example"},
            {"X-Osmn-Token": page.token, "Sec-Fetch-Site": "cross-site"},
        ):
            for method, path in (("POST", "/stop"), ("POST", "/remove"), ("GET", "/frame?after=0")):
                assert page.ask(method, path, b"{}" if method == "POST" else None, headers)[0] == 403
        assert not page.session.over.is_set()
        assert page.ask("GET", "/stop", headers={"X-Osmn-Token": page.token})[0] == 405


def test_answers_may_not_be_framed_kept_or_taken_for_something_else():
    with site() as page:
        for path in ("/", "/live.js", "/live.css", "/nothing"):
            status, headers, _ = page.ask("GET", path)
            assert status == (403 if path == "/nothing" else 200)
            assert headers["X-Frame-Options"] == "DENY" and "default-src 'self'" in headers["Content-Security-Policy"]
            assert headers["Cache-Control"] == "no-store" and "Access-Control-Allow-Origin" not in headers
        assert page.ask("GET", "/../page.py")[0] == page.ask("GET", "//etc/passwd")[0] == 403


def test_a_request_that_is_too_large_or_of_unknown_length_is_not_read():
    with site() as page:
        for length, status in ((str(MOST_BYTES + 1), b"413"), ("-1", b"411"), ("x", b"411"), (None, b"411")):
            with socket.create_connection(("127.0.0.1", page.port), timeout=PATIENCE) as connection:
                head = f"POST /paint HTTP/1.1\r\nHost: localhost\r\nX-Osmn-Token: {page.token}\r\n"
                head += "Transfer-Encoding: chunked\r\n" if length is None else f"Content-Length: {length}\r\n"
                connection.sendall(head.encode() + b"\r\n")
                said = b""
                while part := connection.recv(4096):
                    said += part
                assert said.startswith(b"HTTP/1.1 " + status)  # And the connection is closed.


def test_a_visitor_who_goes_in_the_middle_is_nobodys_error(capfd):
    with site() as page:
        page.send(disc()[0])
        for _ in range(3):
            connection = socket.create_connection(("127.0.0.1", page.port), timeout=PATIENCE)
            connection.sendall(
                f"GET /frame?after=1 HTTP/1.1\r\nHost: localhost\r\nX-Osmn-Token: {page.token}\r\n\r\n".encode()
            )
            connection.close()
        time.sleep(0.1)
        assert page.frame()[0]["shown"] == 1
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_and_an_address_that_is_none_are_one_line():
    with site() as page, pytest.raises(InputError, match="cannot be listened on; give another --port or --host"):
        Server("127.0.0.1", page.port)
    for host in ("a b", "999.1.1.1", "é" * 70):
        with pytest.raises(InputError, match="is no address; give one of this machine"):
            Server(host, 0)


# -- The browser's own camera -----------------------------------------------------------------------------------------


def test_a_browser_sends_its_camera_and_its_pictures_keep_one_size(caplog):
    source = Pushed(0.2)
    with site(source) as page:
        send = {"X-Osmn-Token": page.token}
        assert page.ask("POST", "/picture", jpeg(100, (128, 96)), send)[0] == 200
        until(lambda: page.session.shown == 1)
        assert page.ask("POST", "/picture", jpeg(150, (64, 48)), send)[0] == 200
        until(lambda: page.session.shown == 2)
        assert page.session.tracker.newest().frame.shape == (96, 128, 3)
        assert abs(page.session.tracker.newest().frame.mean() - 150) < 3
        until(lambda: source.lost)
        assert page.frame()[0]["lost"]
        page.ask("POST", "/picture", jpeg(100), send)
        until(lambda: page.session.shown == 3)
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("the browser's camera: no picture for")
    assert "; it goes on when the page sends some, Ctrl-C ends it" in first
    assert second.startswith("the browser's camera is back")


def test_what_is_no_picture_of_a_camera_is_refused():
    bomb = bytearray(jpeg(100))
    place = bomb.index(b"\xff\xc0") + 5
    bomb[place : place + 4] = b"\xff\xff\xff\xff"  # 65535x65535.
    with site(Pushed(5.0)) as page:
        for content in (b"", b"hello", bytes(bomb), jpeg(100)[:40]):
            status, _, said = page.ask("POST", "/picture", content, {"X-Osmn-Token": page.token})
            assert status == 400 and b"is no picture" in said
        assert page.session.shown == 0
    with site() as page:
        assert page.ask("POST", "/picture", jpeg(100), {"X-Osmn-Token": page.token})[0] == 400

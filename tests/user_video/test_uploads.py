"""Uploads, by the routes of the page's server: each in a folder of its own from its first byte on."""

import asyncio

import pytest

pytest.importorskip("starlette", reason="gradio is not installed (make browser)")

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from osmn.user_video.webapp.receiving import PATH, routes
from osmn.user_video.webapp.uploads import Uploads, file_name

MOST = 5000


@pytest.fixture
def uploads(tmp_path):
    return Uploads(tmp_path)


@pytest.fixture
def server(uploads):
    return Starlette(routes=routes(uploads, MOST, {"at work"}.__contains__))


@pytest.fixture
def client(server):
    return TestClient(server)


def test_an_upload_is_stored_under_its_name_in_a_folder_that_its_token_does_not_tell(client, uploads, tmp_path):
    answers = [client.post(PATH, params={"name": "my dog é.mp4"}, content=b"frames") for _ in range(2)]
    tokens = [answer.json()["token"] for answer in answers]
    paths = [uploads.take(token) for token in tokens]
    assert [path.read_bytes() for path in paths] == [b"frames"] * 2
    assert all(path.name == "my dog é.mp4" for path in paths) and paths[0].parent != paths[1].parent
    assert not any(token in str(path) for token in tokens for path in paths)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\fakepath\\dog.mp4", "dog.mp4"),
        *((name, "video") for name in ("", ".", "..", "/", "a/..", "\0\n")),
        (".hidden", "hidden"),
        ("a\0b\n.mp4", "ab.mp4"),
        ("x" * 400 + ".mp4", "x" * 116 + ".mp4"),
        ("é" * 400 + ".mp4", "é" * 116 + ".mp4"),
        ("漢" * 400 + ".mp4", "漢" * 82 + ".mp4"),
        ("\ud800.mp4", "?.mp4"),
    ],
)
def test_any_name_is_stored_inside_its_folder(tmp_path, name, stored):
    assert file_name(name) == stored
    (tmp_path / stored).write_text("it can be stored")


def streamed(*chunks):
    yield from chunks


@pytest.mark.parametrize("content", [bytes(MOST + 1), streamed(bytes(MOST), b"1")])
def test_what_is_too_large_is_refused_and_leaves_nothing(client, tmp_path, content):
    answer = client.post(PATH, params={"name": "long.mp4"}, content=content)
    assert answer.status_code == 413 and "the most that this page takes" in answer.text
    assert not list(tmp_path.iterdir())


def test_an_upload_of_the_largest_size_is_taken(client):
    assert client.post(PATH, params={"name": "a.mp4"}, content=bytes(MOST)).status_code == 200


def test_what_is_cut_off_leaves_nothing(server, uploads, tmp_path):
    seen = []

    async def receive():
        if seen:
            raise ClientDisconnect
        seen.append(True)
        return {"type": "http.request", "body": b"half of it", "more_body": True}

    async def send(message):
        assert seen

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "query_string": b"name=a.mp4"}
    asyncio.run(server(scope, receive, send))
    assert seen and not list(tmp_path.iterdir()) and not uploads.folders


def test_other_sites_cannot_upload_and_gradios_own_way_is_shut(client, tmp_path):
    assert client.post(PATH, content=b"1", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.post("/gradio_api/upload", files={"files": b"1"}).status_code == 404
    assert client.get(PATH).status_code == 405
    assert not list(tmp_path.iterdir())


def test_a_page_learns_whether_its_request_is_being_answered(client):
    answers = [client.get("/osmn/doing", params={"id": each}).json() for each in ("at work", "lost")]
    assert answers == [{"doing": True}, {"doing": False}]


def test_a_full_disk_is_told_and_leaves_nothing(client, tmp_path, monkeypatch):
    from osmn.user_video.webapp import receiving

    async def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(receiving.anyio, "open_file", full)
    answer = client.post(PATH, params={"name": "a.mp4"}, content=b"1")
    assert answer.status_code == 507 and "no room" in answer.text
    assert not list(tmp_path.iterdir())

"""Reports of results whose scores are worked out by hand, read from the page by an HTML parser and by a browser."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import davis_eval
import ytvos_eval
from helpers.davis_results import write_davis, write_score_files
from helpers.report_pages import Page, manifest, report, squares, write_frames, write_sequence
from helpers.scripts import error, words
from osmn.files.images import write_labels
from osmn.report import choice, figures
from osmn.report.__main__ import main

HOSTILE = "<script>alert(1)</script>&\"'"


# -- What is in the page ----------------------------------------------------------------------------------------------


def test_the_table_holds_the_scores_of_every_object(root):
    headings, *lines = report(root).rows("objects")
    assert headings == ["sequence", "object", "frames", "J&F", "J", "F", "lowest J", "in frame"]
    by_object = {(line[0], line[1]): dict(zip(headings, line, strict=True)) for line in lines}
    assert list(by_object) == [("one", "1"), ("one", "2"), ("two", "1"), ("two", "2")]
    bad = by_object["one", "2"]
    assert (bad["frames"], bad["J"], bad["lowest J"], bad["in frame"]) == ("3", "0.500", "0.250", "00002")
    assert float(bad["J&F"]) == pytest.approx((0.5 + float(bad["F"])) / 2, abs=1e-3)
    assert by_object["two", "1"]["J&F"] == "1.000"


def test_the_headline_is_that_of_davis_eval(root, capsys):
    davis_eval.main(words(root / "davis", root / "results", 2017, "val", "--report"))
    printed = capsys.readouterr().out
    page = Page(root / "results/report.html")
    assert f"report: {root}/results/report.html" in printed
    items = dict(re.fullmatch(r"(\D+)([\d.]+)", text).groups() for text in page.texts("li"))
    miu, j_and_f = (printed.partition(f"{name}: ")[2].split()[0] for name in ("mIU", "J&F"))
    assert items["J mean"] == miu == "0.875"
    assert items["J&F"] == j_and_f
    assert (root / "results/iou.txt").read_text().endswith("all 0.8750\n")


def test_the_worst_frame_is_the_one_that_was_damaged(root):
    page = report(root)
    # By J, from 1/4 to 3/4: the frames of the one object that is not perfect.
    assert [(frame, i, text[:7]) for frame, i, text in page.worst()] == [
        ("00002", 2, "J 0.250"),
        ("00003", 2, "J 0.500"),
        ("00001", 2, "J 0.750"),
    ]
    assert page.texts("p").count("Every frame is perfect.") == 1


def test_worst_frames_and_a_contact_sheet_are_shown_with_result_and_truth(root):
    pictures = report(root).pictures()
    assert {image.size for _, image in pictures} == {(12, 12)}
    worst, sheets = pictures[: 3 * 3], pictures[3 * 3 :]
    assert [alt for alt, _ in worst] == ["frame", "result", "truth"] * 3
    assert [alt for alt, _ in sheets] == ["result", "truth"] * 3 * 2  # The three scored frames of both sequences.


def test_pictures_show_the_masks_of_result_and_truth(root):
    page = report(root)
    frame, result, truth = (np.asarray(image, int) for _, image in page.pictures()[:3])
    lost = np.s_[9:11, 7:9]  # Inside the square of object 2, below the row that is left.
    assert np.abs(result[lost] - frame[lost]).max() < 40 < np.abs(truth[lost] - frame[lost]).max()


def test_each_object_has_a_line_and_a_worst_frame(tmp_path):
    kept = [(4, 4), (4, 3), (1, 4), (4, 4), (4, 2), (4, 4), (4, 4)]
    write_sequence(tmp_path, "seq", kept)
    page = report(tmp_path)
    assert [(frame, i) for frame, i, _ in page.worst()] == [("00002", 1), ("00004", 2), ("00001", 2)]
    assert any(text.endswith("· 5 frames · 2 objects") for text in page.texts("span"))
    (curves,) = [element for element in page.elements if element[1].get("aria-label") == "J over time"]
    assert {"object", "1", "2", "00001", "00005"} <= set(curves[2].split())
    assert figures.object_color(1) in page.source and figures.object_color(2) in page.source


def test_bars_are_named_and_the_lowest_is_first(root):
    page = report(root)
    (bars,) = [
        element[2].split() for element in page.elements if element[1].get("aria-label") == "scores of the sequences"
    ]
    assert bars.index("one") < bars.index("two")
    assert {"0.750", "1.000"} <= set(bars)  # J of both.


def test_results_as_score_files_have_the_pictures_and_numbers_of_merged_pngs(root):
    merged = report(root)
    for name, kept in (("one", [(4, 4), (4, 3), (4, 1), (4, 2), (4, 4)]), ("two", [(4, 4)] * 5)):
        write_score_files(root / "scores" / name, [squares(rows) for rows in kept], (1, 2))
    scores = report(root, results="scores")
    assert scores.rows("objects") == merged.rows("objects")
    assert [element[1] for element in scores.elements] == [element[1] for element in merged.elements]


def test_davis_2016_has_one_object(tmp_path):
    write_sequence(tmp_path, "seq", [(4, 4), (4, 0), (4, 4), (4, 4)], version=2016)
    page = report(tmp_path, "--data_version", 2016)
    assert page.texts("h1") == ["DAVIS 2016, val"]
    (line,) = page.rows("objects")[1:]
    assert [*line[:3], line[4]] == ["seq", "1", "2", "0.750"]  # J is 1/2 and 1.
    assert [(frame, i) for frame, i, _ in page.worst()] == [("00001", 1)]
    assert any(text.endswith("· 2 frames · 1 object") for text in page.texts("span"))


def test_frames_of_the_full_resolution_are_shown_where_there_are_no_others_and_made_small(root):
    (root / "davis/JPEGImages/480p").rename(root / "davis/JPEGImages/Full-Resolution")
    write_frames(root / "davis/JPEGImages/Full-Resolution/one", [f"{t:05d}" for t in range(5)], (1920, 1080))
    sizes = {image.size for _, image in report(root).pictures()}
    assert sizes == {(320, 180), (176, 99), (12, 12)}


# -- Two results ------------------------------------------------------------------------------------------------------


def test_differences_to_another_result_are_sorted_from_loss_to_gain(root):
    page = report(root, "--against", root / "better")
    headings, *lines = page.rows("differences")
    assert headings == ["sequence", "result", "other", "difference"]
    assert [line[0] for line in lines] == ["one", "two"]
    loss, gain = (float(line[3]) for line in lines)
    assert loss < 0 < gain
    for _, result, other, difference in lines:
        assert float(difference) == pytest.approx(float(result) - float(other), abs=2e-3)
    backwards = report(root, "--against", root / "results", results="better")
    assert [line[0] for line in backwards.rows("differences")[1:]] == ["two", "one"]
    assert float(backwards.rows("differences")[1][3]) == pytest.approx(-gain)


def test_two_results_are_shown_side_by_side(root):
    page = report(root, "--against", root / "better")
    assert [alt for alt, _ in page.pictures()][:4] == ["frame", "result", "other", "truth"]
    frame, object_id, scores = page.worst()[0]
    assert (frame, object_id) == ("00002", 2)
    assert re.fullmatch(r"J 0\.250 F \S+, other J 1\.000 F 1\.000", scores)
    headings, *lines = page.rows("objects")
    assert [line[headings.index("other J&F")] for line in lines][:2] == ["1.000", "1.000"]


def test_sequences_that_another_result_lacks_are_all_named(root, capsys):
    write_sequence(root, "three", [(4, 4)] * 3)
    shutil.rmtree(root / "better/two")
    line = error(capsys, main, root / "results", root / "davis", "--against", root / "better")
    assert line.startswith(f"error: {root}/better/two does not exist, nor do those of three;")
    assert not (root / "results/report.html").exists()


def test_the_options_of_the_run_are_shown_and_those_that_differ_are_marked(root):
    manifest(root / "results", im_size=[64, 48], crf_postprocessing=False)
    assert dict(report(root).rows("options")[1:]) == {
        **{"program": "osmn", "model": "m", "model_sha256": "abc", "config: im_size": "[8, 8]"},
        **{"options: im_size": "[64, 48]", "options: crf_postprocessing": "false"},
    }
    manifest(root / "better", im_size=[64, 48], crf_postprocessing=True)
    page = report(root, "--against", root / "better")
    assert ["options: crf_postprocessing", "false", "true"] in page.rows("options")
    marked = [text for _, attributes, text in page.elements if attributes.get("class") == "differs"]
    assert marked == ["options: crf_postprocessingfalsetrue"]


def test_results_without_a_manifest_say_so(root):
    page = report(root)
    assert page.rows("options") == []
    assert any("results has no run.json" in text for text in page.texts("p"))


def test_the_version_is_that_of_the_manifest(tmp_path):
    write_sequence(tmp_path, "seq", [(4, 4)] * 4, version=2016)
    manifest(tmp_path / "results", data_version=2016)
    assert report(tmp_path).texts("h1") == ["DAVIS 2016, val"]


# -- The page stands alone --------------------------------------------------------------------------------------------


def test_nothing_is_fetched(root):
    page = report(root, "--against", root / "better")
    assert "http://" not in page.source and "https://" not in page.source
    for tag, attributes, _ in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
        for value in attributes.values():
            assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", value or ""))
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", page.source)
    targets = {attributes["id"] for _, attributes, _ in page.elements if "id" in attributes}
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert len(ids) == len(targets)
    for _, attributes, _ in page.elements:
        assert attributes.get("href", "#")[1:] in {"", *targets}


def test_names_from_files_are_texts_and_never_elements(held_out, capsys):
    hostile = HOSTILE.replace("/", "|")
    path = held_out / "data/train/meta.json"
    meta = json.loads(path.read_text())
    meta["videos"][hostile] = meta["videos"].pop("a")
    meta["videos"][hostile]["objects"]["1"]["category"] = HOSTILE
    path.write_text(json.dumps(meta))
    for folder in ("data/train/JPEGImages", "data/train/Annotations", "results"):
        (held_out / folder / "a").rename(held_out / folder / hostile)
    manifest(held_out / "results", data_path=HOSTILE, **{HOSTILE: 1})
    ytvos_eval.main(words(held_out / "data", held_out / "results", "train", "--report"))
    page = Page(held_out / "results/report.html")
    assert len([tag for tag, *_ in page.elements if tag == "script"]) == 1
    assert "<script>alert" not in page.source and "alert(1)</script>" not in page.source
    names = [(line[0], line[2]) for line in page.rows("objects")[1:]]
    assert (hostile, HOSTILE) in names
    assert page.texts("h3").count(hostile) == 1
    assert [f"options: {HOSTILE}", "1"] in page.rows("options")
    assert ["options: data_path", HOSTILE] in page.rows("options")


def test_the_same_results_make_the_same_page(root):
    assert report(root).source == report(root).source


def test_of_very_many_sequences_those_with_the_lowest_scores_have_pictures(root, monkeypatch):
    monkeypatch.setattr("osmn.report.page.MOST_PICTURED", 1)
    shown = report(root)
    headings = [text for tag, _, text in shown.elements if tag in ("h3", "h4")]
    assert headings == ["one", "Worst frames", "From the first frame to the last: result above truth", "two"]
    assert any("1 others have none" in text for text in shown.texts("p"))


def test_many_frames_and_objects_do_not_make_a_large_page(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (480, 854, 3), np.uint8)  # What JPEG is worst at.
    labels = [np.zeros((48, 85), np.uint8) for _ in range(40)]
    for t, frame in enumerate(labels):
        for i in range(1, 8):
            frame[6 * i - 4 : 6 * i, t : t + 20] = i
    write_davis(tmp_path / "davis", labels)
    (tmp_path / "davis/JPEGImages/480p/seq").mkdir(parents=True)
    for t in range(40):
        Image.fromarray(noise).save(tmp_path / f"davis/JPEGImages/480p/seq/{t:05d}.jpg")
        write_labels(tmp_path / f"results/seq/{t:05d}.png", np.roll(labels[t], t % 7, axis=1))
    page = report(tmp_path)
    assert len(page.pictures()) <= 3 * choice.MOST_WORST + 2 * choice.FRAMES_ON_SHEET
    assert len(page.source) < 1.2e6


# -- A browser --------------------------------------------------------------------------------------------------------


def test_the_page_opens_from_disk_without_a_request_and_its_table_sorts(root, browser):
    manifest(root / "results", im_size=[64, 48])
    report(root, "--against", root / "better")
    opened, requests, complaints = browser.new_page(), [], []
    opened.on("request", lambda request: requests.append(request.url))
    opened.on("requestfailed", lambda request: complaints.append(request.url))
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda failure: complaints.append(str(failure)))
    address = (root / "results/report.html").as_uri()
    opened.goto(address)

    def column(number):
        return opened.locator(f"table.objects tbody td:nth-child({number})").all_inner_texts()

    assert column(5) == ["1.000", "0.500", "1.000", "1.000"]
    heading = opened.locator("table.objects th:nth-child(5)")
    heading.locator("button").click()
    assert column(5) == ["0.500", "1.000", "1.000", "1.000"]
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").click()
    assert column(5) == ["1.000", "1.000", "1.000", "0.500"]
    assert heading.get_attribute("aria-sort") == "descending"
    opened.locator("table.objects th:nth-child(1) button").click()
    assert column(1) == ["one", "one", "two", "two"]
    assert heading.get_attribute("aria-sort") is None
    loaded = opened.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert loaded
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert complaints == []
    assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    opened.close()

"""`python -m osmn.report` and the scripts that write a report beside their scores: datasets, options, mistakes."""

import shutil

import pytest

import davis_eval
import osmn_eval_youtube
import osmn_online_finetune
import osmn_train_eval
import youtube_eval
import ytvos_eval
from helpers.report_pages import Page
from helpers.scripts import error, words
from helpers.stand_ins import ColourKey, Pixelwise, stand_in
from helpers.trees import tree
from osmn.report.__main__ import main
from osmn.training import online


def test_no_report_is_written_unasked(root):
    davis_eval.main(words(root / "davis", root / "results", 2017, "val"))
    assert not (root / "results/report.html").exists()


# -- Other datasets ---------------------------------------------------------------------------------------------------


def test_youtube_vos_counts_every_objects_own_frames(held_out):
    ytvos_eval.main(words(held_out / "data", held_out / "results", "train", "--report"))
    page = Page(held_out / "results/report.html")
    headings, *lines = page.rows("objects")
    columns = [
        headings.index(name) for name in ("sequence", "object", "category", "frames", "J", "lowest J", "in frame")
    ]
    assert [[line[column] for column in columns] for line in lines] == [
        ["a", "1", "ant", "3", "0.750", "0.500", "00015"],
        ["a", "12", "bee", "1", "0.500", "0.500", "00010"],
        ["b", "12", "bee", "1", "0.000", "0.000", "00005"],
    ]
    assert [(frame, i) for frame, i, _ in page.worst()] == [("00010", 12), ("00010", 1), ("00015", 1), ("00005", 12)]
    by_module = held_out / "page.html"
    main(words(held_out / "results", held_out / "data", "--test_split", "train", "--output", by_module))
    assert by_module.read_bytes() == (held_out / "results/report.html").read_bytes()


def test_youtube_objects_has_the_iou_of_the_labelled_frames(youtube):
    youtube_eval.main(words(youtube / "data", youtube / "results", "--report"))
    page = Page(youtube / "results/report.html")
    assert page.rows("objects") == [
        ["sequence", "object", "category", "frames", "IoU", "lowest IoU", "in frame"],
        ["cat_0001", "1", "cat", "2", "0.625", "0.500", "00002"],
    ]
    assert page.worst() == [("00002", 1, "IoU 0.500"), ("00004", 1, "IoU 0.750")]
    main(words(youtube / "results", youtube / "data", "--against", youtube / "results"))
    assert Page(youtube / "results/report.html").rows("differences")[1] == ["cat_0001", "0.625", "0.625", "+0.000"]


# -- --against, of the scripts that score -----------------------------------------------------------------------------


def test_davis_eval_compares_with_another_result_as_the_module_does(root):
    davis_eval.main(words(root / "davis", root / "results", 2017, "val", "--against", root / "better"))
    page = root / "results/report.html"
    assert len(Page(page).rows("differences")) == 1 + 2
    by_module = root / "page.html"
    main(words(root / "results", root / "davis", "--against", root / "better", "--output", by_module))
    assert page.read_bytes() == by_module.read_bytes()


def test_youtube_eval_compares_with_another_result(youtube):
    shutil.copytree(youtube / "results", youtube / "other")
    shutil.copy(youtube / "data/Labels/cat_0001/00002.png", youtube / "other/cat_0001/00002.png")
    youtube_eval.main(words(youtube / "data", youtube / "results", "--report", "--against", youtube / "other"))
    assert Page(youtube / "results/report.html").rows("differences")[1] == ["cat_0001", "0.625", "0.875", "-0.250"]


def test_ytvos_eval_compares_with_another_result(held_out):
    shutil.copytree(held_out / "results", held_out / "other")
    where = held_out / "data", held_out / "results", "train"
    ytvos_eval.main(words(*where, "--against", held_out / "other"))
    rows = Page(held_out / "results/report.html").rows("differences")[1:]
    assert rows and all(row[1] == row[2] and row[3] == "+0.000" for row in rows)


@pytest.mark.parametrize("script", [davis_eval, osmn_train_eval, osmn_online_finetune, osmn_eval_youtube])
def test_another_result_that_is_not_there_is_told_before_anything_is_done(script, tmp_path, capsys):
    place = [tmp_path, tmp_path / "results", 2017, "val"] if script is davis_eval else ["--result_path", tmp_path / "r"]
    with pytest.raises(SystemExit) as stopped:
        script.main(words(*place, "--against", tmp_path / "gone"))
    assert stopped.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith(f"argument --against: {tmp_path / 'gone'} is not a folder that is there")
    assert not list(tmp_path.iterdir())


# -- Scripts that segment ---------------------------------------------------------------------------------------------

NETWORK = ["--whole_model_path", "stand-in", "--im_size", 64, 48, "--precision", "float32"]


def test_davis_is_segmented_scored_and_reported_with_the_options(davis, tmp_path, monkeypatch):
    stand_in(monkeypatch, ColourKey)
    paths = ["--data_path", davis, "--result_path", tmp_path]
    osmn_train_eval.main(words(*paths, "--only_testing", *NETWORK, "--report"))
    page = Page(tmp_path / "report.html")
    assert ["options: im_size", "[64, 48]"] in page.rows("options")
    assert len(page.rows("objects")) == 1 + 3
    assert not page.rows("differences")
    osmn_train_eval.main(words(*paths, "--only_testing", *NETWORK, "--against", davis / "Annotations/480p"))
    page = Page(tmp_path / "report.html")
    assert {row[2] for row in page.rows("differences")[1:]} == {"1.000"}


def test_online_finetuning_is_reported(davis, tmp_path, monkeypatch):
    def finetune_and_segment(*_):  # training/test_online.py has the true one, which takes half a minute.
        shutil.copytree(davis / "Annotations/480p", tmp_path / "results")

    stand_in(monkeypatch, Pixelwise)
    monkeypatch.setattr(online, "finetune_and_segment", finetune_and_segment)
    paths = ["--data_path", davis, "--result_path", tmp_path / "results", "--model_save_path", tmp_path / "models"]
    osmn_online_finetune.main(words(*paths, *NETWORK, "--against", davis / "Annotations/480p"))
    page = Page(tmp_path / "results/report.html")
    assert [line[4] for line in page.rows("objects")[1:]] == ["1.000"] * 3
    assert {row[3] for row in page.rows("differences")[1:]} == {"+0.000"}


def test_youtube_objects_is_segmented_scored_and_reported(youtube, monkeypatch):
    stand_in(monkeypatch, ColourKey)
    paths = ["--data_path", youtube / "data", "--result_path", youtube / "new"]
    osmn_eval_youtube.main(words(*paths, *NETWORK, "--against", youtube / "results"))
    page = Page(youtube / "new/report.html")
    assert page.texts("h1") == ["YouTube-Objects"]
    assert page.rows("differences")[1][2] == "0.625"


def test_a_share_of_the_videos_is_not_scored_and_has_no_report(davis, tmp_path, monkeypatch, capsys):
    stand_in(monkeypatch, ColourKey)
    paths = ["--data_path", davis, "--result_path", tmp_path, "--only_testing", "--shard", "0/2"]
    osmn_train_eval.main(words(*paths, *NETWORK, "--report"))
    assert "score all of them by davis_eval.py" in capsys.readouterr().out
    assert not (tmp_path / "report.html").exists()


# -- Mistakes ---------------------------------------------------------------------------------------------------------


def test_a_folder_of_no_dataset_is_named(root, capsys):
    line = error(capsys, main, root / "results", root / "results")
    assert line.startswith(f"error: {root}/results has neither ImageSets (DAVIS), nor Labels")


def test_a_page_must_be_named_as_one_and_replaces_nothing_but_a_file(root, capsys):
    line = error(capsys, main, root / "results", root / "davis", "--output", root / "page.png")
    assert line == f"error: {root}/page.png is not a page's name; end it in .html"
    (root / "page.html").mkdir()
    line = error(capsys, main, root / "results", root / "davis", "--output", root / "page.html")
    assert "page.html is not a regular file" in line


def test_a_frame_without_picture_is_named_and_no_half_a_page_is_left(root, capsys):
    (root / "davis/JPEGImages/480p/two/00002.jpg").unlink()
    before = tree(root)
    line = error(capsys, main, root / "results", root / "davis")
    assert line.startswith(f"error: {root}/davis/JPEGImages/480p/two has no frame 00002, though ")
    assert tree(root) == before
    shutil.rmtree(root / "davis/JPEGImages")
    assert "JPEGImages/480p/one does not exist" in error(capsys, main, root / "results", root / "davis")


def test_the_version_and_split_that_are_asked_for_must_be_there(root, capsys):
    line = error(capsys, main, root / "results", root / "davis", "--data_version", 2016)
    assert "ImageSets/2016/val.txt does not exist" in line
    assert "ImageSets/2017/test.txt" in error(capsys, main, root / "results", root / "davis", "--test_split", "test")


def test_options_that_do_nothing_for_a_dataset_are_refused(root, held_out, capsys):
    line = error(capsys, main, root / "results", root / "davis", "--unseen", "none.txt")
    assert line == f"error: --unseen does nothing for DAVIS, which {root / 'davis'} is; leave it out"
    line = error(capsys, main, held_out / "results", held_out / "data", "--test_split", "train", "--data_version", 2016)
    assert "--data_version does nothing for YouTube-VOS" in line
    (root / "objects/Labels").mkdir(parents=True)
    assert "--test_split does nothing for" in error(capsys, main, root, root / "objects", "--test_split", "zz")

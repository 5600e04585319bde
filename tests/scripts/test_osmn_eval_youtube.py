"""YouTube-Objects, from the download to the score."""

import numpy as np
from PIL import Image

import osmn_eval_youtube
from helpers.scripts import words
from helpers.trees import tree
from helpers.ytvos_videos import SIZE, paint, write_frame
from osmn.files.atomic import replacing
from osmn.files.images import read_labels, write_mask
from preprocessing import preprocess_youtube


def write_shot(root, name, boxes, labels=None):
    """Write a sequence as it is downloaded, images and labels as JPEG; `labels`: the frames that have one."""
    category, number = name.split("_")
    for t, box in enumerate(boxes, 1):
        shot = root / category / "data" / number / "shots/001"
        write_frame(shot / f"images/frame{t:04d}.jpg", paint(box))
        if labels is None or t in labels:
            with replacing(shot / f"labels/frame{t:04d}.jpg") as temporary:
                Image.fromarray(255 * (paint(box) > 0).astype(np.uint8)).save(temporary, quality=75)


def test_youtube_objects_from_the_download_to_the_score(by_colour, tmp_path, capsys):
    data, results = tmp_path / "data", tmp_path / "results"
    square, moved = (8, 8, 16, 16), (16, 8, 24, 16)
    write_shot(data, "boat_0001", [{1: square}, {1: moved}, {1: square}])
    # A missing label; in the last frame half of the object has another colour.
    write_shot(data, "boat_0002", [{1: square}, {1: moved}, {1: square, 5: (8, 8, 16, 12)}], labels=(1, 3))
    write_shot(data, "cat_0012", [{2: square}, {3: square}])  # The object changes its colour: it is lost.
    write_shot(data, "dog_0001", [{1: square}])  # A class with a single frame.
    preprocess_youtube.main([str(data)])
    assert "no label for frame0002.jpg" in capsys.readouterr().err

    paths = ["--data_path", data, "--whole_model_path", "stand-in", "--result_path", results]
    osmn_eval_youtube.main(
        words(*paths, "--im_size", *SIZE, "--mean_value", 0, 0, 0, "--scale_value", 1, "--precision", "float32")
    )

    lines = (results / "iou.txt").read_text().splitlines()
    assert lines == ["boat_0001 1.0000", "boat_0002 0.5000", "cat_0012 0.0000", "all 0.5000"]
    printed = capsys.readouterr()
    assert "dog_0001 has a single frame: left out" in printed.err
    assert "mean over 2 classes: 0.375" in printed.out  # (0.75 + 0) / 2
    assert printed.out.splitlines()[-1] == "mIU: 0.500"
    # Frames without a label are segmented too; the given frame is black.
    assert sorted(tree(results / "boat_0002")) == ["frame0001.png", "frame0002.png", "frame0003.png"]
    assert not read_labels(results / "boat_0002/frame0001.png").any()
    np.testing.assert_array_equal(read_labels(results / "boat_0002/frame0002.png") > 0, paint({1: moved}) == 1)
    assert not (results / "dog_0001").exists()


def test_a_first_mask_that_fills_the_frame_is_saved_as_it_is(by_colour, tmp_path):  # Spec 9: it was saved black.
    for t in range(2):
        write_frame(tmp_path / f"data/Images/cat_0001/{t}.jpg", paint({1: (0, 0, *SIZE)}))
        write_mask(tmp_path / f"data/Labels/cat_0001/{t}.png", np.ones(SIZE[::-1], bool))
    (tmp_path / "data/all.txt").write_text("cat_0001\n")
    paths = ["--data_path", tmp_path / "data", "--whole_model_path", "m", "--result_path", tmp_path / "results"]
    osmn_eval_youtube.main(words(*paths, "--im_size", *SIZE, "--mean_value", 0, 0, 0, "--precision", "float32"))
    assert np.all(read_labels(tmp_path / "results/cat_0001/1.png") == 255)

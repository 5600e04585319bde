"""Results never replace what is read, whatever links lead there: data, results that are scored, models, masks."""

import importlib
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import commands
import numpy as np
import pytest

from helpers.scripts import error, words
from osmn.files.images import write_labels
from preprocessing import preprocess_davis, preprocess_youtube


class Case(NamedTuple):
    """A script, and a place in the data where its results would replace something that it reads.

    Attributes:
        module: of the script.
        arguments: (data, place) -> its arguments.
        place: in the data; what would be written there is in folders of `parts`, or itself for None.
        parts: two folders of the place, the first of which is written; None where a file is.
        network: the stand-in that it takes for its model.
    """

    module: str
    arguments: object
    place: str
    parts: tuple | None
    network: type = commands.Follower


ANYWAY = ["--overwrite", *commands.TEST]
ONLINE = ["--overwrite", *commands.ONLINE, *commands.TRAIN]
CASES = {
    "testing": Case(
        "osmn_train_eval",
        lambda data, place: ["--data_path", data / "davis", "--result_path", place, "--only_testing", *ANYWAY],
        "davis/Annotations/480p",
        ("first", "second"),
    ),
    "online": Case(
        "osmn_online_finetune",
        lambda data, place: [
            *("--data_path", data / "davis", "--result_path", place, "--model_save_path", data.parent / "models"),
            *ONLINE,
        ],
        "davis/Annotations/480p",
        ("first", "second"),
        commands.Pixelwise,
    ),
    "testing ytvos": Case(
        "osmn_train_eval_ytvos",
        lambda data, place: ["--data_path", data / "ytvos", "--result_path", place, "--only_testing", *ANYWAY],
        "ytvos/valid/Annotations",
        ("crowd", "late"),
    ),
    "online ytvos": Case(
        "osmn_online_finetune_ytvos",
        lambda data, place: [
            *("--data_path", data / "ytvos", "--result_path", place, "--model_save_path", data.parent / "models"),
            *ONLINE,
        ],
        "ytvos/valid/Annotations",
        ("crowd", "late"),
        commands.Pixelwise,
    ),
    "testing youtube-objects": Case(
        "osmn_eval_youtube",
        lambda data, place: ["--data_path", data / "youtube", "--result_path", place, *ANYWAY],
        "youtube/Labels",
        ("boat_0001", "cat_0012"),
    ),
    "segmenting": Case(
        "osmn_segment",
        lambda data, place: [
            *(data / "own/masks", "--mask", data / "own/first.png", "--result_path", place),
            *("--scale_value", 0.01, *ANYWAY),
        ],
        "own",
        ("masks", "masks"),
    ),
    "scoring": Case(
        "davis_eval",
        lambda data, place: [data / "davis", data / "davis results", 2017, "val", place],
        "davis/Annotations/480p",
        ("first", "second"),
    ),
    "scoring, over the results": Case(
        "davis_eval",
        lambda data, place: [data / "davis", data / "davis results", 2017, "val", place],
        "davis results",
        ("first", "second"),
    ),
    "drawing": Case(
        "osmn_contact_sheet",
        lambda data, place: [data / "davis", data / "davis results", place, "first"],
        "davis/Annotations/480p/second/00001.png",
        None,
    ),
    "drawing, over the results": Case(
        "osmn_contact_sheet",
        lambda data, place: [data / "davis", data / "davis results", place, "first"],
        "davis results/first/00001.png",
        None,
    ),
    "merging": Case(
        "ytvos_merge_result",
        lambda data, place: [data / "ytvos", data / "ytvos merged", place.parents[1], "valid"],
        "ytvos/valid/Annotations",
        ("crowd", "late"),
    ),
    "merging, over the results": Case(
        "ytvos_merge_result",
        lambda data, place: [data / "ytvos", data / "ytvos merged/valid/Annotations", place.parents[1], "valid"],
        "ytvos merged/valid/Annotations",
        ("crowd", "late"),
    ),
}


@pytest.fixture
def real(data, tmp_path):
    """Return a folder of the data that a test may spoil."""
    real = tmp_path / "real"
    shutil.copytree(data, real)
    shutil.copytree(real / "own/frames", real / "own/masks")
    shutil.copytree(real / "ytvos/valid/Annotations", real / "ytvos merged/valid/Annotations")
    return real


def put_together(real, linked, of_folders):
    """Have `linked` be as `real`, of links: to the files, or to the folders of images."""
    for folder, inner, files in os.walk(real):
        place = linked / Path(folder).relative_to(real)
        if of_folders and not inner:
            place.symlink_to(folder)
            continue
        place.mkdir()
        for name in files:
            (place / name).symlink_to(Path(folder, name))


def content(folder):
    """Return {name: bytes} of the files in a folder, the hidden ones too, and {name: target} of the links."""
    found = {}
    for path in Path(folder).rglob("*"):
        if path.is_symlink():
            found[str(path)] = os.readlink(path)
        elif path.is_file():
            found[str(path)] = path.read_bytes()
    return found


def line_of_refusal(capsys, folder, module, *arguments):
    """Run a script that must refuse, and change no file in a folder; return its line."""
    before = content(folder)
    line = error(capsys, importlib.import_module(module).main, *arguments)
    assert content(folder) == before, line
    return line


@pytest.mark.parametrize("made_of", ["folders", "links to folders", "links to files"])
@pytest.mark.parametrize("way", ["by name", "where the links lead", "by a link", "crossed"])
@pytest.mark.parametrize("name", CASES)
def test_no_result_replaces_what_is_read(real, tmp_path, monkeypatch, capsys, name, made_of, way):
    case, data = CASES[name], real
    if made_of != "folders":
        data = tmp_path / "linked"
        put_together(real, data, made_of == "links to folders")
    place = (real if way == "where the links lead" else data) / case.place
    if way in ("by a link", "crossed"):
        link = tmp_path / "valid" / f"Annotations{place.suffix}"  # The names that merging wants.
        link.parent.mkdir()
        if way == "by a link" or case.parts is None:
            link.symlink_to(place)
        else:
            link.mkdir()
            (link / case.parts[0]).symlink_to(place / case.parts[1])
        place = link
        if case.module == "ytvos_merge_result":
            place = link.parent.parent / "valid/Annotations"
    commands.with_stand_in(monkeypatch, case.network)
    line = line_of_refusal(capsys, tmp_path, case.module, *case.arguments(data, place))
    assert " is read" in line


@pytest.mark.parametrize(
    "link, target",
    [
        ("480p_all", "480p"),
        ("480p_split", "480p"),
        ("480p_all/first", "480p/second"),
        ("480p_split/second/1", "480p/first"),
        ("480p/first", "480p_all/first"),
        ("480p/first/00001.png", "480p_split/second/2/00001.png"),
    ],
)
def test_preprocessing_davis_does_not_follow_links_to_what_it_reads(real, capsys, link, target):
    annotations = real / "davis/Annotations"
    before = annotations / link
    if before.is_dir():
        shutil.rmtree(before)
    else:
        before.unlink()
    before.symlink_to(annotations / target)
    assert " is read" in line_of_refusal(capsys, real, preprocess_davis.__name__, real / "davis")


@pytest.mark.parametrize("link", ["Labels/boat_0001", "Images/cat_0012"])
@pytest.mark.parametrize("kind", ["images", "labels"])
def test_preprocessing_youtube_objects_does_not_follow_links_to_what_it_reads(real, capsys, link, kind):
    root = real / "youtube"
    shutil.rmtree(root / link)
    (root / link).symlink_to(root / "boat/data/0001/shots/001" / kind)
    assert " is read" in line_of_refusal(capsys, real, preprocess_youtube.__name__, root)


def test_preprocessing_of_data_that_are_links_gives_the_same_files(real, tmp_path):
    (tmp_path / "linked/Annotations").mkdir(parents=True)
    (tmp_path / "linked/Annotations/480p").symlink_to(real / "davis/Annotations/480p")
    preprocess_davis.main([str(tmp_path / "linked")])
    for folder in ("480p_all", "480p_split"):
        made, whole = tmp_path / "linked/Annotations" / folder, real / "davis/Annotations" / folder
        names = {str(path.relative_to(made)) for path in made.rglob("*.png")}
        assert names == {str(path.relative_to(whole)) for path in whole.rglob("*.png")}


def write_model(prefix):
    """Write a model of `Heavy`, as training does."""
    from osmn.models import checkpoints

    network = commands.Heavy()
    checkpoints.write_variables(prefix, checkpoints.model_values(network), network.config)


def take_models(monkeypatch):
    """Have the scripts take `Heavy` for a model, with the path that they name."""
    from osmn.models import tensorflow_model

    commands.with_stand_in(monkeypatch, commands.Heavy)
    load, begin = tensorflow_model.load, tensorflow_model.new_for_training

    def named(model, path):
        return tensorflow_model.Model(model.network, "float32", Path(path)) if path else model

    monkeypatch.setattr(tensorflow_model, "load", lambda path, *more: named(load(path, *more), path))
    monkeypatch.setattr(
        tensorflow_model, "new_for_training", lambda options: named(begin(options), options.whole_model_path)
    )


@pytest.mark.parametrize("way", ["by name", "by a link to the folder", "by links to the files"])
@pytest.mark.parametrize("name", ["training anew", "online", "segmenting"])
def test_a_model_that_is_started_from_is_not_deleted(real, tmp_path, monkeypatch, capsys, name, way):
    folder = {"training anew": "models", "online": "models/second/1", "segmenting": "out/finetuned"}[name]
    write_model(tmp_path / folder / "osmn.ckpt-2")
    start = tmp_path / folder / "osmn.ckpt-2"
    if way == "by a link to the folder":
        (tmp_path / "link").symlink_to(tmp_path / folder)
        start = tmp_path / "link/osmn.ckpt-2"
    elif way == "by links to the files":
        for part in (tmp_path / folder).iterdir():
            (tmp_path / part.name.replace("osmn.ckpt-2", "mine")).symlink_to(part)
        start = tmp_path / "mine"
    models = ["--whole_model_path", start, "--model_save_path", tmp_path / "models"]
    data = ["--data_path", real / "davis", "--result_path", tmp_path / "results"]
    module, arguments = {
        "training anew": ("osmn_train_eval", [*data, *models, "--restart_training", *commands.TRAIN]),
        "online": ("osmn_online_finetune", [*data, *models, "--overwrite", *commands.TRAIN]),
        "segmenting": (
            "osmn_segment",
            [
                *(real / "own/frames", "--mask", real / "own/first.png", "--result_path", tmp_path / "out"),
                *("--whole_model_path", start, "--finetune", 4, "--overwrite", "--im_size", *commands.SIZE),
            ],
        ),
    }[name]
    take_models(monkeypatch)
    assert "which is written anew" in line_of_refusal(capsys, tmp_path, module, *arguments)


def test_what_another_video_of_the_same_command_is_read_from_is_not_replaced(real, tmp_path, monkeypatch, capsys):
    commands.with_stand_in(monkeypatch, commands.Follower)
    shutil.copytree(real / "own/frames", tmp_path / "out/frames/masks")
    inputs = [real / "own/frames", tmp_path / "out/frames/masks"]
    arguments = [*inputs, "--mask", real / "own/first.png", "--result_path", tmp_path / "out", *ANYWAY]
    assert " is read" in line_of_refusal(capsys, tmp_path, "osmn_segment", *arguments)


def test_a_video_that_an_earlier_run_made_stays_where_it_is_read(real, tmp_path, monkeypatch, capsys):
    commands.with_stand_in(monkeypatch, commands.Follower)
    labels = np.zeros(commands.SIZE[::-1], np.uint8)
    labels[10:30, 10:40] = 2
    write_labels(tmp_path / "first.png", labels)
    fixed = ["--mask", tmp_path / "first.png", "--result_path", tmp_path / "out", "--scale_value", 0.01, *ANYWAY]
    segment = importlib.import_module("osmn_segment").main
    segment(words(real / "own/frames", *fixed, "--cutout"))
    made = tmp_path / "out/cutout_2.webm"
    before = made.read_bytes()
    segment(words(made, *fixed))
    assert made.read_bytes() == before


def test_graphs_do_not_take_the_place_of_a_link_that_leads_nowhere(tmp_path, monkeypatch, capsys):
    commands.with_stand_in(monkeypatch, commands.Heavy)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    words = ["--whole_model_path", "stand-in", "--output", tmp_path / "link", "--format", "saved_model"]
    line = line_of_refusal(capsys, tmp_path, "osmn_export", *words)
    assert line.startswith(f"error: {tmp_path / 'link'} is there already")

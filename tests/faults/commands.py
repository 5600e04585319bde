"""Every script that writes, as a command on tiny data with a network of a few weights: what the fault tests run."""

import importlib
import importlib.util
import json
import shutil
import types
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from helpers.clips import LOSSLESS, make_video
from helpers.coco_files import polygon, write_annotations, write_image
from helpers.stand_ins import Follower, Pixelwise, stand_in
from helpers.ytvos_videos import VIDEOS, paint, write_video
from osmn import networks
from osmn.config import ModelConfig
from osmn.data.synthetic import make_dataset, repeat_first_mask
from osmn.data.tracks import encoded
from osmn.files.atomic import size_and_crc
from osmn.files.images import write_labels, write_mask
from osmn.files.locks import LOCK
from osmn.files.scores import write_scores
from osmn.models import exported
from osmn.networks.backend import keras
from osmn.results.manifest import RUN, TRAINING
from preprocessing import preprocess_davis, preprocess_youtube, rescale_vgg

SIZE = 64, 48
LIVE_PART = "live.json"  # The note that a live run is finished, which is another one each time.
GRAPHS = "graphs"  # the folder of an exported model
TEST = ["--whole_model_path", "stand-in", "--im_size", *SIZE, "--precision", "float32"]
TRAIN = ["--im_size", *SIZE, "--scale_value", 0.01, "--data_aug_scales", 1, "--learning_rate", 0.1]
TRAIN += ["--batch_size", 1, "--training_iters", 4, "--save_iters", 1, "--display_iters", 1]
TRAIN += ["--precision", "float32"]


INSTALLED = [name for name in ("openvino", "nncf") if importlib.util.find_spec(name)]


class Heavy(Pixelwise):
    """Has a checkpoint of some megabytes, whose writing takes a while, and a last bias, to be calibrated."""

    def constants(self):
        return {"net/ballast": np.zeros(1_000_000, np.float32)}

    @property
    def output_bias(self):
        return self.bias


class Clicks(Heavy):
    """Sees of a guide of several maps their sum."""

    def segment(self, image, spatial, gammas, execution=None):
        return super().segment(image, tf.reduce_sum(spatial, axis=-1, keepdims=True), gammas, execution)


class TinyVgg:
    """Two convolutions in the place of VGG16's thirteen, for `rescale_vgg.py`."""

    config = ModelConfig()

    def __init__(self):
        kernels = [keras.layers.Conv2D(4, 3, padding="same", name=f"vgg.conv1_{number}") for number in (1, 2)]
        kernels[0].build((None, None, None, 3)), kernels[1].build((None, None, None, 4))
        self.visual = types.SimpleNamespace(stages=[kernels], hidden=[None])

    def tf1_variables(self):
        return {
            f"{rescale_vgg.SCOPE}/conv1/{layer.name.split('.')[-1]}/{kind}": variable
            for layer in self.visual.stages[0]
            for kind, variable in (("weights", layer.kernel), ("biases", layer.bias))
        }


class Command(NamedTuple):
    """A script and its arguments.

    Attributes:
        module: of the script.
        arguments: (data, out) -> its arguments, on the data of `make_data`, for results in the folder `out`.
        writes: the folder, in `out`, that it writes into.
        file: a result file, in that folder.
        before: (data, out): puts into `out` what the script works on there.
        network: the stand-in that it takes for its model.
    """

    module: str
    arguments: object
    writes: str
    file: str
    before: object = lambda data, out: None
    network: type = Follower

    def argv(self, data, out):
        """Return the arguments as text."""
        return [str(word) for word in self.arguments(data, out)]

    def main(self):
        """Return the script's `main`."""
        return importlib.import_module(self.module).main


def take_stand_in(network):
    """Have the scripts take a network, for the rest of this process's life."""
    with_stand_in(pytest.MonkeyPatch(), network)


def with_stand_in(monkeypatch, network):
    """Have the scripts take a network, until the patches are undone."""
    if network is TinyVgg:
        monkeypatch.setattr(networks, "build", lambda config: network())
    else:
        stand_in(monkeypatch, network)


def copy(*names):
    """Return a function that copies some of the data into `out`."""

    def before(data, out):
        for name in names:
            shutil.copytree(data / name, out / name, dirs_exist_ok=True)

    return before


def davis(*more):
    return lambda data, out: ["--data_path", data / "davis", "--result_path", out / "results", *more]


def ytvos(*more):
    return lambda data, out: ["--data_path", data / "ytvos", "--result_path", out / "results", *more]


def with_model(arguments):
    """Return arguments with the folder of models, for a training."""
    return lambda data, out: [*arguments(data, out), "--model_save_path", out / "model", *TRAIN]


def export(file_format, *more):
    """Return the arguments of an export into graphs."""
    return lambda data, out: [
        *("--whole_model_path", "stand-in", "--format", file_format, "--output", out / "models" / GRAPHS),
        *(word if word != "DAVIS" else data / "davis" for word in more),
    ]


ONLINE = ["--whole_model_path", "stand-in"]
NO_IMAGENET = ["--whole_model_path", "stand-in"]
COMMANDS = {
    "pretraining": Command(
        "osmn_coco_pretrain",
        with_model(lambda data, out: ["--data_path", data / "coco", *NO_IMAGENET]),
        "model",
        "osmn.ckpt-4.index",
        network=Heavy,
    ),
    "training clicks": Command(
        "osmn_click_train",
        lambda data, out: [
            *("--data_path", data / "coco", "--side", 64, "--whole_model_path", "stand-in", "--learning_rate", 0.1),
            *("--model_save_path", out / "model", *TRAIN[TRAIN.index("--batch_size") :]),
        ],
        "model",
        "osmn.ckpt-4.index",
        network=Clicks,
    ),
    "training boundaries": Command(
        "osmn_boundary_train",
        lambda data, out: [
            *("--videos", data / "boundaries/frames", data / "boundaries/masks", data / "boundaries/scores"),
            *("--model_save_path", out / "model", "--batch_size", 1, "--training_iters", 4, "--save_iters", 1),
        ],
        "model",
        "boundaries.npz",
    ),
    "training": Command("osmn_train_eval", with_model(davis()), "model", "osmn.ckpt-4.index", network=Heavy),
    "training ytvos": Command(
        "osmn_train_eval_ytvos", with_model(ytvos(*NO_IMAGENET)), "model", "osmn.ckpt-4.index", network=Heavy
    ),
    "testing": Command("osmn_train_eval", davis("--only_testing", "--save_score", *TEST), "results", "iou.txt"),
    "testing ytvos": Command(
        "osmn_train_eval_ytvos", ytvos("--only_testing", "--save_score", *TEST), "results", "crowd/00005.png"
    ),
    "testing folders": Command(
        "osmn_vos",
        lambda data, out: [
            *(data / "davis", "--dataset", "davis2017", "--result_path", out / "results", "--zip", out / "results.zip"),
            *TEST,
        ],
        "results",
        "per_object.csv",
    ),
    "importing": Command(
        "osmn_import", lambda data, out: ["burst", data / "burst.json", out / "masks"], "masks", "made/clip/1/0.png"
    ),
    "testing youtube-objects": Command(
        "osmn_eval_youtube",
        lambda data, out: ["--data_path", data / "youtube", "--result_path", out / "results", *TEST],
        "results",
        "boat_0001/1.png",
    ),
    "online": Command("osmn_online_finetune", with_model(davis(*ONLINE)), "results", "iou.txt", network=Heavy),
    "online ytvos": Command(
        "osmn_online_finetune_ytvos", with_model(ytvos(*ONLINE)), "results", "late/00005.png", network=Heavy
    ),
    "segmenting": Command(
        "osmn_segment",
        lambda data, out: [
            *(data / "own/frames", "--mask", data / "own/first.png", "--result_path", out / "results", "--save_score"),
            *("--finetune", 4, "--scale_value", 0.01, *TEST),
        ],
        "results",
        "masks/2.png",
        network=Heavy,
    ),
    "live": Command(
        "osmn_live",
        lambda data, out: [
            *(data / "own/slow.mkv", "--mask", data / "own/first.png", "--result_path", out / "results"),
            *("--overwrite", "--no_page", *TEST),
        ],
        "results",
        "masks/00002.png",
    ),
    "preprocessing davis": Command(
        "preprocessing.preprocess_davis",
        lambda data, out: [out / "davis"],
        "davis/Annotations",
        "480p_all/first/00001.png",
        before=copy("davis/Annotations/480p"),
    ),
    "preprocessing youtube-objects": Command(
        "preprocessing.preprocess_youtube",
        lambda data, out: [out / "youtube"],
        "youtube",
        "all.txt",
        before=copy("youtube/boat", "youtube/cat"),
    ),
    "merging": Command(
        "ytvos_merge_result",
        lambda data, out: [
            *(data / "ytvos", data / "ytvos results", out / "merged", "valid", "--zip", out / "merged.zip")
        ],
        "merged/valid/Annotations",
        "crowd/00005.png",
    ),
    "scoring": Command(
        "davis_eval",
        lambda data, out: [data / "davis", out / "davis results", 2017, "val", out / "seen"],
        "davis results",
        "iou.txt",
        before=copy("davis results"),
    ),
    "scoring ytvos": Command(
        "ytvos_eval",
        lambda data, out: [data / "ytvos", out / "ytvos results", "valid"],
        "ytvos results",
        "per_object.csv",
        before=copy("ytvos results"),
    ),
    "scoring youtube-objects": Command(
        "youtube_eval",
        lambda data, out: [data / "youtube", out / "youtube results"],
        "youtube results",
        "iou.txt",
        before=copy("youtube results"),
    ),
    "drawing": Command(
        "osmn_contact_sheet",
        lambda data, out: [data / "davis", data / "davis results", out / "sheets/sheet.png", "second"],
        "sheets",
        "sheet.png",
    ),
    "exporting": Command(
        "osmn_export",
        lambda data, out: ["--whole_model_path", "stand-in", "--output", out / "models/model"],
        "models",
        "model.index",
        network=Heavy,
    ),
    "exporting graphs": Command("osmn_export", export("saved_model"), "models", GRAPHS, network=Heavy),
    "reporting": Command(
        "osmn.report.__main__",
        lambda data, out: [data / "davis results", data / "davis", "--output", out / "pages/page.html"],
        "pages",
        "page.html",
    ),
    "testing and reporting": Command(
        "osmn_train_eval", davis("--only_testing", "--report", *TEST), "results", "report.html"
    ),
    "rescaling": Command(
        "preprocessing.rescale_vgg",
        lambda data, out: [data / "vgg.npz", data / "own/frames", out / "models/vgg"],
        "models",
        "vgg.index",
        network=TinyVgg,
    ),
    "calibrating": Command(
        "osmn_calibrate",
        lambda data, out: [
            "--data_path",
            data / "davis",
            "--output",
            out / "models/model",
            "--shifts",
            0,
            1,
            "--stride",
            1,
            *TEST,
        ],
        "models",
        "model.index",
        network=Heavy,
    ),
}

if "openvino" in INSTALLED:
    COMMANDS["exporting for openvino"] = Command("osmn_export", export("openvino"), "models", GRAPHS, network=Heavy)
if "nncf" in INSTALLED and "openvino" in INSTALLED:
    int8 = (
        "--precision",
        "int8",
        "--calibration_path",
        "DAVIS",
        "--calibration_frames",
        4,
        "--calibration_size",
        *SIZE,
    )
    COMMANDS["exporting in int8"] = Command("osmn_export", export("openvino", *int8), "models", GRAPHS, network=Heavy)


def make_data(root):
    """Write the data that the commands read."""
    make_davis(root)
    generator = np.random.default_rng(2)
    weights = {name: generator.normal(0, 0.3, variable.shape) for name, variable in TinyVgg().tf1_variables().items()}
    np.savez(root / "vgg.npz", **{"/".join(name.split("/")[-2:]): value for name, value in weights.items()})
    for name in ("late", "crowd"):
        frames, listed = VIDEOS[name]
        frames = {number: paint(boxes) for number, boxes in frames.items()}
        for split in ("train", "valid"):
            write_video(root / "ytvos" / split, name, frames, listed)
        for object_id, (_, *numbers) in listed.items():
            for number in numbers:
                scores = np.where(frames[number] == object_id, 0.9, 0.1)
                write_scores(root / f"ytvos results/{name}/{object_id}/{number:05d}.npy", scores)
    for name, number in (("boat", "0001"), ("cat", "0012")):
        shot = root / "youtube" / name / "data" / number / "shots/001"
        for frame in range(3):
            for kind in ("images", "labels"):
                (shot / kind).mkdir(parents=True, exist_ok=True)
                pixels = np.zeros((*SIZE[::-1], 3), np.uint8)
                pixels[10 + frame : 30, 10:40] = 255
                Image.fromarray(pixels).save(shot / kind / f"{frame}.png")
            mask = np.zeros(SIZE[::-1], bool)
            mask[10:30, 10:40] = True
            write_mask(root / f"youtube results/{name}_{number}/{frame}.png", mask)
    preprocess_youtube.main([str(root / "youtube")])
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    images = [write_image(root / "coco", number, pixels) for number in (1, 2)]
    write_annotations(root / "coco", images, [(number, [polygon(4, 4, 22, 26)], {}) for number in (1, 2)])
    counts = encoded(np.arange(SIZE[0] * SIZE[1]).reshape(SIZE[::-1]) % 5 < 2).decode()
    sequence = {"dataset": "made", "seq_name": "clip", "width": SIZE[0], "height": SIZE[1]}
    sequence["annotated_image_paths"] = [f"{number}.png" for number in range(3)]
    sequence["segmentations"] = [{"1": {"rle": counts}}, {"1": {"rle": counts}, "2": {"rle": counts}}, {}]
    (root / "burst.json").write_text(json.dumps({"sequences": [sequence]}))
    (root / "own/frames").mkdir(parents=True)
    for number in range(4):
        Image.fromarray(np.full((*SIZE[::-1], 3), 10 * number, np.uint8)).save(root / f"own/frames/{number}.png")
    first = np.zeros(SIZE[::-1], np.uint8)
    first[10:30, 10:40] = 1
    write_labels(root / "own/first.png", first)
    for number in range(4):
        write_frame(root / "boundaries", number, np.roll(first, number, 1))
    pictures = [np.full((*SIZE[::-1], 3), 10 * number, np.uint8) for number in range(4)]
    make_video(root / "own/slow.mkv", pictures, times=range(4), **LOSSLESS)


def write_frame(root, number, labels):
    """Write a frame of a video with an object, its mask and its scores, as training the boundary net reads them."""
    for kind in ("frames", "masks", "scores"):
        (root / kind / "clip").mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.stack([90 + 100 * labels] * 3, -1)).save(root / f"frames/clip/{number}.png")
    write_labels(root / f"masks/clip/{number}.png", labels)
    (root / "scores/clip/1").mkdir(exist_ok=True)
    write_scores(root / f"scores/clip/1/{number}.npy", np.where(np.roll(labels, 2, 1), 0.9, 0.1))


def make_davis(root):
    """Write a DAVIS whose sequences have short names, `first` with one object and `second` with two."""
    make_dataset(root / "made", train_sequences=2, val_sequences=0, frames=4, size=SIZE, seed=1)
    names = (root / "made/ImageSets/2017/train.txt").read_text().split()
    for name, short in zip(names, ("first", "second"), strict=True):
        for folder in ("JPEGImages/480p", "Annotations/480p"):
            shutil.copytree(root / "made" / folder / name, root / "davis" / folder / short)
    shutil.rmtree(root / "made")
    for version in (2016, 2017):
        (root / f"davis/ImageSets/{version}").mkdir(parents=True)
        for split in ("train", "val"):
            (root / f"davis/ImageSets/{version}/{split}.txt").write_text("first\nsecond\n")
    preprocess_davis.main([str(root / "davis")])
    repeat_first_mask(root / "davis", "val", root / "davis results")


def begin(name, data, out):
    """Put into `out` what a command works on there."""
    out.mkdir(parents=True, exist_ok=True)
    COMMANDS[name].before(data, out)


def results(out):
    """Return {name: bytes} of the files in `out` that two runs must agree on: all but summaries and manifests.

    Of an exported model these are its files' sizes, and whether they are what was noted.
    """
    found = {str(path.relative_to(out)): path for path in Path(out).rglob("*") if path.is_file()}
    return {
        name: _content(path, out)
        for name, path in found.items()
        if path.name not in (RUN, TRAINING, ".osmn-valid-frames.json", LIVE_PART) and "tfevents" not in name
    }


def _content(path, out):
    if path.suffix == ".html":
        return path.read_bytes().replace(str(out).encode(), b"OUT")
    for folder in path.parents[:4]:
        if folder.name == GRAPHS and exported.is_exported(folder):
            # Other programs number and date what they write: it is whole if it is what the export has noted.
            noted = json.loads((folder / exported.DESCRIPTION).read_text())["files"]
            name = path.relative_to(folder).as_posix()
            if name == exported.DESCRIPTION or noted.get(name) == size_and_crc(path):
                return b"whole".ljust(-(-path.stat().st_size // 4096) * 4096)
    return path.read_bytes()


def leftovers(out):
    """Return the names of the temporary files and locks in `out`."""
    return [str(path) for path in Path(out).rglob(".osmn-*") if path.name.startswith((".osmn-writing-", LOCK))]

"""Paths and lists that are wrong: each script names them before it imports TensorFlow, which takes seconds."""

import json
import os
import subprocess
import sys

import pytest

from helpers import ROOT
from helpers.script_places import make_places

# Runs each of several command lines in a process that cannot import TensorFlow; prints what each of them ends with.
RUNNER = """
import contextlib, importlib, io, json, sys
sys.modules |= {"tensorflow": None, "keras": None}
sys.path.append("preprocessing")
ends = {}
for name, (script, *argv) in json.load(sys.stdin).items():
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        try:
            importlib.import_module(script).main(argv)
        except SystemExit:
            ends[name] = printed.getvalue()
print(json.dumps(ends))
"""
NO_SPLIT = "ImageSets/2017/nope.txt does not exist; the splits there are train, val"
NO_MODEL = "/nope does not exist, neither as a file nor as a checkpoint prefix; see README, 'Weights'"
NO_DAVIS = "/nope/ImageSets/2017/val.txt does not exist; the data path must be a DAVIS folder"
NO_YTVOS = "meta.json cannot be read (No such file or directory); DATA_PATH must be a YouTube-VOS folder"
NO_COCO = "/nope/annotations/instances_train2017.json does not exist; give a COCO folder, with annotations/"
OTHER_NETWORK = "--base_model osvos contradicts {model}.json, which says lite; leave the option out"
A_FILE = "{file} cannot be written (File exists)"
EVAL = "osmn_train_eval --only_testing --data_path {davis} --whole_model_path {model} --result_path {out}"
TRAIN = "osmn_train_eval --data_path {davis} --whole_model_path {model} --result_path {out} --model_save_path {out}"
YTVOS = "osmn_train_eval_ytvos --data_path {ytvos} --whole_model_path {model} --result_path {out}"
COCO = "osmn_coco_pretrain --data_path {coco} --model_save_path {out}"
CLICKS = "osmn_click_train --data_path {coco} --model_save_path {out}"
VIDEOS = "{davis}/JPEGImages/480p {davis}/Annotations/480p"
BOUNDARIES = "osmn_boundary_train --model_save_path {out}"
ONLINE = (
    "osmn_online_finetune --data_path {davis} --whole_model_path {model} --result_path {out} --model_save_path {out}"
)
ONLINE_YTVOS = (
    "osmn_online_finetune_ytvos --data_path {ytvos} --whole_model_path {model} --result_path {out}"
    " --model_save_path {out}"
)
OBJECTS = "osmn_eval_youtube --data_path {objects} --whole_model_path {model} --result_path {out}"
VOS = "osmn_vos {davis} --dataset davis2017 --whole_model_path {model} --result_path {out}"
CALIBRATE = "osmn_calibrate --data_path {davis} --whole_model_path {model}"
EXPORT = "osmn_export --whole_model_path {model} --output {out}"
SEGMENT = "osmn_segment {frames} --mask {mask} --result_path {out} --whole_model_path {model}"
LIVE = "osmn_live {frames} --mask {mask} --no_page --whole_model_path {model}"
RESCALE = "rescale_vgg {model} {frames} {out}"
# {what is wrong: (command line, in which the last one of an option counts; what is said)}
WRONG = {
    "testing, data": (f"{EVAL} --data_path /nope", NO_DAVIS),
    "testing, split": (f"{EVAL} --test_split nope", NO_SPLIT),
    "testing, model": (f"{EVAL} --whole_model_path /nope", NO_MODEL),
    "testing, configuration": (f"{EVAL} --base_model osvos", OTHER_NETWORK),
    "testing, results": (f"{EVAL} --result_path {{file}}", A_FILE),
    "testing, results among the data": (f"{EVAL} --result_path {{davis}}/Annotations/480p", "would be written, but"),
    "training, data": (f"{TRAIN} --data_path /nope", NO_DAVIS),
    "training, split": (f"{TRAIN} --test_split nope", NO_SPLIT),
    "training, model": (f"{TRAIN} --whole_model_path /nope", NO_MODEL),
    "training, more videos": (f"{TRAIN} --more_videos /nope /nope", "/nope does not exist; check the data path"),
    "training, stills": (f"{TRAIN} --coco_path /nope", NO_COCO),
    "training, validation": (f"{TRAIN} --validate_iters 5 --validate_split 2017/nope", NO_SPLIT),
    "training, models": (f"{TRAIN} --model_save_path {{file}}", A_FILE),
    "training, results": (f"{TRAIN} --result_path {{file}}", A_FILE),
    "YouTube-VOS, data": (f"{YTVOS} --only_testing --data_path /nope", NO_YTVOS),
    "YouTube-VOS, split": (f"{YTVOS} --only_testing --test_split nope", NO_YTVOS),
    "YouTube-VOS, model": (f"{YTVOS} --only_testing --whole_model_path /nope", NO_MODEL),
    "YouTube-VOS, training videos": (f"{YTVOS} --model_save_path {{out}}", f"train/{NO_YTVOS}"),
    "COCO, data": (f"{COCO} --whole_model_path {{model}} --data_path /nope", NO_COCO),
    "COCO, model": (f"{COCO} --whole_model_path /nope", NO_MODEL),
    "COCO, ImageNet weights": (f"{COCO} --vis_mod_model_path /nope", NO_MODEL),
    "COCO, Keras weights": (f"{COCO} --vis_mod_model_path /nope.h5", "/nope.h5 does not exist; see README, 'Weights'"),
    "COCO, models": (f"{COCO} --whole_model_path {{model}} --model_save_path {{file}}", A_FILE),
    "clicks, data": (f"{CLICKS} --data_path /nope", NO_COCO),
    "clicks, videos": (f"{CLICKS} --videos /nope /nope", "/nope does not exist; check the data path"),
    "clicks, backbone": (f"{CLICKS} --backbone /nope", NO_MODEL),
    "clicks, models": (f"{CLICKS} --model_save_path {{file}}", A_FILE),
    "boundaries, videos": (f"{BOUNDARIES} --videos /nope /nope /nope", "/nope does not exist; check the data path"),
    "boundaries, list": (f"{BOUNDARIES} --videos {VIDEOS} {{davis}} --list /nope", "/nope does not exist; give --list"),
    "boundaries, scores": (f"{BOUNDARIES} --videos {VIDEOS} /nope", "/nope does not exist; give the folder of results"),
    "boundaries, scores of nothing": (
        f"{BOUNDARIES} --videos {VIDEOS} {{davis}}",
        "{davis} has no scores of the masks",
    ),
    "boundaries, models": (f"{BOUNDARIES} --videos {VIDEOS} {{davis}} --model_save_path {{file}}", A_FILE),
    "online, data": (f"{ONLINE} --data_path /nope", NO_DAVIS),
    "online, split": (f"{ONLINE} --test_split nope", NO_SPLIT),
    "online, model": (f"{ONLINE} --whole_model_path /nope", NO_MODEL),
    "online, rehearsal": (f"{ONLINE} --rehearsal_share 0.5 --rehearsal_split 2017/nope", NO_SPLIT),
    "online YouTube-VOS, data": (f"{ONLINE_YTVOS} --data_path /nope", NO_YTVOS),
    "online YouTube-VOS, model": (f"{ONLINE_YTVOS} --whole_model_path /nope", NO_MODEL),
    "online YouTube-VOS, start": (f"{ONLINE_YTVOS} --start_id nope", "there is no such video in this split"),
    "YouTube-Objects, data": (f"{OBJECTS} --data_path /nope", "/nope/all.txt does not exist"),
    "YouTube-Objects, model": (f"{OBJECTS} --whole_model_path /nope", NO_MODEL),
    "folders, data": (
        "osmn_vos /nope --dataset davis2017 --result_path {out}",
        "/nope/JPEGImages/480p does not exist, as davis2017 has it",
    ),
    "folders, masks": (f"{VOS} --masks /nope", "/nope/"),
    "folders, model": (f"{VOS} --whole_model_path /nope", NO_MODEL),
    "folders, results": (f"{VOS} --result_path {{file}}", A_FILE),
    "calibration, data": (f"{CALIBRATE} --data_path /nope", NO_DAVIS),
    "calibration, model": (f"{CALIBRATE} --whole_model_path /nope", NO_MODEL),
    "calibration, output": (f"{CALIBRATE} --output {{model}}", "would be written, but {model} is read"),
    "export, model": (f"{EXPORT} --whole_model_path /nope", NO_MODEL),
    "export, other model": (f"{EXPORT} --average_with /nope", NO_MODEL),
    "export, output": (f"{EXPORT} --format onnx --output {{file}}", "{file} is there already; give another --output"),
    "export, calibration": (
        f"{EXPORT} --format openvino --precision int8 --calibration_path /nope",
        "/nope/ImageSets/2016/train.txt does not exist; the data path must be a DAVIS folder",
    ),
    "own video, mask": (f"{SEGMENT} --mask /nope.png", "/nope.png does not exist; give a mask, --mask FILE"),
    "own videos, one folder of results": (
        f"{SEGMENT.replace('{frames}', '{frames} {frames}')}",
        "would have one folder",
    ),
    "own video, model": (f"{SEGMENT} --whole_model_path /nope", NO_MODEL),
    "live, mask": (f"{LIVE} --mask /nope.png", "/nope.png does not exist; give a mask, --mask FILE"),
    "live, model": (f"{LIVE} --whole_model_path /nope", NO_MODEL),
    "live, page": (f"{LIVE.replace(' --no_page', '')} --host nope.invalid", "--host nope.invalid is no address"),
    "live, input": ("osmn_live /nope.mp4 --mask {mask} --whole_model_path {model}", "/nope.mp4 does not exist"),
    "web page, model": ("osmn_app --whole_model_path /nope", NO_MODEL),
    "rescaling, weights": ("rescale_vgg /nope {frames} {out}", NO_MODEL),
    "rescaling, photographs": ("rescale_vgg {model} {davis}/ImageSets {out}", "holds no photographs (.jpg)"),
}
RIGHT = {"testing": EVAL, "online": ONLINE, "YouTube-VOS": f"{YTVOS} --only_testing", "calibration": CALIBRATE}
RIGHT |= {"training from random weights": TRAIN.replace("--whole_model_path {model} ", "")}
RIGHT |= {
    "YouTube-Objects": OBJECTS,
    "training": TRAIN,
    "folders": VOS,
    "export": EXPORT,
    "rescaling": RESCALE,
    "own video": f"{SEGMENT} --engine tensorflow",
    "live": f"{LIVE} --engine tensorflow",
}


@pytest.fixture(scope="module")
def ended(davis, tmp_path_factory):
    """Return {name: what a command line of WRONG or RIGHT ends with}, the places, and the files there before."""
    places = make_places(davis, tmp_path_factory.mktemp("places"))
    lines = {name: line for name, (line, _) in WRONG.items()} | {f"right {name}": line for name, line in RIGHT.items()}
    commands = {name: [word.format(**places) for word in line.split()] for name, line in lines.items()}
    before = sorted(places["out"].parent.rglob("*"))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(commands),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), places, before


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_in_one_line_without_tensorflow(ended, name):
    found, places, _ = ended
    (line,) = found[name].splitlines()
    assert line.startswith("error: ")
    assert WRONG[name][1].format(**places) in line


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_comes_to_the_import_of_tensorflow(ended, name):
    missing = [f"error: this needs {package}, which is not installed" for package in ("tensorflow", "keras")]
    assert ended[0][f"right {name}"].startswith(tuple(missing))


def test_checks_write_nothing(ended):
    _, places, before = ended
    assert sorted(places["out"].parent.rglob("*")) == before

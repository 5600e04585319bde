"""Places for the command lines of all scripts: paths that pass the checks before TensorFlow is imported."""

import json
import shutil


def make_places(davis, root):
    """Return {name: path} of data, of a model by its files' names alone, and of places to write to."""
    sequence = (davis / "ImageSets/2017/val.txt").read_text().split()[0]
    frames, masks = davis / "JPEGImages/480p" / sequence, davis / "Annotations/480p" / sequence
    shutil.copytree(frames, root / "ytvos/valid/JPEGImages/a")
    shutil.copytree(masks, root / "ytvos/valid/Annotations/a")
    listed = {"videos": {"a": {"objects": {"1": {"frames": sorted(path.stem for path in frames.iterdir())}}}}}
    (root / "ytvos/valid/meta.json").write_text(json.dumps(listed))
    shutil.copytree(frames, root / "objects/Images/cat_0001")
    shutil.copytree(masks, root / "objects/Labels/cat_0001")
    (root / "objects/all.txt").write_text("cat_0001\n")
    (root / "model.index").touch()
    (root / "model.json").write_text('{"base_model": "lite"}')
    (root / "file").touch()
    (root / "coco/annotations").mkdir(parents=True)
    (root / "coco/annotations/instances_train2017.json").touch()
    names = ("ytvos", "objects", "model", "file", "coco", "out")
    mask = masks / f"{min(path.stem for path in masks.iterdir())}.png"
    return {name: root / name for name in names} | {"davis": davis, "frames": frames, "mask": mask}

"""Bring YouTube-Objects into the layout that osmn_eval_youtube.py reads.

From `DATA_DIR/<class>/data/<NNNN>/shots/001/{images,labels}` it makes

    Images/<class>_<NNNN>/<image>       copies of the images
    Labels/<class>_<NNNN>/<image>.png   the labels, 8-bit grey: 255 where the label is above 127, else 0
    all.txt                             the names <class>_<NNNN>

    python preprocessing/preprocess_youtube.py DATA_DIR

A label belongs to the image of the same name but for the suffix (labels may be JPEGs). In a sequence where no names
agree, it belongs to the image of the same frame number, the last digits of the name: `labels/00011.png` to
`images/frame0011.jpg`. Images without a label are copied, except those before the first label: a sequence starts at a
known mask. What does not pair up is named at the end.

It may be interrupted and run again: every file is written whole or not at all, and a second run writes all of them
again. Of files that an earlier run made, those of images, labels and sequences that are there no more are removed.
"""

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

from osmn.cli.entry import reports_input_errors
from osmn.errors import InputError
from osmn.files import locks
from osmn.files.atomic import replacing
from osmn.files.generated import check_places, made_before, remade
from osmn.files.images import read_image, write_mask
from osmn.files.names import LONGEST_NAME, frame_files, listed_name, mask_files, subfolders
from osmn.parallel import in_processes, processors
from osmn.progress import progress_bar

THRESHOLD = 127  # As published: labels stored as JPEG are not exactly 0 and 255.


def pair(images, labels):
    """Return {image: label} of the paths in `images` and `labels` that belong together (see above)."""
    for key in (lambda path: path.stem, frame_number):
        by_key = {key(label): label for label in labels}
        pairs = {image: by_key[key(image)] for image in images if key(image) in by_key}
        if pairs:
            return pairs
    return {}


def frame_number(path):
    """Return the last number in a file's name; the stem itself if there is none."""
    numbers = re.findall(r"\d+", path.stem)
    return int(numbers[-1]) if numbers else path.stem


def convert_sequence(root, name, shot):
    """Copy the images of one sequence and write its labels, into `folders_made(name)` in `root`.

    Args:
        root: the data folder.
        name: of the sequence.
        shot: the folder that holds `images` and `labels`.

    Returns:
        Whether anything was written, and a list of lines that say what did not pair up.
    """
    labels_out, images_out = folders = folders_made(name)
    images, pairs, problems = matched(shot)
    names = [f"{images_out}/{image.name}" for image in images]
    names += [f"{labels_out}/{image.stem}.png" for image in pairs]
    with remade(root, folders, names, files_in(root, labels_out, images_out) if names else []):
        for image in images:
            with replacing(root / images_out / image.name) as temporary:
                shutil.copyfile(image, temporary)
            if image in pairs:
                mask = (read_image(pairs[image]) > THRESHOLD).any(axis=-1)
                write_mask(root / labels_out / f"{image.stem}.png", mask)
    return bool(names), problems


def matched(shot):
    """Return the images of a sequence from the first that has a label on, {image: label}, and lines on what is left."""
    missing = [f"{shot / name} does not exist" for name in ("images", "labels") if not (shot / name).is_dir()]
    if missing:
        return [], {}, missing
    images, labels = (list(frame_files(shot / name, required=False).values()) for name in ("images", "labels"))
    pairs = pair(images, labels)
    unused = [label.name for label in labels if label not in pairs.values()]
    unlabelled = [image.name for image in images if image not in pairs]
    problems = []
    if unused:
        problems.append(f"{shot / 'labels'}: no image for {', '.join(unused)}")
    if unlabelled:
        problems.append(f"{shot / 'images'}: no label for {', '.join(unlabelled)}")
    if not pairs:
        return [], {}, problems or [f"{shot} is empty"]
    return images[images.index(next(iter(pairs))) :], pairs, problems


def folders_made(name):
    """Return the folders that a sequence's labels and images are written into, relative to the data folder."""
    return f"Labels/{name}", f"Images/{name}"


def files_in(root, labels, images):
    """Return the names of the files in these two folders that testing takes for labels and images."""
    found = []
    for folder, files in ((labels, mask_files), (images, frame_files)):
        if (root / folder).is_dir():
            found += [f"{folder}/{path.name}" for path in files(root / folder, required=False).values()]
    return found


@reports_input_errors
def main(argv=None):
    """Run the command line `argv` (default: that of the process)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", metavar="DATA_DIR", type=Path, help="the folder that holds the classes' folders")
    root = parser.parse_args(argv).data_dir
    shots = {
        f"{category.name}_{video.name}": video / "shots" / "001"
        for category in subfolders(root)
        if (category / "data").is_dir()
        for video in subfolders(category / "data")
    }
    if not shots:
        raise InputError(
            f"{root} holds no <class>/data/<NNNN> folders; give the folder that YouTube-Objects was unpacked in"
        )
    for name, shot in shots.items():
        try:
            listed_name(name)
        except ValueError as error:
            raise InputError(f"{shot.parents[1]}: {error}, and cannot stand in all.txt; rename the folder") from None
        if len(os.fsencode(name)) > LONGEST_NAME:
            raise InputError(
                f"{shot.parents[1]}: the sequence would be named {name}, and a folder's name has {LONGEST_NAME} bytes"
                " at most; rename the folder"
            )
    jobs = [(root, name, shot) for name, shot in shots.items()]
    with locks.writing(root):
        gone = made_before(root / "Labels") - shots.keys()
        made = [folder for name in (*gone, *shots) for folder in folders_made(name)]
        check_places(root, made, [shot / name for shot in shots.values() for name in ("images", "labels")])
        results = list(
            progress_bar(in_processes(convert_sequence, jobs, processors()), total=len(jobs), unit="sequence")
        )
        names = [name for name, (written, _) in zip(shots, results, strict=True) if written]
        problems = [problem for _, problems in results for problem in problems]
        for problem in problems:
            print(f"warning: {problem}", file=sys.stderr)
        if not names:
            raise InputError(f"{root}: no sequence has an image with a label")
        for name in gone:
            with remade(root, folders_made(name), [], []):
                pass
        with replacing(root / "all.txt") as temporary:
            temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    left_out = f", {len(shots) - len(names)} left out (see the warnings)" if len(names) < len(shots) else ""
    print(f"{len(names)} sequences{left_out}: wrote {root / 'Images'}, {root / 'Labels'} and {root / 'all.txt'}")


if __name__ == "__main__":
    main()

"""Split the annotations of DAVIS into binary masks.

From `DATA_DIR/Annotations/480p/<sequence>/<frame>.png` (indexed) it makes, as 8-bit grey PNGs of values 0 and 255,

    Annotations/480p_split/<sequence>/<object>/<frame>.png   the objects: the labels of the first frame
    Annotations/480p_all/<sequence>/<frame>.png              the union of all labels

    python preprocessing/preprocess_davis.py DATA_DIR

It may be interrupted and run again: every file is written whole or not at all, and a second run writes all of them
again. Of masks that an earlier run made, those of objects, frames and sequences that are there no more are removed.
"""

import argparse
from pathlib import Path

import numpy as np

from osmn.cli.entry import reports_input_errors
from osmn.data.davis import labels_shown
from osmn.errors import InputError
from osmn.files import locks
from osmn.files.generated import check_places, made_before, remade
from osmn.files.images import read_labels, write_mask
from osmn.files.names import mask_files, subfolders
from osmn.parallel import in_processes, processors
from osmn.progress import progress_bar


def split_sequence(root, name):
    """Write the masks of one sequence.

    Args:
        root: the folder Annotations.
        name: of the sequence.
    """
    split, union = folders = folders_made(name)
    frames = mask_files(root / "480p" / name)
    first = next(iter(frames.values()))
    objects = {number: f"{split}/{number}" for number in labels_shown(object_ids(read_labels(first)), first)}
    names = [f"{folder}/{frame}.png" for folder in (union, *objects.values()) for frame in frames]
    with remade(root, folders, names, masks_in(root, split, union)):
        for frame, path in frames.items():
            labels = object_ids(read_labels(path))
            write_mask(root / union / f"{frame}.png", labels > 0)
            for number, folder in objects.items():
                write_mask(root / folder / f"{frame}.png", labels == number)


def folders_made(name):
    """Return the folders, in Annotations, that a sequence's masks of each object and of all are written into."""
    return f"480p_split/{name}", f"480p_all/{name}"


def masks_in(root, split, union):
    """Return the names of the files in these two folders that training takes for masks, relative to `root`."""
    folders = [union]
    if (root / split).is_dir():
        folders += [f"{split}/{path.name}" for path in subfolders(root / split) if path.name.isdecimal()]
    there = [folder for folder in folders if (root / folder).is_dir()]
    return [f"{folder}/{path.name}" for folder in there for path in mask_files(root / folder, required=False).values()]


def object_ids(labels):
    """Return labels (H, W) with object 1 for 255 where that is the only label, as in a download of DAVIS 2016."""
    return labels // 255 if np.isin(labels, (0, 255)).all() else labels


@reports_input_errors
def main(argv=None):
    """Run the command line `argv` (default: that of the process)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", metavar="DATA_DIR", type=Path, help="the folder that holds DAVIS's Annotations/")
    annotations = parser.parse_args(argv).data_dir / "Annotations"
    sequences = subfolders(annotations / "480p")
    if not sequences:
        raise InputError(f"{annotations / '480p'} holds no sequences (folders of annotations)")
    jobs = [(annotations, path.name) for path in sequences]
    with locks.writing(annotations):
        gone = made_before(annotations / "480p_split") - {path.name for path in sequences}
        made = [folder for name in (*gone, *(path.name for path in sequences)) for folder in folders_made(name)]
        check_places(annotations, made, sequences)
        for _ in progress_bar(in_processes(split_sequence, jobs, processors()), total=len(jobs), unit="sequence"):
            pass
        for name in gone:
            with remade(annotations, folders_made(name), [], []):
                pass
    print(f"{len(sequences)} sequences: wrote {annotations / '480p_split'} and {annotations / '480p_all'}")


if __name__ == "__main__":
    main()

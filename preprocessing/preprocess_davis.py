"""Split the annotations of DAVIS into binary masks.

From `DATA_DIR/Annotations/480p/<sequence>/<frame>.png` (indexed) it makes, as 8-bit grey PNGs of values 0 and 255,

    Annotations/480p_split/<sequence>/<object>/<frame>.png   the objects, each from its first frame on
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
from osmn.data.folders import VOID
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
    labels = object_ids({frame: read_labels(path) for frame, path in frames.items()})
    objects = {}  # {object id: names of the frames from the first on that shows it}
    for place, frame in enumerate(frames):
        for number in labels_shown(labels[frame]):
            objects.setdefault(number, list(frames)[place:])
    names = [f"{union}/{frame}.png" for frame in frames]
    names += [f"{split}/{number}/{frame}.png" for number, of_object in objects.items() for frame in of_object]
    with remade(root, folders, names, masks_in(root, split, union)):
        for frame in frames:
            write_mask(root / union / f"{frame}.png", (labels[frame] > 0) & (labels[frame] != VOID))
            for number, of_object in objects.items():
                if frame in of_object:
                    write_mask(root / split / str(number) / f"{frame}.png", labels[frame] == number)


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
    """Return {frame: labels (H, W)} with object 1 for 255 where no frame has another label, as in DAVIS 2016."""
    if all(np.isin(of_frame, (0, VOID)).all() for of_frame in labels.values()):
        return {frame: of_frame // VOID for frame, of_frame in labels.items()}
    return labels


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

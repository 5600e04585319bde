"""Split the annotations of DAVIS into binary masks.

From `DATA_DIR/Annotations/480p/<sequence>/<frame>.png` (indexed) it makes, as 8-bit grey PNGs of values 0 and 255,

    Annotations/480p_split/<sequence>/<object>/<frame>.png   the objects 1 to the largest label of the first frame
    Annotations/480p_all/<sequence>/<frame>.png              the union of all labels

    python preprocessing/preprocess_davis.py DATA_DIR

It may be interrupted and run again: every file is written whole or not at all, and a second run writes all of them
again.
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from osmn.errors import InputError, reports_input_errors
from osmn.files import read_labels, remove_unfinished, write_mask
from osmn.folders import mask_files, subfolders
from osmn.processes import in_processes, processors


def split_sequence(annotations, split, union):
    """Write the masks of one sequence.

    Args:
        annotations: the folder of its indexed annotations.
        split: the folder that gets one folder of binary masks per object.
        union: the folder that gets the masks of all objects together.
    """
    frames = mask_files(annotations)
    first = object_ids(read_labels(next(iter(frames.values()))))
    folders = {number: split / str(number) for number in range(1, int(first.max()) + 1)}
    for folder in (union, *folders.values()):
        remove_unfinished(folder)
    for name, path in frames.items():
        labels = object_ids(read_labels(path))
        write_mask(union / f"{name}.png", labels > 0)
        for number, folder in folders.items():
            write_mask(folder / f"{name}.png", labels == number)


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
    jobs = [(path, annotations / "480p_split" / path.name, annotations / "480p_all" / path.name) for path in sequences]
    for _ in tqdm(in_processes(split_sequence, jobs, processors()), total=len(jobs), unit="sequence"):
        pass
    print(f"{len(sequences)} sequences: wrote {annotations / '480p_split'} and {annotations / '480p_all'}")


if __name__ == "__main__":
    main()

"""The frames of a dataset's video files, such as UVO's, in folders."""

from pathlib import Path

from osmn.errors import InputError
from osmn.files import locks
from osmn.files.atomic import named_write_errors, remove_unfinished, temporary_folder
from osmn.files.images import write_image
from osmn.files.overlap import refuse_inputs_inside_outputs
from osmn.progress import progress_bar
from osmn.user_video.media.reader import open_frames


def extract(source: Path | str, folder: Path | str) -> tuple[int, int]:
    """Write <folder>/<video>/<number>.png, numbered from 0, of each video file in `source`.

    A folder that is there is of an earlier run, which has finished it, and stays. Returns (videos, those that were
    there). Raises InputError if there is no video, if one cannot be decoded, or if a frame cannot be written.
    """
    source, folder = Path(source), Path(folder)
    if not source.is_dir():
        raise InputError(f"{source} is no folder; give the folder that has the video files")
    paths = sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise InputError(f"{source} has no video files; give the folder that has them")
    names = [path.stem for path in paths]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{source} has two files named {twice}; keep one of them")
    refuse_inputs_inside_outputs(paths, [folder])
    there = 0
    with locks.writing(folder):
        remove_unfinished(folder, deep=False)
        for path in progress_bar(paths, brief=True, desc="frames", unit="video"):
            done = folder / path.stem
            if done.is_dir():
                there += 1
                continue
            with open_frames(path) as frames, named_write_errors(done), temporary_folder(folder) as unfinished:
                for frame in frames:
                    write_image(unfinished / f"{frame.number}.png", frame.image)
                unfinished.rename(done)
    return len(paths), there

"""Bring masks from a dataset's own files into folders for osmn_vos.py, and results back into such a file.

"osmn_import.py burst annotations/val/all_classes.json MASKS" writes MASKS/<video>/<object>/<frame>.png; then
"osmn_vos.py --frames frames/val --masks MASKS --rule sav --result_path OUT" segments and scores the videos, and
"osmn_import.py burst annotations/val/all_classes.json results.json --masks MASKS --result_path OUT" writes OUT as the
dataset's own scorer takes it. burst: BURST. ytvis: YouTube-VIS, OVIS, UVO. png16: VIPSeg, KITTI MOTS, MOTSChallenge,
whose folders of masks of 16 bits take the place of the JSON file. frames: a folder of video files, such as UVO's, whose
frames become FRAMES/<video>/<number>.png, numbered from 0.
"""

import dataclasses
from dataclasses import field

from osmn.cli import options
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.data.tracks import FORMATS, read_file
from osmn.errors import InputError
from osmn.options import option


@dataclasses.dataclass(frozen=True)
class Files:
    """What is read and written."""

    kind: str = field(metadata=option("kind of the files", choices=(*FORMATS, "png16", "frames"), positional=True))
    source: str = field(
        metadata=option("JSON file with the masks, folder of folders of masks, or of videos", positional=True)
    )
    output: str = field(metadata=option("folder of the masks or frames, or JSON file of the results", positional=True))
    masks: str | None = field(default=None, metadata=option("for results: the folder that was written before"))
    result_path: str | None = field(default=None, metadata=option("for results: their folder"))


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(Files)
    return to


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parser().parse(argv)
    files = read(args, Files)
    if files.masks or files.result_path:
        options.required(args, "masks", "result_path")
    from osmn.results import track_files

    if files.kind not in FORMATS and files.result_path:
        raise InputError(
            f"results go back into JSON files alone, --masks and --result_path do nothing for {files.kind}"
        )
    if files.kind == "frames":
        from osmn.user_video import frame_folders

        count, there = frame_folders.extract(files.source, files.output)
        print(f"written: {files.output}, the frames of {count} videos" + (f", {there} of them before" if there else ""))
        return
    if files.kind == "png16":
        count, videos = track_files.import_wide_labels(files.source, files.output)
        print(f"written: {files.output}, {count} masks of {videos} videos")
        return
    content, videos = read_file(files.source, files.kind)
    if files.result_path:
        track_files.export_results(files.output, files.kind, content, files.masks, files.result_path)
        print(f"written: {files.output}, results of {len(videos)} videos")
    else:
        count = track_files.import_masks(files.source, videos, files.output)
        print(f"written: {files.output}, {count} masks of {len(videos)} videos")


if __name__ == "__main__":
    main()

"""Datasets whose folders, rule of scoring and archive are known by name: a row each (doc/datasets.md)."""

import dataclasses
import logging
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple

from osmn.data.folders import Folders
from osmn.errors import InputError
from osmn.evaluation.rules import RULES
from osmn.evaluation.sources import Source, of_folders, of_ytvos
from osmn.files.names import subfolders
from osmn.options import option

logger = logging.getLogger(__name__)


class Preset(NamedTuple):
    """A dataset in folders; paths are below the dataset's own folder, and `{split}` stands for the split's name.

    Attributes:
        frames: the folder of the videos' frames.
        masks: the folder of the videos' masks.
        listed: the list of the videos; "" where the folders of masks tell.
        videos: the folder of video files whose frames `osmn_import.py frames` writes into `frames`; "" where frames are
            files.
        once_listed: where an earlier release of the dataset has that list; "" where none has it elsewhere.
        split: the split that is segmented where none is asked for.
        rule: the name of the rule that the dataset scores by.
        archive: a name of `results.archive.FORMS`: what its server takes of a dataset without `tracks`.
        single: all labels above 0 are one object.
        tracks: JSON files, or a folder of folders of masks of 16 bits: the first that exists has the masks, and `masks`
            is made of it; none of them where the dataset has folders of masks.
        kind: the name of their format, of `data.tracks.FORMATS`, or "png16".
    """

    frames: str
    masks: str
    listed: str
    split: str
    rule: str
    archive: str = "videos"
    single: bool = False
    tracks: tuple[str, ...] = ()
    kind: str = "burst"
    videos: str = ""
    once_listed: str = ""

    def folders(self, data_path: Path | str, split: str | None = None) -> Folders:
        """Return the dataset's `Folders` below `data_path`."""
        root, split = Path(data_path), split or self.split
        paths = (self.frames.format(split=split), self.masks.format(split=split), self.listed.format(split=split))
        files = [root / path.format(split=split) for path in self.tracks]
        tracks = next((path for path in files if path.exists()), files[0] if files else None)
        frames, masks, listed = root / paths[0], root / paths[1], root / paths[2] if paths[2] else None
        once = root / self.once_listed.format(split=split)
        if listed is not None and not listed.is_file() and once.is_file():
            listed = once
        return Folders(frames, masks, listed, self.single, tracks, self.kind)

    def fits(self, data_path: Path | str) -> bool:
        """Tell whether a folder holds the dataset's frames, masks and lists."""
        found = self.folders(data_path)
        masks = found.masks.is_dir() if found.tracks is None else found.tracks.exists()
        return found.frames.is_dir() and masks and (found.listed is None or found.listed.parent.is_dir())


_SPLIT_FIRST = "{split}/JPEGImages", "{split}/Annotations"
PRESETS = {
    "burst": Preset(
        "frames/{split}",
        "annotations/{split}/.osmn-masks",
        "",
        "val",
        "sav",
        "objects",
        tracks=("annotations/{split}/all_classes.json", "annotations/{split}/first_frame_annotations.json"),
    ),
    "davis2016": Preset(
        "JPEGImages/480p",
        "Annotations/480p",
        "ImageSets/2016/{split}.txt",
        "val",
        "davis",
        single=True,
        once_listed="ImageSets/480p/{split}.txt",
    ),
    "davis2017": Preset("JPEGImages/480p", "Annotations/480p", "ImageSets/2017/{split}.txt", "val", "davis"),
    "lvos": Preset(*_SPLIT_FIRST, "", "valid", "lvos", "annotations"),
    "mose": Preset(*_SPLIT_FIRST, "", "valid", "davis"),
    "mosev2": Preset(*_SPLIT_FIRST, "", "valid", "mose2"),
    "ovis": Preset(
        "{split}", "{split}/.osmn-masks", "", "train", "ytvos", tracks=("annotations_{split}.json",), kind="ytvis"
    ),
    "pumavos": Preset("JPEGImages", "Annotations", "", "all", "sav"),
    "sav": Preset("JPEGImages_24fps", "Annotations_6fps", "{split}.txt", "sav_val", "sav", "objects"),
    "uvo": Preset(
        "uvo_videos_dense_frames",
        "VideoDenseSet/.osmn-masks-{split}",
        "",
        "val",
        "ytvos",
        tracks=("VideoDenseSet/UVO_video_{split}_dense.json",),
        kind="ytvis",
        videos="uvo_videos_dense",
    ),
    "vipseg": Preset(
        "imgs", ".osmn-masks", "{split}.txt", "val", "ytvos", "objects", tracks=("panomasks",), kind="png16"
    ),
    "visor": Preset("JPEGImages/480p", "Annotations/480p", "ImageSets/2022/{split}.txt", "val", "visor"),
    "vost": Preset("JPEGImages_10fps", "Annotations", "ImageSets/{split}.txt", "val", "vost"),
    "ytvis": Preset(
        "{split}/JPEGImages",
        "{split}/.osmn-masks",
        "",
        "train",
        "ytvos",
        tracks=("{split}/instances.json", "{split}.json"),
        kind="ytvis",
    ),
}
YTVOS = "ytvos"  # It says in meta.json, not in folders, which objects are where.
SIGNS = {  # Files that these datasets alone have.
    "lvos": "{split}/{split}_meta.json",
    "mosev2": "meta_{split}.json",
    YTVOS: "{split}/meta.json",
}
NAMES = tuple(sorted((*PRESETS, YTVOS)))


@dataclasses.dataclass(frozen=True)
class VosData:
    """Videos in folders, of a dataset that is known by name or of any other, and how they are scored."""

    data_path: str | None = field(
        default=None, metadata=option("folder of the dataset that --dataset names", nargs="?", positional=True)
    )
    dataset: str | None = field(default=None, metadata=option("name of the dataset", choices=NAMES))
    split: str | None = field(default=None, metadata=option("split of the dataset (default: that of its evaluation)"))
    frames: str | None = field(default=None, metadata=option("folder of the videos' frames, in place of the dataset's"))
    masks: str | None = field(default=None, metadata=option("folder of the videos' masks, in place of the dataset's"))
    list: str | None = field(
        default=None, metadata=option("text file with the names of the videos (default: all that have masks)")
    )
    rule: str | None = field(
        default=None, metadata=option("what is scored (default: as the dataset does, else davis)", choices=tuple(RULES))
    )
    unseen: str | None = field(
        default=None,
        metadata=option(
            "text file with the names of videos (ytvos: categories) that training had nothing like: their scores apart"
        ),
    )

    def source(self) -> Source:
        """Return the videos with their rule and archive.

        Raises InputError if they are not said, or said twice.
        """
        if self.dataset == YTVOS:
            return self._of_ytvos()
        if self.dataset is None:
            if self.frames and self.masks and self.split:
                raise InputError(f"--split {self.split} is of a --dataset; for folders, --list FILE names their videos")
            if not (self.frames and self.masks) or self.data_path:
                raise InputError("give DATA_PATH and --dataset NAME, or --frames FOLDER and --masks FOLDER")
            found, rule, archive = Folders(Path(self.frames), Path(self.masks)), "davis", "videos"
        else:
            if not self.data_path:
                raise InputError(f"give DATA_PATH, the folder of {self.dataset}")
            preset = PRESETS[self.dataset]
            _check(self.data_path, self.dataset, self.split, self.frames, self.masks)
            found, rule, archive = preset.folders(self.data_path, self.split), preset.rule, preset.archive
        paths = {"frames": self.frames, "masks": self.masks, "listed": self.list}
        given: dict[str, Any] = {name: Path(path) for name, path in paths.items() if path}
        if self.masks:  # The user's own, which are made of no file of the dataset, and must not be written into.
            given["tracks"] = None
        found = dataclasses.replace(found, **given)
        return of_folders(found, RULES[self.rule or rule], archive, self.unseen)

    def _of_ytvos(self) -> Source:
        said = [name for name in ("frames", "masks", "list", "rule") if getattr(self, name)]
        if said:
            raise InputError(f"--{said[0]} does nothing for ytvos, whose meta.json says it; leave it out")
        if not self.data_path:
            raise InputError("give DATA_PATH, the folder of ytvos")
        split = self.split or "valid"
        meta = Path(self.data_path) / SIGNS[YTVOS].format(split=split)
        if not meta.is_file():
            raise _missing(meta, self.data_path, YTVOS)
        return of_ytvos(self.data_path, split, self.unseen)


def _check(data_path: str, name: str, split: str | None, *given: str | None) -> None:
    """Raise InputError if a folder does not have a dataset's folders; `given` are those that are said apart.

    A warning says if the folder has a file that tells of another dataset.
    """
    wanted = PRESETS[name].folders(data_path, split)
    masks = (wanted.masks, wanted.masks.is_dir()) if wanted.tracks is None else (wanted.tracks, wanted.tracks.exists())
    needed = zip(((wanted.frames, wanted.frames.is_dir()), masks), given, strict=True)
    for path in [path for (path, there), other in needed if not other and not there]:
        videos = Path(data_path) / PRESETS[name].videos
        if path == wanted.frames and PRESETS[name].videos and videos.is_dir():
            raise InputError(f"{path} does not exist; python osmn_import.py frames {videos} {path} makes it")
        raise _missing(path, data_path, name)
    signs = _signs(Path(data_path), split or PRESETS[name].split)
    if signs and name not in signs:
        other, path = next(iter(signs.items()))
        logger.warning(f"{path} is that of {other}: --dataset {other} takes the folder as what it is")


def _signs(folder: Path, split: str) -> dict[str, Path]:
    """Return {name: path} of the files in a folder that tell of a dataset."""
    paths = {name: folder / sign.format(split=split) for name, sign in SIGNS.items()}
    return {name: path for name, path in paths.items() if path.is_file()}


def _like(folder: Path) -> list[str]:
    """Return the names of the datasets that a folder looks like, of those with a list if there are such."""
    fitting = [name for name, preset in PRESETS.items() if name not in SIGNS and preset.fits(folder)]
    return [*_signs(folder, "valid")] or [name for name in fitting if PRESETS[name].listed] or fitting


def _missing(path: Path, data_path: Path | str, name: str) -> InputError:
    """Return the error of a dataset that lacks a path; it says what the folder or one near it looks like."""
    folder = Path(data_path)
    inner = subfolders(folder) if folder.is_dir() else []
    places = [(place, like) for place in (folder, folder.absolute().parent, *inner) if (like := _like(place))]
    of_name = [(place, like) for place, like in places if name in like]
    hint = ""
    for place, like in [*of_name, *places][:1]:
        hint = f"; {place} looks like {name if name in like else ' or '.join(like)}"
    return InputError(f"{path} does not exist, as {name} has it{hint}; check DATA_PATH, --dataset and --split")

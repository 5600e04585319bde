"""Videos in folders, of any dataset: <frames>/<video>/<frame>, and masks in either of two layouts.

<masks>/<video>/<frame>.png are labels: each object has an id. <masks>/<video>/<object>/<frame>.png are binary: each
object has a folder, and objects may overlap. The folders of videos may lie in folders themselves, such as BURST's
<dataset>/<video>. An object is given by the first mask that shows it, and by its own pixels there.
"""

import concurrent.futures
import dataclasses
import functools
import itertools
import logging
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from osmn.data.types import Example, Guide, Reference, Video
from osmn.errors import InputError, in_short
from osmn.files.images import has_soft_borders, read_labels
from osmn.files.names import FRAME_SUFFIXES, frame_files, mask_files, natural_key, plain_name, read_lines, subfolders
from osmn.masks import covered_shares, labels_in, shows_enough
from osmn.progress import progress_bar

VOID = 255  # Beside the ids of objects: pixels that nobody has decided.
MOST_OBJECTS = 255

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Folders:
    """Where a dataset has its videos.

    Attributes:
        frames: the folder of the videos' folders of frames.
        masks: the folder of the videos' folders of masks.
        listed: a text file of the videos' names, or of paths of their frames, as DAVIS 2016 has it; None: the videos
            are the folders that have masks.
        single: all labels above 0 are one object, without id.
        tracks: a JSON file, or a folder of masks of 16 bits, that `masks` is made of; None where the dataset has masks.
        kind: the name of its format, of `tracks.FORMATS`, or "png16".
    """

    frames: Path
    masks: Path
    listed: Path | None = None
    single: bool = False
    tracks: Path | None = None
    kind: str = "burst"

    @property
    def names(self) -> list[str]:
        """The names of the videos, in the list's order, or in natural order; InputError if there is none."""
        if self.listed is not None:
            return _listed(self.listed, self.frames)
        names = [path.relative_to(self.masks).as_posix() for path in _video_folders(self.masks, self.frames)]
        if not names and mask_files(self.masks, required=False):
            raise InputError(
                f"{self.masks} is the folder of one video; give the folder of its folder, of {self.frames} too"
            )
        if not names:
            subfolders(self.frames)  # Its InputError, where it is not there.
            raise InputError(f"{self.masks} has no folder that {self.frames} has too; check both paths")
        return names

    @property
    def origin(self) -> dict[str, str]:
        """{name: path} of where the videos come from, for a manifest."""
        return {"data_path": str(self.masks), "frames": os.path.realpath(self.frames)}

    def videos(self) -> list[Video]:
        """Return the `Video`s, read anew; raise InputError if there is none, or as `video` does."""
        names = self.names
        if self.listed is None:
            taken = {name.partition("/")[0] for name in names}
            others = [path.name for path in subfolders(self.masks) if path.name not in taken]
            if others:
                logger.info(f"{self.frames} has no frames of {in_short(', '.join(others))}: left out")
        bar = progress_bar(names, brief=True, desc="masks", unit="video", leave=False)
        found = [each for name in bar if (each := video(self, name)) is not None]
        if not found:
            raise InputError(f"{self.masks} has no video with an object")
        return found


def _video_folders(masks: Path, frames: Path) -> list[Path]:
    """Return the folders of masks whose videos have frames, at most two levels deep."""
    found = []
    for folder in subfolders(masks):
        inner = [path for path in subfolders(folder) if (frames / path.relative_to(masks)).is_dir()]
        found += inner or ([folder] if (frames / folder.name).is_dir() else [])
    return found


def _listed(path: Path, frames: Path) -> list[str]:
    """Return the names of the videos in a list: folders of `frames`, a line each, or what `_video_of` finds."""
    names: dict[str, None] = {}
    others = sorted(other.stem for other in path.parent.glob("*.txt"))
    splits = f", or --split one of {in_short(', '.join(others))}" if others else ""
    for line in read_lines(path, f"give --list the file that names the videos{splits}"):
        try:
            whole = "/".join(map(plain_name, line.split("/")))  # A name may have spaces in it.
        except ValueError:
            whole = ""
        first, *others = line.split()
        if whole and (frames / whole).is_dir():
            found = [whole]
        elif PurePosixPath(first).suffix.lower() in FRAME_SUFFIXES:  # The mask of this frame may follow.
            found = [_video_of(path, PurePosixPath(first).parent.as_posix(), frames)]
        else:
            found = [_video_of(path, name, frames) for name in (first, *others)]
        names |= dict.fromkeys(found)
    return list(names)


def _video_of(path: Path, name: str, frames: Path) -> str:
    """Return the end of a name or path in the list `path` that is a folder of `frames`, at most two levels deep.

    Raises InputError if there is none.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    for end in ("/".join(parts[-2:]), *parts[-1:]):
        for tail in (end, end.removesuffix(PurePosixPath(end).suffix)):  # Some lists name files of videos.
            try:
                whole = "/".join(map(plain_name, tail.split("/")))
            except ValueError as error:
                raise InputError(f"{path}: {error}; correct it") from None
            if (frames / whole).is_dir():
                return whole
    raise InputError(f"{path} names {name}, but {frames / (parts[-1] if parts else name)} does not exist; check both")


def frames_of(folders: Folders, name: str) -> dict[str, Path]:
    """Return {frame name: path}, in order, of a video's frames; PNGs beside JPEGs in a folder of both are its masks."""
    folder, masks = folders.frames / name, folders.masks / name
    both = masks.is_dir() and folder.is_dir() and masks.samefile(folder)
    return frame_files(folder, leave_out=mask_files(masks, required=False).values() if both else ())


@dataclass(frozen=True)
class Annotations:
    """The masks of a video.

    Attributes:
        labels: {frame name: path} of masks that show all objects by their ids; empty where objects have folders.
        objects: {object id: {frame name: path}} of the objects that have folders; ids count from 1.
        names: {object id: the name of its folder}, for these objects.
        single: all labels above 0 are one object, without id.
    """

    labels: Mapping[str, Path]
    objects: Mapping[int, Mapping[str, Path]]
    names: Mapping[int, str]
    single: bool = False

    @property
    def frames(self) -> set[str]:
        """The names of the annotated frames."""
        return {*self.labels}.union(*self.objects.values())

    @property
    def first_mask(self) -> Path:
        """The path of a mask of the first frame of those that have masks."""
        return next(path for masks in (self.labels, *self.objects.values()) for path in masks.values())

    def mask(self, object_id: int | None, frame: str) -> Path:
        """Return the path of the mask that shows an object in an annotated frame."""
        own = self.objects.get(object_id or 0)
        return self.labels[frame] if own is None else own[frame]


def annotations(folders: Folders, name: str) -> Annotations:
    """Return the `Annotations` of a video.

    Raises InputError if its folder has no masks, or more objects than a mask has labels.
    """
    folder = folders.masks / name
    labels = mask_files(folder, required=False)
    own = [] if labels else [path for path in subfolders(folder) if mask_files(path, required=False)]
    if not labels and not own:
        raise InputError(f"{folder} has no masks: neither <frame>.png nor <object>/<frame>.png; check the path")
    if len(own) > MOST_OBJECTS:
        raise InputError(f"{folder} has {len(own)} objects; at most {MOST_OBJECTS} can be segmented at a time")
    return Annotations(
        labels,
        {number: mask_files(path) for number, path in enumerate(own, 1)},
        {number: path.name for number, path in enumerate(own, 1)},
        folders.single,
    )


def annotated(folders: Folders, name: str) -> tuple[dict[str, Path], Annotations]:
    """Return {frame name: path}, in order, of a video's frames, and its `Annotations` by the names of the frames.

    Masks may have other names than frames where the last number in each name tells which belong together, such as 0.jpg
    and 00000.png. Raises InputError if a folder does not exist, or if a mask has no frame.
    """
    frames, found = frames_of(folders, name), annotations(folders, name)
    if found.frames - frames.keys():
        objects = {object_id: _by_number(own, frames) for object_id, own in found.objects.items()}
        found = dataclasses.replace(found, labels=_by_number(found.labels, frames), objects=objects)
    missing = sorted(found.frames - frames.keys(), key=natural_key)
    if missing:
        named = (
            "" if found.frames & frames.keys() else f"; its frames are named {next(iter(frames))}, ...: rename either"
        )
        raise InputError(
            f"{folders.frames / name} has no frame {missing[0]}, though {folders.masks / name} has its mask{named}"
        )
    return frames, found


def _by_number(masks: Mapping[str, Path], frames: Collection[str]) -> Mapping[str, Path]:
    """Return masks by the names of the frames of the same numbers; as they are where numbers do not tell each frame."""
    of_number = {_last_number(name): name for name in frames}
    numbers = [_last_number(name) for name in masks]
    if None in numbers or len({*numbers}) < len(masks) or len(of_number) < len(frames) or {*numbers} - {*of_number}:
        return masks
    return {of_number[number]: path for number, path in zip(numbers, masks.values(), strict=True)}


def _last_number(name: str) -> int | None:
    """Return the last number in a name; None if there is none."""
    found = re.findall(r"\d+", name)
    return int(found[-1]) if found else None


def shown(path: Path) -> tuple[int, ...]:
    """Return the labels above 0 in a mask, in their order.

    They are remembered, until the file changes: segmenting and scoring ask for the same.
    """
    state = path.stat() if path.is_file() else None
    return _shown(path, (state.st_mtime_ns, state.st_size) if state else None)


@functools.cache
def _shown(path: Path, _: tuple[int, int] | None) -> tuple[int, ...]:
    return labels_in(read_labels(path))


def presence(found: Annotations, frames: Iterable[str]) -> Iterator[tuple[str, tuple[int | None, ...]]]:
    """Yield (frame name, ids of the objects that its masks show) of each annotated frame, in the order of `frames`.

    `VOID` is no object. In a video whose masks have no other label it is the one object, without id: None.
    """
    order = [name for name in frames if name in found.frames]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        if found.objects:
            for name in order:
                ids = [object_id for object_id, own in found.objects.items() if name in own]
                masks = pool.map(lambda object_id, frame=name: shown(found.objects[object_id][frame]), ids)
                yield name, tuple(object_id for object_id, labels in zip(ids, masks, strict=True) if labels)
            return
        all_labels = list(pool.map(shown, (found.labels[name] for name in order)))
    if found.single or {label for labels in all_labels for label in labels} == {VOID}:
        yield from ((name, (None,) if labels else ()) for name, labels in zip(order, all_labels, strict=True))
    else:
        for name, labels in zip(order, all_labels, strict=True):
            yield name, tuple(label for label in labels if label != VOID)


def starts(found: Annotations, frames: Iterable[str]) -> dict[str, list[int | None]]:
    """Return {frame name: ids of the objects whose first mask is of that frame}, in the order of `frames`."""
    begun: dict[str, list[int | None]] = {}
    known: set[int | None] = set()
    for name, ids in presence(found, frames):
        new = [object_id for object_id in ids if object_id not in known]
        known.update(new)
        if new:
            begun[name] = new
        if found.objects and len(known) == len(found.objects):
            break  # The ids of labels are known only at the end.
    return begun


def video(folders: Folders, name: str) -> Video | None:
    """Return the `Video`, whose objects may appear in any frame; None, with a warning, if no mask shows an object.

    Raises InputError if a folder does not exist, or if a mask has no frame.
    """
    frames, found = annotated(folders, name)
    if found.first_mask.stem not in frames:
        frame = next(frame for frame in frames if frame in found.frames)
        logger.info(f"{folders.masks / name}: {found.first_mask.name} is of frame {frame}, by the numbers in the names")
    begun = starts(found, frames)
    if not begun:
        logger.warning(f"{folders.masks / name} shows no object: left out")
        return None
    if has_soft_borders(found.first_mask):
        logger.info(f"{folders.masks / name} has masks with soft borders: half and more is the object")
    numbers = {frame: number for number, frame in enumerate(frames)}
    references = {}
    for frame, ids in begun.items():
        own = {object_id: found.objects[object_id][frame] for object_id in ids if object_id} if found.objects else None
        mask = next(iter(own.values())) if own else found.labels[frame]
        references[numbers[frame]] = Reference(mask, tuple(ids), own)
    return Video(name, tuple(frames.values()), references, object_names=found.names or None)


def examples(where: Folders, validity: tuple[float, float] | None = None) -> list[Example]:
    """Return the training `Example`s: every two consecutive masks of an object that show it.

    `validity` is as in `osmn.data.davis.examples`. Raises InputError as `video` does, or if there is no example.
    """
    found: list[Example] = []
    bar = progress_bar(where.names, brief=True, desc="masks", unit="video", leave=False)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for name in bar:
            frames, masks = annotated(where, name)
            shown: dict[int | None, dict[int, Guide]] = {}
            for number, (frame, ids) in enumerate(presence(masks, frames)):
                for object_id in ids:
                    path = masks.mask(object_id, frame)
                    shown.setdefault(object_id, {})[number] = Guide(str(frames[frame]), str(path))
            for object_id, masks_of in shown.items():
                label = 0 if object_id is None or object_id in masks.objects else object_id
                guides = _guides(list(masks_of.values()), label, validity, pool)
                for (before, a), (number, b) in itertools.pairwise(masks_of.items()):
                    if number == before + 1:  # No mask without the object lies between.
                        found.append(Example(guides, a.mask, b.frame, b.mask, label))
    if not found:
        raise InputError(f"{where.masks} has no object with two consecutive masks: there is nothing to train on")
    return found


def _guides(
    shown: list[Guide], label: int, validity: tuple[float, float] | None, pool: concurrent.futures.Executor
) -> tuple[Guide, ...]:
    """Return the guides of an object that is shown in these frames: the first, or those that show enough of it."""
    if validity is None:
        return (shown[0],)

    def enough(guide: Guide) -> bool:
        labels = read_labels(guide.mask)
        return shows_enough(covered_shares(labels == label if label else labels > 0), validity)

    return tuple(guide for guide, valid in zip(shown, pool.map(enough, shown), strict=True) if valid) or (shown[0],)

"""YouTube-VOS: the content of its meta.json, its videos with their objects, and its training examples."""

import concurrent.futures
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from osmn.data.types import Example, Guide, Reference, Video
from osmn.errors import InputError
from osmn.files.cache import cached
from osmn.files.images import read_labels
from osmn.files.names import frame_files, natural_key, plain_name
from osmn.files.sealed_json import read_json
from osmn.masks import covered_shares, shows_enough
from osmn.progress import progress_bar

CACHE_VERSION = 1
OBJECT_IDS = {str(i) for i in range(1, 256)}  # As meta.json writes them.


class Listing(NamedTuple):
    """What meta.json says of a video; frames are named without suffix and are in order.

    Attributes:
        name: the video's name.
        objects_by_frame: {frame name: ids of the objects listed for it}.
        starts: {object id: name of the first frame that lists it}.
        categories: {object id: category, or None if meta.json does not say it}.
    """

    name: str
    objects_by_frame: dict[str, list[int]]
    starts: dict[int, str]
    categories: dict[int, str | None]


def read_listings(data_path: Path | str, split: str) -> list[Listing]:
    """Return the Listings of the videos in DATA_PATH/<split>/meta.json that have objects.

    Raises InputError if the file cannot be read, if it is no meta.json, or if it lists no video with objects.
    """
    path = Path(data_path) / split / "meta.json"
    try:
        listed = read_json(path)["videos"]
        listings = [_listing(name, entry["objects"]) for name, entry in sorted(listed.items()) if entry["objects"]]
    except OSError as error:
        if path.with_name(f"{split}_meta.json").is_file():
            raise InputError(f"{data_path} looks like LVOS; run osmn_vos.py {data_path} --dataset lvos") from None
        raise InputError(f"{path} cannot be read ({error.strerror}); DATA_PATH must be a YouTube-VOS folder") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(f"{path} is not a YouTube-VOS meta.json ({_reason(error)}); download it again") from None
    if not listings:
        raise InputError(f"{path} lists no video with objects; download it again")
    return listings


def check_listed(data_path: Path | str, split: str) -> None:
    """Raise InputError if DATA_PATH/<split>/meta.json does not exist, without the second that reading it takes."""
    if not (Path(data_path) / split / "meta.json").is_file():
        read_listings(data_path, split)  # It raises the InputError.


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else repr(error)


def _listing(name: object, objects: Any) -> Listing:
    """Return a video's Listing; raise an error of any kind if `objects` is not as meta.json describes a video."""
    name = plain_name(name)
    if isinstance(objects, list) and all(isinstance(object_id, str) for object_id in objects):
        raise ValueError("it is MOSE v2's; run osmn_vos.py DATA_PATH --dataset mosev2")
    if any(isinstance(entry, dict) and "frame_range" in entry for entry in objects.values()):
        raise ValueError("it is LVOS's; run osmn_vos.py DATA_PATH --dataset lvos")
    frames: dict[int, list[str]] = {}
    categories: dict[int, str | None] = {}
    for text, entry in objects.items():
        listed, category = [plain_name(frame) for frame in entry["frames"]], entry.get("category")
        if text not in OBJECT_IDS:
            raise ValueError(f"{name}: {text!r} is not an object's id, 1 to 255")
        if not listed or len({*listed}) < len(listed):
            raise ValueError(f"{name}: object {text} is listed for no frame, or for one more than once")
        if not isinstance(category, str | None):
            raise ValueError(f"{name}: the category of object {text} is not a text")
        frames[int(text)], categories[int(text)] = sorted(listed, key=natural_key), category
    by_frame: dict[str, list[int]] = {
        frame: [] for frame in sorted({*itertools.chain(*frames.values())}, key=natural_key)
    }
    for object_id in sorted(frames):
        for frame in frames[object_id]:
            by_frame[frame].append(object_id)
    starts = {object_id: listed[0] for object_id, listed in sorted(frames.items())}
    return Listing(name, by_frame, starts, categories)


def annotations(data_path: Path | str, split: str) -> Path:
    """Return the folder that holds <video>/<frame>.png, indexed."""
    return Path(data_path) / split / "Annotations"


def videos(data_path: Path | str, split: str, all_frames: bool = False) -> list[Video]:
    """Return the `Video`s of a split. Each object starts at its own first listed frame.

    Propagation visits the frames that meta.json lists, or with `all_frames` every frame of the video's folder. Results
    are written for the frames that meta.json lists for an object.
    """
    found = []
    for listing in read_listings(data_path, split):
        frames = _frames(data_path, split, listing)
        if not all_frames:
            frames = {name: frames[name] for name in listing.objects_by_frame}
        numbers = {name: number for number, name in enumerate(frames)}
        masks = annotations(data_path, split) / listing.name
        references: dict[int, Reference] = {}
        listed: dict[int | None, set[int]] = {object_id: set() for object_id in listing.starts}
        for name, object_ids in listing.objects_by_frame.items():
            for object_id in object_ids:
                listed[object_id].add(numbers[name])
            starting = tuple(object_id for object_id in object_ids if listing.starts[object_id] == name)
            if starting:
                references[numbers[name]] = Reference(masks / f"{name}.png", starting)
        found.append(Video(listing.name, tuple(frames.values()), references, listed))
    return found


def _frames(data_path: Path | str, split: str, listing: Listing) -> dict[str, Path]:
    """Return {name: path}, in order, of a video's frames: those in its folder and those that meta.json lists."""
    folder = Path(data_path) / split / "JPEGImages" / listing.name
    found = frame_files(folder)
    missing = {name: folder / f"{name}.jpg" for name in listing.objects_by_frame if name not in found}
    found |= missing  # Reading such a frame raises the InputError.
    return {name: found[name] for name in sorted(found, key=natural_key)} if missing else found


def starting_at(found: list[Video], name: str | None) -> list[Video]:
    """Return the videos from the video `name` on, all if it is None; raise InputError for an unknown name."""
    if name is None:
        return found
    names = [video.name for video in found]
    if name not in names:
        raise InputError(f"--start_id {name}: there is no such video in this split")
    return found[names.index(name) :]


def examples(
    data_path: Path | str, im_size: tuple[int, int], validity: tuple[float, float] | None = None, cache: bool = False
) -> list[Example]:
    """Return the training `Example`s of the split `train`: consecutive listed frames of every object.

    Args:
        data_path: a YouTube-VOS folder.
        im_size: (width, height) of the labels on which `validity` is checked.
        validity: as in `osmn.data.davis.examples`.
        cache: keep the result of the check, which takes minutes, beside meta.json, keyed by that file and the options;
            a stale or damaged cache is made again.

    Raises:
        InputError: if meta.json cannot be read, or lists no object with two frames.
    """
    root, masks = Path(data_path) / "train", annotations(data_path, "train")
    listings = read_listings(data_path, "train")
    valid = None
    if validity is not None:
        state = (root / "meta.json").stat()
        key = [CACHE_VERSION, state.st_size, state.st_mtime_ns, list(im_size), list(validity)]

        def make() -> dict[str, dict[str, list[str]]]:
            return _valid_frames(masks, listings, im_size, validity)

        valid = cached(root / ".osmn-valid-frames.json", key, make) if cache else make()
    found = []
    for listing in listings:
        frames = _frames(data_path, "train", listing)
        guide_of = {
            name: Guide(str(frames[name]), str(masks / listing.name / f"{name}.png"))
            for name in listing.objects_by_frame
        }
        for object_id, first in listing.starts.items():
            names = [name for name, object_ids in listing.objects_by_frame.items() if object_id in object_ids]
            valid_names = [first] if valid is None else valid[listing.name][str(object_id)] or [first]
            guides = tuple(guide_of[name] for name in valid_names)
            for before, name in itertools.pairwise(names):
                found.append(Example(guides, guide_of[before].mask, *guide_of[name], object_id))
    if not found:
        raise InputError(f"{root}/meta.json lists no object with two frames; download it again")
    return found


def _valid_frames(
    masks: Path, listings: Sequence[Listing], im_size: tuple[int, int], validity: tuple[float, float]
) -> dict[str, dict[str, list[str]]]:
    """Return {video name: {object id as text: names of the frames in which the object is large enough}}."""

    def check(listing: Listing) -> dict[str, list[str]]:
        valid: dict[str, list[str]] = {str(object_id): [] for object_id in listing.starts}
        for name, object_ids in listing.objects_by_frame.items():
            labels = read_labels(masks / listing.name / f"{name}.png", im_size)
            for object_id in object_ids:
                if shows_enough(covered_shares(labels == object_id), validity):
                    valid[str(object_id)].append(name)
        return valid

    with concurrent.futures.ThreadPoolExecutor() as pool:
        checked = progress_bar(pool.map(check, listings), total=len(listings), desc="masks", unit="video")
        return dict(zip((listing.name for listing in listings), checked, strict=True))

"""YouTube-VOS: its videos, where objects come and go, and its training examples."""

import concurrent.futures
import itertools
from pathlib import Path

from tqdm import tqdm

from osmn import datasets, files, submission
from osmn.errors import InputError
from osmn.masks import covered_shares

CACHE_VERSION = 1


def videos(data_path, split, all_frames=False):
    """Return the `datasets.Video`s of a YouTube-VOS split. Each object starts at its own first listed frame.

    Propagation visits the frames that meta.json lists, or with `all_frames` every JPEG of the video's folder; results
    are for the frames listed for an object.
    """
    root = Path(data_path) / split
    found = []
    for listing in submission.read_videos(data_path, split):
        images = root / "JPEGImages" / listing.name
        stems = sorted(listing.objects_by_frame)
        if all_frames:
            stems = sorted({path.stem for path in datasets.list_files(images, "*.jpg")} | set(stems))
        numbers = {stem: number for number, stem in enumerate(stems)}
        starts, listed = {}, {object_id: set() for object_id in listing.starts}
        for object_id, stem in sorted(listing.starts.items()):
            starts.setdefault(stem, []).append(object_id)
        for stem, object_ids in listing.objects_by_frame.items():
            for object_id in object_ids:
                listed[object_id].add(numbers[stem])
        annotations = root / "Annotations" / listing.name
        starts = {
            numbers[stem]: datasets.FirstAnnotation(annotations / f"{stem}.png", tuple(object_ids))
            for stem, object_ids in sorted(starts.items())
        }
        found.append(datasets.Video(listing.name, tuple(images / f"{stem}.jpg" for stem in stems), starts, listed))
    return found


def examples(data_path, im_size, validity=None, cache=False):
    """Return the training `datasets.Example`s of the split `train`: consecutive listed frames of every object.

    `validity` is as in `datasets.davis_examples`, checked on labels of `im_size` (width, height). With `cache` its
    result, which takes minutes, is kept beside meta.json, keyed by that file and the options; a stale or damaged cache
    is made again.
    """
    root = Path(data_path) / "train"
    listings = submission.read_videos(data_path, "train")
    valid = None
    if validity is not None:
        state = (root / "meta.json").stat()
        key = [CACHE_VERSION, state.st_size, state.st_mtime_ns, list(im_size), list(validity)]

        def make():
            return _valid_frames(root, listings, im_size, validity)

        valid = files.cached(root / ".osmn-valid-frames.json", key, make) if cache else make()
    found = []
    for listing in listings:
        for object_id, first in sorted(listing.starts.items()):
            stems = [stem for stem, object_ids in sorted(listing.objects_by_frame.items()) if object_id in object_ids]
            guide_stems = [first] if valid is None else valid[listing.name][str(object_id)] or [first]
            files_of = {stem: _files(root, listing.name, stem) for stem in {*stems, *guide_stems}}
            guides = tuple(datasets.Guide(*files_of[stem]) for stem in guide_stems)
            for before, stem in itertools.pairwise(stems):
                found.append(datasets.Example(guides, files_of[before][1], *files_of[stem], object_id))
    if not found:
        raise InputError(f"{root}/meta.json lists no object with two frames; download it again")
    return found


def _files(root, video, stem):
    return str(root / "JPEGImages" / video / f"{stem}.jpg"), str(root / "Annotations" / video / f"{stem}.png")


def _valid_frames(root, listings, im_size, validity):
    """Return {video: {object id as text: [frames in which the object is large enough]}}."""

    def check(listing):
        valid = {str(object_id): [] for object_id in listing.starts}
        for stem, object_ids in listing.objects_by_frame.items():
            labels = files.read_labels(_files(root, listing.name, stem)[1], im_size)
            for object_id in object_ids:
                area, fill = covered_shares(labels == object_id)
                if area > validity[0] and fill > validity[1]:
                    valid[str(object_id)].append(stem)
        return valid

    with concurrent.futures.ThreadPoolExecutor() as pool:
        checked = tqdm(pool.map(check, listings), total=len(listings), desc="masks", unit="video", dynamic_ncols=True)
        return dict(zip((listing.name for listing in listings), checked, strict=True))


def is_finished(video, result_path, save_score=False, trained=None):
    """Tell whether a video's results are complete: its last merged frame is the last file to be written.

    With `save_score` there must be score files too. Results older than `trained`, the prefix of the checkpoint that a
    training ended with, are those of another model.
    """
    folder = Path(result_path) / video.name
    last = max(max(numbers) for numbers in video.listed.values())
    merged = folder / f"{video.frames[last].stem}.png"
    if not merged.is_file():
        return False
    if trained is not None and merged.stat().st_mtime_ns < Path(f"{trained}.index").stat().st_mtime_ns:
        return False
    given = video.starts[last].object_ids if last in video.starts else ()
    segmented = [i for i, numbers in video.listed.items() if last in numbers and i not in given]
    return not save_score or all((folder / str(i) / f"{merged.stem}.npy").is_file() for i in segmented)


def unfinished(found, result_path, save_score=False, trained=None):
    """Return the videos without complete results (see `is_finished`), and say how many have them."""
    left = [video for video in found if not is_finished(video, result_path, save_score, trained)]
    if len(left) < len(found):
        print(
            f"{len(found) - len(left)} of {len(found)} videos have results in {result_path} already: left out"
            " (another model or other options need another --result_path)"
        )
    return left


def starting_at(found, name):
    """Return the videos from the one named `name` on; all if it is None."""
    if name is None:
        return found
    names = [video.name for video in found]
    if name not in names:
        raise InputError(f"--start_id {name}: there is no such video in this split")
    return found[names.index(name) :]

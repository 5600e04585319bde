"""Scores of YouTube-VOS results: J and F over the objects of seen and of unseen categories, and their mean G."""

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from osmn.data.ytvos import annotations, read_listings
from osmn.errors import InputError
from osmn.evaluation.scoring import Scored, Sequence, require_folders, score
from osmn.files.atomic import regular_bytes, temporary_folder
from osmn.results.layout import MERGED, SCORES, find_source
from osmn.results.ytvos_submission import merge_results

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ObjectScore:
    """The mean J and F of an object over its frames, and whether its category is among those of training."""

    video: str
    object_id: int
    category: str | None
    seen: bool
    frames: int
    j: float
    f: float


@dataclass(frozen=True)
class Scores:
    """Of a split: `ObjectScore`s, how many objects have none, as they are listed for one frame, what each frame got."""

    objects: tuple
    not_scored: int
    scored: tuple  # a `scoring.Scored` for each video

    def of(self, seen):
        """Return the scores of the objects of seen categories, or of unseen ones."""
        return [score for score in self.objects if score.seen == seen]

    def means(self, seen):
        """Return the means [J, F] over the objects of seen categories, or of unseen ones; [] if there are none."""
        scores = self.of(seen)
        return [sum(values) / len(scores) for values in zip(*((s.j, s.f) for s in scores), strict=True)]

    @property
    def g(self):
        """The mean of those means that there are."""
        available = self.means(True) + self.means(False)
        return sum(available) / len(available)


@contextlib.contextmanager
def evaluated(data_path, result_path, split, unseen_path=None, processes=None):
    """Yield the `Scores` of a split whose annotations are there.

    The results that they refer to can be read in the block: where there are score files, they are of merged frames in a
    temporary folder.

    An object is scored in the frames that meta.json lists for it after its first, where it is given. `unseen_path` is a
    list of the categories that training did not have, one a line; without it every category is seen.
    """
    listings, truths = read_listings(data_path, split), annotations(data_path, split)
    unseen = set() if unseen_path is None else _categories(Path(unseen_path), Path(data_path) / split, listings)
    scored = [(listing, frames) for listing in listings if (frames := _scored_frames(listing))]
    if not scored:
        raise InputError(f"{data_path}/{split}/meta.json lists no object with two frames: there is nothing to score")
    for listing, frames in scored:
        for frame in frames:
            if not (truths / listing.name / f"{frame}.png").is_file():
                raise InputError(
                    f"{truths / listing.name / frame}.png does not exist; only a split with all of its annotations"
                    " can be scored, such as videos held out from train"
                )
    require_folders(result_path, [listing.name for listing, _ in scored])
    with temporary_folder(result_path) as merged:
        sequences = _merged_sequences(scored, truths, Path(result_path), merged, processes)
        tables, objects = tuple(map(Scored, sequences, score(sequences, processes=processes))), []
        for (listing, frames), table in zip(scored, tables, strict=True):
            for column, object_id in enumerate(table.sequence.object_ids):
                table.values[[object_id not in frames[frame] for frame in frames], column] = np.nan
                values, category = table.of(column), listing.categories[object_id]
                if len(values):
                    means, seen = values.mean(axis=0).tolist(), category not in unseen
                    objects.append(ObjectScore(listing.name, object_id, category, seen, len(values), *means))
        yield Scores(tuple(objects), sum(len(listing.starts) for listing in listings) - len(objects), tables)


def _scored_frames(listing):
    """Return {frame: ids of the objects listed for it that do not start there}, without frames that have none."""
    frames = {
        frame: [i for i in object_ids if listing.starts[i] != frame]
        for frame, object_ids in listing.objects_by_frame.items()
    }
    return {frame: object_ids for frame, object_ids in frames.items() if object_ids}


def _categories(path, split, listings):
    """Return the categories in the list at `path`, and warn of those that no object of the split has.

    Raises InputError if there are none, or if meta.json does not say an object's category.
    """
    hint = "--unseen is a list of categories, one a line"
    try:
        categories = {line.strip() for line in regular_bytes(path).decode("utf-8-sig").splitlines()} - {""}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', 'not UTF-8')}); {hint}") from None
    if not categories:
        raise InputError(f"{path} names no category; {hint}")
    for listing in listings:
        for object_id, category in listing.categories.items():
            if category is None:
                raise InputError(f"{split}/meta.json has no category for object {object_id} of {listing.name}")
    others = categories - {category for listing in listings for category in listing.categories.values()}
    if others:
        logger.warning(f"{path}: no object of {split} is of {', '.join(sorted(others))}")
    return categories


def _merged_sequences(scored, truths, result_path, merged, processes):
    """Return the Sequences to score; videos that have score files are merged into the folder `merged` first."""
    to_merge = {
        listing.name: listing for listing, frames in scored if find_source(result_path / listing.name, frames) == SCORES
    }
    if to_merge:
        merge_results(list(to_merge.values()), truths, result_path, merged, processes=processes)
    return [
        Sequence(
            listing.name,
            tuple(truths / listing.name / f"{frame}.png" for frame in frames),
            (merged if listing.name in to_merge else result_path) / listing.name,
            MERGED,
            tuple(listing.starts),
        )
        for listing, frames in scored
    ]

"""Scores of YouTube-VOS results: J and F over the objects of seen and of unseen categories, and their mean G."""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from osmn.data.ytvos import Listing, annotations, read_listings
from osmn.errors import InputError
from osmn.evaluation.dataset import Dataset, Evaluated
from osmn.evaluation.scoring import Scored, Sequence, require_folders, score
from osmn.evaluation.tables import decimals, write_tables
from osmn.files.atomic import regular_bytes, temporary_folder
from osmn.results.layout import MERGED, SCORES, find_source
from osmn.results.ytvos_submission import merge_results

logger = logging.getLogger(__name__)
COLUMNS = ("video", "object", "category", "seen", "frames", "J_mean", "F_mean")


@dataclass(frozen=True)
class ObjectScore:
    """The mean J and F of an object over its frames, and whether training had its category."""

    video: str
    object_id: int
    category: str | None
    seen: bool
    frames: int
    j: float
    f: float


@dataclass(frozen=True)
class Scores:
    """The scores of a split.

    Attributes:
        objects: the scores of each object.
        not_scored: how many objects are not scored, because they are listed for a single frame.
        scored: the scores of each video's frames.
    """

    objects: tuple[ObjectScore, ...]
    not_scored: int
    scored: tuple[Scored, ...]

    def of(self, seen: bool) -> list[ObjectScore]:
        """Return the scores of the objects whose category training had, or, with `seen` False, had not."""
        return [score for score in self.objects if score.seen == seen]

    def means(self, seen: bool) -> list[float]:
        """Return the means [J, F] over the objects of `of(seen)`; [] if there are no such objects."""
        scores = self.of(seen)
        return [sum(values) / len(scores) for values in zip(*((s.j, s.f) for s in scores), strict=True)]

    @property
    def g(self) -> float:
        """The mean of the available means over seen and unseen objects."""
        available = self.means(True) + self.means(False)
        return sum(available) / len(available)


@contextlib.contextmanager
def scored(
    data_path: Path | str,
    result_path: Path | str,
    split: str,
    unseen: Path | str | None = None,
    processes: int | None = None,
) -> Iterator[Scores]:
    """Yield the `Scores` of a split that has all its annotations.

    An object is scored in the frames that meta.json lists for it after its first frame, in which it is given. In the
    block the results that the scores refer to can be read; score files are merged into a temporary folder.

    Args:
        data_path: a YouTube-VOS folder.
        result_path: the folder of the results.
        split: the split's name, a folder of `data_path`.
        unseen: the path of a list of the categories that training did not have, one per line; without it every
            category counts as seen.
        processes: how many processes to use; by default as many as the work is worth.

    Raises:
        InputError: if an annotation or a result is missing or damaged, or if there is nothing to score.
    """
    listings, truths = read_listings(data_path, split), annotations(data_path, split)
    unseen_categories = set() if unseen is None else _categories(Path(unseen), Path(data_path) / split, listings)
    to_score = [(listing, frames) for listing in listings if (frames := _scored_frames(listing))]
    if not to_score:
        raise InputError(f"{data_path}/{split}/meta.json lists no object with two frames: there is nothing to score")
    for listing, frames in to_score:
        for frame in frames:
            if not (truths / listing.name / f"{frame}.png").is_file():
                raise InputError(
                    f"{truths / listing.name / frame}.png does not exist; only a split with all of its annotations"
                    " can be scored, such as videos held out from train"
                )
    require_folders(result_path, [listing.name for listing, _ in to_score])
    with temporary_folder(result_path) as merged:
        sequences = _merged_sequences(to_score, truths, Path(result_path), merged, processes)
        tables, objects = tuple(map(Scored, sequences, score(sequences, processes=processes))), []
        for (listing, frames), table in zip(to_score, tables, strict=True):
            for column, object_id in enumerate(table.sequence.object_ids):
                table.values[[object_id not in frames[frame] for frame in frames], column] = np.nan
                values, category = table.of(column), listing.categories[object_id]
                if len(values):
                    means, seen = values.mean(axis=0).tolist(), category not in unseen_categories
                    objects.append(ObjectScore(listing.name, object_id, category, seen, len(values), *means))
        yield Scores(tuple(objects), sum(len(listing.starts) for listing in listings) - len(objects), tables)


def can_be_scored(data_path: Path | str, split: str) -> bool:
    """Tell whether a split has annotations of more than the frames in which its objects are given.

    Raises InputError if meta.json cannot be read.
    """
    folder = annotations(data_path, split)
    frames = ((listing.name, name) for listing in read_listings(data_path, split) for name in _scored_frames(listing))
    return any((folder / video / f"{name}.png").is_file() for video, name in frames)


def _scored_frames(listing: Listing) -> dict[str, list[int]]:
    """Return {frame: ids of the objects listed for it that do not start there}, without frames without such objects."""
    frames = {
        frame: [i for i in object_ids if listing.starts[i] != frame]
        for frame, object_ids in listing.objects_by_frame.items()
    }
    return {frame: object_ids for frame, object_ids in frames.items() if object_ids}


def _categories(path: Path, split: Path, listings: Iterable[Listing]) -> set[str]:
    """Return the categories in the list at `path`, and warn of those that no object of the split has.

    Raises InputError if the list is empty, or if meta.json does not say an object's category.
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


def _merged_sequences(
    scored: Iterable[tuple[Listing, dict[str, list[int]]]],
    truths: Path,
    result_path: Path,
    merged: Path,
    processes: int | None,
) -> list[Sequence]:
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


def tables(scores: Scores, result_path: Path | str, unseen: Path | str | None = None, **_: object) -> str:
    """Return `Scores` as text, to be printed; write `per_object.csv` into `result_path`.

    `unseen` is the path of the list of the unseen categories, None without a list.
    """
    rows = [(o.video, o.object_id, o.category, int(o.seen), o.frames, *decimals(o.j, o.f)) for o in scores.objects]
    files = write_tables(result_path, None, "per_object.csv", COLUMNS, rows)
    lines = []
    lines.append(f"{'':6}  {'objects':>7}{'categories':>12}{'J':>8}{'F':>8}")
    for title, seen in (("seen", True), ("unseen", False)):
        of = scores.of(seen)
        shown = "".join(f"{mean:8.3f}" for mean in scores.means(seen)) or f"{'-':>8}{'-':>8}"
        lines.append(f"{title:6}  {len(of):7}{len({o.category for o in of}):12}{shown}")
    if unseen is None:
        lines.append("no --unseen FILE: every category counts as seen")
    both = scores.of(True) and scores.of(False)
    lines.append(f"G is the mean of {'these four' if both else 'the two that there are'}")
    if scores.not_scored:
        lines.append(f"not scored, listed for a single frame: {scores.not_scored} objects")
    lines.append(f"written: {files}")
    lines.append(f"G: {scores.g:.3f}")
    return "\n".join(lines)


def evaluated(scores: Scores, data_path: Path | str, result_path: Path | str, split: str, **_: object) -> Evaluated:
    """Return the `Evaluated` of `Scores`, whose results must still be readable."""
    headline: list[tuple[str, float]] = [("G", scores.g)]
    for kind, seen in (("seen", True), ("unseen", False)):
        headline += zip((f"J {kind}", f"F {kind}"), scores.means(seen), strict=False)
    categories = {(score.video, score.object_id): score.category for score in scores.objects if score.category}
    images = Path(data_path) / split / "JPEGImages"
    return Evaluated.of(f"YouTube-VOS, {split}", result_path, images, ("J", "F"), headline, scores.scored, categories)


DATASET = Dataset(
    name="YouTube-VOS",
    sign="<split>/meta.json",
    looks_like=lambda folder: any(folder.glob("*/meta.json")),
    selection={"split": "valid", "unseen": None},
    scored=scored,
    tables=tables,
    evaluated=evaluated,
)

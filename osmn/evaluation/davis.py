"""Scores of DAVIS results: the published mIU and the benchmark's J and F."""

import collections
import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from osmn.data import davis
from osmn.data.types import Video
from osmn.errors import InputError
from osmn.evaluation.dataset import Dataset, Evaluated
from osmn.evaluation.metrics import Statistics, statistics
from osmn.evaluation.scoring import Scored, Sequence, require_folders, score
from osmn.evaluation.tables import decimals, iou_lines, write_tables
from osmn.files.images import read_labels
from osmn.results.layout import MASKS, MERGED, SCORES, find_source, score_folders

logger = logging.getLogger(__name__)
COLUMNS = ("sequence", "object", "J_mean", "J_recall", "J_decay", "F_mean", "F_recall", "F_decay")
IMAGES = ("480p", "Full-Resolution")  # Folders of JPEGImages; the first that exists is taken.


@dataclass(frozen=True)
class ObjectScore:
    """J and F of an object over its sequence; `object_id` is None if the sequence has a single, binary object."""

    sequence: str
    object_id: int | None
    j: Statistics
    f: Statistics


@dataclass(frozen=True)
class Scores:
    """The scores of a split.

    Attributes:
        objects: the scores of each object.
        sources: {kind of files that results were read from: number of sequences}.
        scored: the scores of each sequence's frames.
    """

    objects: tuple[ObjectScore, ...]
    sources: dict[str, int]
    scored: tuple[Scored, ...]

    @property
    def j(self) -> Statistics:
        """The mean over objects of J's statistics; its own mean is the mIU."""
        return Statistics(*np.mean([score.j for score in self.objects], axis=0).tolist())

    @property
    def f(self) -> Statistics:
        """The mean over objects of F's statistics."""
        return Statistics(*np.mean([score.f for score in self.objects], axis=0).tolist())


def evaluate(
    data_path: Path | str,
    result_path: Path | str,
    version: int,
    split: str,
    vis_path: Path | str | None = None,
    processes: int | None = None,
) -> Scores:
    """Return the `Scores` of a result folder.

    Args:
        data_path: a DAVIS folder.
        result_path: the folder of the results.
        version: 2016 or 2017; see `sequences`.
        split: the split's name, as "val".
        vis_path: see `scoring.score`.
        processes: see `scoring.score`.

    Raises:
        InputError: if data or results are missing or damaged, or if `vis_path` is among them.
    """
    found = sequences(data_path, result_path, version, split)
    scored = tuple(map(Scored, found, score(found, vis_path, processes)))
    objects: list[ObjectScore] = []
    for sequence, scores in scored:
        for object_id, values in zip(sequence.object_ids, scores.transpose(1, 2, 0), strict=True):
            objects.append(ObjectScore(sequence.name, object_id if version == 2017 else None, *map(statistics, values)))
    return Scores(tuple(objects), dict(collections.Counter(each.sequence.source for each in scored)), scored)


def sequences(data_path: Path | str, result_path: Path | str, version: int, split: str) -> list[Sequence]:
    """Return the Sequences of a DAVIS split: the objects of frame 0 in every frame but the first and the last.

    For `version` 2016 all labels above 0 are a single object. For 2017 the results are a sequence's score files, if it
    has them, else its merged PNGs. Raises InputError if data or results are missing, or do not fit each other.
    """
    names, found, short = davis.sequence_names(data_path, version, split), list[Sequence](), list[str]()
    require_folders(result_path, names)
    for name in names:
        truths, result_folder = tuple(davis.annotations(data_path, name).values()), Path(result_path) / name
        if len(truths) < 3:
            short.append(f"{truths[0].parent} has {len(truths)} annotations; the first and the last are not scored")
            continue
        if version == 2016:
            found.append(Sequence(name, truths[1:-1], result_folder, MASKS, (1,)))
        else:
            found.append(_sequence_of_objects(name, truths, result_folder))
    if not found:
        raise InputError(short[0])
    for each in short:
        logger.warning(f"{each}: left out")
    return found


def _sequence_of_objects(name: str, truths: tuple[Path, ...], result_folder: Path) -> Sequence:
    """Return the Sequence of DAVIS 2017: its objects are those in the first annotation, and say which come later."""
    object_ids = davis.shown_ids(truths[0])
    source = find_source(result_folder, [t.stem for t in truths])
    others = tuple(object_id for object_id in score_folders(result_folder) if object_id not in object_ids)
    if others:
        shown = {object_id for truth in truths for object_id in davis.labels_shown(read_labels(truth))}
        unknown = [object_id for object_id in others if object_id not in shown]
        if unknown and source == SCORES:
            raise InputError(
                f"{result_folder}/{unknown[-1]} is a result for an object that {truths[0]} does not have; remove it, or"
                " score the data it was made for"
            )
        others = tuple(object_id for object_id in others if object_id in shown)
    if others:
        named = ", ".join(map(str, others))
        logger.info(f"{name}: objects that come after the first frame are not scored, as DAVIS counts: {named}")
        source = MERGED  # Of all objects, as they were segmented together.
    return Sequence(name, truths[1:-1], result_folder, source, object_ids, others=others)


def tables(scores: Scores, result_path: Path | str, **_: object) -> str:
    """Return `Scores` as text, to be printed; write `iou.txt` and `per_object.csv` into `result_path`."""
    objects = [(_title(score), score) for score in scores.objects]
    files = write_tables(
        result_path,
        iou_lines([(title, score.j.mean) for title, score in objects], scores.j.mean),
        "per_object.csv",
        COLUMNS,
        [(s.sequence, s.object_id or 1, *decimals(*s.j, *s.f)) for s in scores.objects],
    )
    rows = [*((title, score.j, score.f) for title, score in objects), ("all", scores.j, scores.f)]
    width = max(len(title) for title, *_ in rows)
    lines = []
    lines.append(f"{'':{width}}  {'J mean':>7}{'recall':>8}{'decay':>8}  {'F mean':>7}{'recall':>8}{'decay':>8}")
    for title, *measures in rows:
        j, f = (f"{s.mean:7.3f}{s.recall:8.3f}{s.decay:8.3f}" for s in measures)
        lines.append(f"{title:{width}}  {j}  {f}")
    lines.append(f"\nread: {', '.join(f'{source} of {count} sequences' for source, count in scores.sources.items())}")
    lines.append(f"written: {files}")
    lines.append(f"J&F: {(scores.j.mean + scores.f.mean) / 2:.3f}")
    lines.append(f"mIU: {scores.j.mean:.3f}")
    return "\n".join(lines)


def _title(score: ObjectScore) -> str:
    return score.sequence if score.object_id is None else f"{score.sequence}/{score.object_id}"


def can_be_scored(data_path: Path | str, result_path: Path | str, videos: Iterable[Video], shards: int = 1) -> bool:
    """Tell whether the results of a DAVIS script are to be scored, and say why if not.

    Every frame of its `videos` must have an annotation. `shards` is the number of shares of the videos; several shares
    are scored together, later.
    """
    if shards > 1:
        logger.info("this was one share of the videos: score all of them by davis_eval.py")
        return False
    if not davis.is_annotated(data_path, videos):
        logger.info(f"masks are in {result_path}; not every frame has an annotation to score them with")
        return False
    return True


@contextlib.contextmanager
def scored(
    data_path: Path | str, result_path: Path | str, version: int, split: str, vis_path: Path | str | None = None
) -> Iterator[Scores]:
    """Give the block the `Scores` of a split; see `evaluate`."""
    yield evaluate(data_path, result_path, version, split, vis_path)


def evaluated(
    scores: Scores, data_path: Path | str, result_path: Path | str, version: int, split: str, **_: object
) -> Evaluated:
    """Return the `Evaluated` of `Scores`."""
    folders = [Path(data_path) / "JPEGImages" / name for name in IMAGES]
    images = next((folder for folder in folders if folder.is_dir()), folders[0])
    headline = [("J&F", (scores.j.mean + scores.f.mean) / 2)]
    for name, measure in (("J", scores.j), ("F", scores.f)):
        headline += [
            (f"{name} mean", measure.mean),
            (f"{name} recall", measure.recall),
            (f"{name} decay", measure.decay),
        ]
    return Evaluated.of(f"DAVIS {version}, {split}", result_path, images, ("J", "F"), headline, scores.scored)


DATASET = Dataset(
    name="DAVIS",
    sign="ImageSets",
    looks_like=lambda folder: (folder / "ImageSets").is_dir(),
    selection={"version": 2017, "split": "val"},
    scored=scored,
    tables=tables,
    evaluated=evaluated,
)

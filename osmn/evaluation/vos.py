"""Scores of any dataset in folders (`data.folders`), by a `rules.Rule`."""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from osmn.data import folders
from osmn.data.folders import Annotations, Folders
from osmn.data.types import Video
from osmn.errors import InputError
from osmn.evaluation.dataset import Dataset, Evaluated
from osmn.evaluation.rules import Rule, absences
from osmn.evaluation.scoring import Scored, Sequence, require_folders, score
from osmn.evaluation.tables import decimals, write_tables
from osmn.files.names import natural_key, read_lines
from osmn.progress import progress_bar
from osmn.results.layout import MASKS, MERGED, OBJECTS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ObjectScore:
    """The scores of an object: as many as its rule has measures; the name is that of its folder, or its id.

    By the rule of MOSE v2 `gone` is J&F where it has disappeared, and `back` where it has come back; None where it
    never does.
    """

    sequence: str
    name: str
    frames: int
    values: tuple[float, ...]
    gone: float | None = None
    back: float | None = None


@dataclass(frozen=True)
class Scores:
    """The scores of a dataset.

    Attributes:
        rule: what counts.
        objects: the scores of each object.
        scored: the scores of each video's frames.
        unseen: the names of the videos that training had nothing like; empty where nobody says.
    """

    rule: Rule
    objects: tuple[ObjectScore, ...]
    scored: tuple[Scored, ...]
    unseen: frozenset[str] = frozenset()

    @property
    def means(self) -> tuple[float, ...]:
        """The score: the mean of each measure over all objects, or that of `groups` where the rule says so."""
        groups = [self._means_of(objects) for _, objects in self.groups] if self.rule.balanced else []
        return tuple(np.mean(groups or [self._means_of(self.objects)], axis=0).tolist())

    @property
    def groups(self) -> list[tuple[str, list[ObjectScore]]]:
        """(title, objects) of seen and of unseen videos, as far as there are any; none where nobody says."""
        found: dict[str, list[ObjectScore]] = {"seen": [], "unseen": []}
        for each in self.objects if self.unseen else ():
            found["unseen" if each.sequence in self.unseen else "seen"].append(each)
        return [(title, objects) for title, objects in found.items() if objects]

    @staticmethod
    def _means_of(objects: Iterable[ObjectScore]) -> tuple[float, ...]:
        return tuple(np.mean([score.values for score in objects], axis=0).tolist())

    @property
    def headline(self) -> list[tuple[str, float]]:
        """The scores: J&F where both are measured, each measure, and the same of seen and of unseen videos."""
        measured = []
        for title, means in [("", self.means), *((f" {t}", self._means_of(of)) for t, of in self.groups)]:
            both = [(f"J&F{title}", sum(means[:2]) / 2)] if self.rule.measures[:2] == ("J", "F") else []
            measured += both + [(f"{name}{title}", mean) for name, mean in zip(self.rule.measures, means, strict=True)]
        for name in ("gone", "back"):
            known = [value for each in self.objects if (value := getattr(each, name)) is not None]
            measured += [(f"J&F where objects are {name}", float(np.mean(known)))] if known else []
        return measured


@dataclass(frozen=True)
class _Video:
    """A video's annotations as scoring needs them: its annotated frames, and which of them show an object, by numbers.

    `shown` is {object id: numbers, at least one}.
    """

    name: str
    found: Annotations
    frames: tuple[str, ...]
    shown: dict[int | None, list[int]]

    def objects(self, rule: Rule) -> list[int | None]:
        """Return the ids of the objects that a rule counts."""
        return [object_id for object_id, numbers in sorted(self.shown.items()) if rule.all_objects or numbers[0] == 0]

    def counted(self, rule: Rule) -> dict[int | None, range]:
        """Return {object id: numbers of the frames in which it may count} of the objects that may count anywhere."""
        found = {object_id: self._counted(object_id, rule) for object_id in self.objects(rule)}
        return {object_id: numbers for object_id, numbers in found.items() if numbers}

    def _counted(self, object_id: int | None, rule: Rule) -> range:
        shown = self.shown[object_id]
        if rule.frames == "range":
            return range(shown[0] + 1, shown[-1])
        own = self.found.objects.get(object_id or 0)
        annotated = [number for number, name in enumerate(self.frames) if own is None or name in own]
        start = shown[0] if rule.frames == "after" else annotated[0]
        return range(start + 1, annotated[-1] + rule.last)


def _read(where: Folders, name: str) -> _Video:
    _, found = folders.annotated(where, name)
    frames = tuple(sorted(found.frames, key=natural_key))
    shown: dict[int | None, list[int]] = {}
    for number, (_, ids) in enumerate(folders.presence(found, frames)):
        for object_id in ids:
            shown.setdefault(object_id, []).append(number)
    return _Video(name, found, frames, shown)


def _sequence(video: _Video, rule: Rule, result_path: Path) -> Sequence | None:
    """Return the Sequence of a video's frames and objects that may count; None if there are none."""
    counted = video.counted(rule)
    if not counted:
        return None
    ids, numbers = list(counted), sorted({number for of_object in counted.values() for number in of_object})
    frames, folder = [video.frames[number] for number in numbers], result_path / video.name
    if video.found.objects:
        masks = {object_id: video.found.objects[object_id] for object_id in ids if object_id}
        any_of = {name: path for of_object in masks.values() for name, path in of_object.items()}
        own = {}
        for object_id, of_object in masks.items():  # An object has results after the frame in which it is given.
            later = video.frames[video.shown[object_id][0] + 1 :]
            own[object_id] = {name: of_object[name] for name in later if name in of_object}
        names = tuple(name for name in frames if name in any_of)
        paths = tuple(any_of[name] for name in names)
        return Sequence(video.name, paths, folder, OBJECTS, tuple(own), own, frames=names)
    source = MASKS if ids == [None] else MERGED
    others = tuple(object_id or 1 for object_id in video.shown)
    paths = tuple(video.found.labels[name] for name in frames)
    scored_ids = tuple(object_id or 1 for object_id in ids)
    return Sequence(video.name, paths, folder, source, scored_ids, others=others, frames=tuple(frames))


def _count(video: _Video, rule: Rule, sequence: Sequence, values: np.ndarray) -> None:
    """Make the scores, (frames, objects, 2), NaN in place where they do not count, and 1 where both masks are empty.

    They come with infinity where both masks are empty.
    """
    numbers = np.array([video.frames.index(name) for name in sequence.names])
    for column, (object_id, counted) in enumerate(video.counted(rule).items()):
        scores = values[:, column]
        if sequence.own:
            start = video.shown[object_id][0]
            scores[numbers == start], scores[numbers < start] = 1, np.inf
        scores[[number not in counted for number in numbers]] = np.nan
        if rule.since_shown:
            known = np.flatnonzero(np.isfinite(scores[:, 0]))
            in_truth = any(number in counted for number in video.shown[object_id])
            scores[: known[0] if len(known) and in_truth else None] = np.nan
        scores[np.isinf(scores)] = 1


def _absences(
    video: _Video, object_id: int, sequence: Sequence, counted: np.ndarray
) -> tuple[float | None, float | None]:
    """Return J&F of an object in the frames without it, and in those in which it is back; None where it never is."""
    shown = {video.frames[number] for number in video.shown[None if None in video.shown else object_id]}
    absent = np.array([name not in shown for name in sequence.names])
    gone, back = (float(np.mean(stretches)) if stretches else None for stretches in absences(counted, absent))
    return gone, back


@contextlib.contextmanager
def scored(
    data_path: Path | str,
    result_path: Path | str,
    where: Folders,
    rule: Rule,
    unseen: Path | str | None = None,
    processes: int | None = None,
) -> Iterator[Scores]:
    """Give the block the `Scores` of a result folder.

    Args:
        data_path: not used; the dataset is in `where`.
        result_path: the folder of the results.
        where: the dataset's folders.
        rule: what counts.
        unseen: a text file with the names of the videos that training had nothing like; None: no such list.
        processes: see `scoring.score`.

    Raises:
        InputError: if data or results are missing or damaged, or if nothing can be scored.
    """
    names = where.names
    unseen_names = _unseen(unseen, names)
    require_folders(result_path, names)
    videos = [_read(where, name) for name in progress_bar(names, brief=True, desc="masks", unit="video", leave=False)]
    chosen = [(video, _sequence(video, rule, Path(result_path))) for video in videos]
    for video, sequence in chosen:
        if sequence is None:
            logger.warning(f"{video.name} has {len(video.frames)} annotated frames: none to score")
    pairs = [(video, sequence) for video, sequence in chosen if sequence is not None]
    if not pairs:
        raise _nothing(where, rule)
    sequences = [sequence for _, sequence in pairs]
    tables = tuple(map(Scored, sequences, score(sequences, processes=processes, absent=np.inf, mose2=rule.mose2)))
    objects = []
    for (video, sequence), table in zip(pairs, tables, strict=True):
        _count(video, rule, sequence, table.values)
        for column, object_id in enumerate(sequence.object_ids):
            counted = table.of(column)
            if len(counted):
                name = video.found.names.get(object_id, str(object_id))
                gone, back = _absences(video, object_id, sequence, counted) if rule.mose2 else (None, None)
                objects.append(ObjectScore(video.name, name, len(counted), rule.values(counted), gone, back))
    if not objects:
        raise _nothing(where, rule)
    yield Scores(rule, tuple(objects), tables, unseen_names)


def _nothing(where: Folders, rule: Rule) -> InputError:
    """Return the error of a dataset whose objects a rule does not count."""
    others = (
        "" if rule.all_objects else ", of objects of the first annotated frames; try --rule ytvos, which counts all"
    )
    return InputError(f"{where.masks} has nothing that the rule {rule.name} counts{others}")


def _unseen(path: Path | str | None, names: Iterable[str]) -> frozenset[str]:
    """Return the names in a list that are videos' names, and warn of the others."""
    if path is None:
        return frozenset()
    listed = read_lines(path, "--unseen is a list of videos, one a line")
    others = sorted({*listed} - {*names})
    if others:
        logger.warning(f"{path}: no video is named {', '.join(others)}")
    return frozenset(listed) & frozenset(names)


def can_be_scored(where: Folders, rule: Rule) -> bool:
    """Tell whether a video, or one of its objects with folders, has masks of so many frames that some may count."""
    least = 2 if rule.last else 3
    found = (folders.annotations(where, name) for name in where.names)
    return any(len(masks) >= least for each in found for masks in (each.labels, *each.objects.values()))


def objects_line(videos: Iterable[Video], rule: Rule) -> str:
    """Return a line that says in which frames the objects of `videos` are given, and how many the rule leaves out."""
    first = late = 0
    for video in videos:
        for number, reference in video.references.items():
            if number == min(video.references):
                first += len(reference.object_ids)
            else:
                late += len(reference.object_ids)
    left = "" if rule.all_objects or not late else f", which the rule of {rule.name} leaves out of the scores"
    return f"objects given by the first mask: {first}, later: {late}{left}"


def tables(scores: Scores, result_path: Path | str, rule: Rule, **_: object) -> str:
    """Return `Scores` as text, to be printed; write `per_object.csv` into `result_path`."""
    columns = ("sequence", "object", "frames", *rule.measures)
    rows = [(each.sequence, each.name, each.frames, *decimals(*each.values)) for each in scores.objects]
    files = write_tables(result_path, None, "per_object.csv", columns, rows)
    titled = [(f"{each.sequence}/{each.name}", each.frames, each.values) for each in scores.objects]
    titled.append(("all", sum(each.frames for each in scores.objects), scores.means))
    width = max(len(title) for title, *_ in titled)
    lines = [f"{'':{width}}  {'frames':>7}" + "".join(f"{name:>8}" for name in rule.measures)]
    lines += [f"{title:{width}}  {frames:7}" + "".join(f"{v:8.3f}" for v in values) for title, frames, values in titled]
    lines.append(f"\nwritten: {files}")
    lines += [f"{name}: {value:.3f}" for name, value in scores.headline]
    return "\n".join(lines)


def evaluated(
    scores: Scores, data_path: Path | str, result_path: Path | str, where: Folders, rule: Rule, **_: object
) -> Evaluated:
    """Return the `Evaluated` of `Scores`."""
    title = f"{where.masks}, by the rule of {rule.name}"
    return Evaluated.of(title, result_path, where.frames, ("J", "F"), scores.headline, scores.scored)


DATASET = Dataset(
    name="videos in folders",
    sign="frames and masks",
    looks_like=lambda folder: False,  # Its folders are given by name.
    selection={"where": None, "rule": None, "unseen": None},
    scored=scored,
    tables=tables,
    evaluated=evaluated,
)

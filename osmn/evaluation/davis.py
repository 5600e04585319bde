"""Scores of DAVIS results: the published mIU and the benchmark's J and F."""

import collections
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from osmn.data import davis
from osmn.errors import InputError
from osmn.evaluation.metrics import Statistics, statistics
from osmn.evaluation.scoring import Scored, Sequence, require_folders, score
from osmn.results.layout import MASKS, SCORES, find_source, score_folders


@dataclass(frozen=True)
class ObjectScore:
    """J and F of an object over its sequence; `object_id` is None where a sequence has a single, binary object."""

    sequence: str
    object_id: int | None
    j: Statistics
    f: Statistics


@dataclass(frozen=True)
class Scores:
    """Of a split: `ObjectScore`s, {where results were read from: number of sequences}, and what each frame got."""

    objects: tuple
    sources: dict
    scored: tuple  # a `scoring.Scored` for each sequence

    @property
    def j(self):
        """The mean over objects of J's statistics; its own mean is the mIU."""
        return Statistics(*np.mean([score.j for score in self.objects], axis=0).tolist())

    @property
    def f(self):
        """The mean over objects of F's statistics."""
        return Statistics(*np.mean([score.f for score in self.objects], axis=0).tolist())


def evaluate(data_path, result_path, version, split, vis_path=None, processes=None):
    """Return the `Scores` of the results in `result_path`; see `osmn.evaluation.scoring.score` for the others."""
    found = sequences(data_path, result_path, version, split)
    scored = tuple(map(Scored, found, score(found, vis_path, processes)))
    objects = []
    for sequence, scores in scored:
        for object_id, values in zip(sequence.object_ids, scores.transpose(1, 2, 0), strict=True):
            objects.append(ObjectScore(sequence.name, object_id if version == 2017 else None, *map(statistics, values)))
    return Scores(tuple(objects), dict(collections.Counter(each.sequence.source for each in scored)), scored)


def sequences(data_path, result_path, version, split):
    """Return the Sequences of a DAVIS split: the objects of frame 0, every frame but the first and the last.

    For `version` 2016 all labels above 0 are one object; for 2017 a sequence's score files are used where it has
    some, else its merged PNGs.
    """
    names, found = davis.sequence_names(data_path, version, split), []
    require_folders(result_path, names)
    for name in names:
        truths, result_folder = tuple(davis.annotations(data_path, name).values()), Path(result_path) / name
        if len(truths) < 3:
            raise InputError(f"{truths[0].parent} has {len(truths)} annotations; the first and the last are not scored")
        object_ids, source = (1,), MASKS
        if version == 2017:
            object_ids, source = (
                davis.object_ids(truths[0], version),
                find_source(result_folder, [t.stem for t in truths]),
            )
            if source == SCORES and max(score_folders(result_folder)) > object_ids[-1]:
                raise InputError(
                    f"{result_folder}/{max(score_folders(result_folder))} is a result for an object that"
                    f" {truths[0]} does not have; remove it, or score the data it was made for"
                )
        found.append(Sequence(name, truths[1:-1], result_folder, source, object_ids))
    return found

"""What scoring and reports must know of a dataset, and what a report is made of."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osmn.results.manifest import read_run


@dataclass(frozen=True)
class Evaluated:
    """The scores of a result folder, the same for every dataset.

    Attributes:
        title: the dataset and the part of it.
        result_path: where the results are.
        images: the folder of the frames, `<sequence>/<frame>.jpg`.
        measures: the names of the scores' columns.
        headline: ((name, value), ...): the figures of the whole.
        scored: a `scoring.Scored` for each sequence.
        categories: {(sequence, object id): text}, where the dataset has categories.
        made_by: the manifest; None for results without one.
    """

    title: str
    result_path: Path
    images: Path
    measures: tuple
    headline: tuple
    scored: tuple
    categories: Mapping
    made_by: Mapping | None

    @classmethod
    def of(cls, title, result_path, images, measures, headline, scored, categories=None):
        """Return the scores of a folder with the manifest that is in it."""
        made_by = read_run(result_path)
        return cls(title, Path(result_path), images, measures, tuple(headline), scored, categories or {}, made_by)


@dataclass(frozen=True)
class Dataset:
    """A dataset whose results can be scored: a value for each, in `datasets.DATASETS`.

    What of the dataset is scored is a `selection`, {name: value}, such as the split.

    Attributes:
        name: as people write it.
        sign: what its folder holds, in words, by which it is recognized.
        looks_like: tells whether a folder (Path) holds it.
        selection: {name of what can be selected: its default, as `python -m osmn.report` has it}.
        scored: (data_path, result_path, **selection) -> a context manager of the dataset's own scores; in its block the
            results that they refer to can be read.
        tables: (scores, result_path, **selection) -> the scores as text, to be printed; they are written into
            `result_path` too.
        evaluated: (scores, data_path, result_path, **selection) -> `Evaluated`.
    """

    name: str
    sign: str
    looks_like: Callable[[Path], bool]
    selection: Mapping[str, Any]
    scored: Callable[..., AbstractContextManager]
    tables: Callable[..., str]
    evaluated: Callable[..., Evaluated]

"""What scoring and reports must know of a dataset, and the scores that a report shows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osmn.evaluation.scoring import Scored
from osmn.results.manifest import read_run


@dataclass(frozen=True)
class Evaluated:
    """The scores of a result folder, the same for every dataset.

    Attributes:
        title: the dataset and the part of it.
        result_path: the folder of the results.
        images: the folder of the frames, `<sequence>/<frame>.jpg`.
        measures: the names of the scores' columns.
        headline: ((name, value), ...): the scores of the whole result.
        scored: the scores of each sequence.
        categories: {(sequence, object id): category}; empty for a dataset without categories.
        made_by: the results' manifest; None for results without a manifest.
    """

    title: str
    result_path: Path
    images: Path
    measures: tuple[str, ...]
    headline: tuple[tuple[str, float], ...]
    scored: tuple[Scored, ...]
    categories: Mapping[tuple[str, int], str]
    made_by: Mapping[str, Any] | None

    @classmethod
    def of(
        cls,
        title: str,
        result_path: Path | str,
        images: Path,
        measures: tuple[str, ...],
        headline: Iterable[tuple[str, float]],
        scored: tuple[Scored, ...],
        categories: Mapping[tuple[str, int], str] | None = None,
    ) -> "Evaluated":
        """Return the `Evaluated` with the manifest that is in `result_path`; the arguments are its attributes."""
        made_by = read_run(result_path)
        return cls(title, Path(result_path), images, measures, tuple(headline), scored, categories or {}, made_by)


@dataclass(frozen=True)
class Dataset:
    """A dataset whose results can be scored; `datasets.DATASETS` lists the datasets.

    A `selection`, {name: value}, says which part of the dataset is scored, such as the split.

    Attributes:
        name: the name as people write it.
        sign: what tells that a folder holds the dataset, in words.
        looks_like: tells whether a folder (Path) holds the dataset.
        selection: {name: default} of what can be selected; the defaults are those of `python -m osmn.report`.
        scored: (data_path, result_path, **selection) -> a context manager of the dataset's own scores; in its block the
            results that the scores refer to can be read.
        tables: (scores, result_path, **selection) -> the scores as a text to print; it also writes tables into
            `result_path`.
        evaluated: (scores, data_path, result_path, **selection) -> `Evaluated`.
    """

    name: str
    sign: str
    looks_like: Callable[[Path], bool]
    selection: Mapping[str, Any]
    scored: Callable[..., AbstractContextManager[Any]]
    tables: Callable[..., str]
    evaluated: Callable[..., Evaluated]

    @contextmanager
    def results(
        self, data_path: Path | str, result_path: Path | str, selection: Mapping[str, Any]
    ) -> Iterator[Evaluated]:
        """Score a result folder, and give the block its `Evaluated`, whose results can be read in the block."""
        with self.scored(data_path, result_path, **selection) as scores:
            yield self.evaluated(scores, data_path, result_path, **selection)

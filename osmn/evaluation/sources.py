"""What one command segments, packs and scores: videos in folders, or those of a meta.json of YouTube-VOS."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osmn.data import ytvos as ytvos_data
from osmn.data.folders import Folders
from osmn.data.types import Video
from osmn.evaluation import vos, ytvos
from osmn.evaluation.dataset import Dataset
from osmn.evaluation.rules import RULES, Rule
from osmn.results import archive, track_files
from osmn.results.ytvos_submission import zip_submission


@dataclass(frozen=True)
class Source:
    """A dataset's videos, and what becomes of their results.

    Attributes:
        dataset: how results are scored.
        path: the dataset's folder, as `dataset` takes it.
        selection: which part of the dataset is scored.
        rule: which objects and frames count.
        origin: {name: path} of where the videos come from, for a manifest.
        videos: () -> the `Video`s; raises InputError if they cannot be read.
        can_be_scored: () -> whether there are masks to score results by.
        write_archive: (path of the archive, videos, folder of the results): writes what the dataset's server takes;
            raises InputError if a result is missing or damaged.
    """

    dataset: Dataset
    path: Path
    selection: Mapping[str, Any]
    rule: Rule
    origin: Mapping[str, Any]
    videos: Callable[[], list[Video]]
    can_be_scored: Callable[[], bool]
    write_archive: Callable[[Path | str, Sequence[Video], Path | str], None]


def of_folders(where: Folders, rule: Rule, form: str, unseen: Path | str | None = None) -> Source:
    """Return the `Source` of videos in folders.

    Args:
        where: the folders.
        rule: what counts in the scores.
        form: a name of `results.archive.FORMS`.
        unseen: a text file with the names of videos that training had nothing like; None: no such list.
    """

    def videos() -> list[Video]:
        track_files.prepare(where)
        return where.videos()

    def write_archive(zip_path: Path | str, found: Sequence[Video], result_path: Path | str) -> None:
        archive.write_archive(zip_path, archive.result_entries(where, found, result_path, form))

    selection = {"where": where, "rule": rule, "unseen": unseen}
    return Source(
        vos.DATASET,
        where.masks,
        selection,
        rule,
        where.origin,
        videos,
        lambda: vos.can_be_scored(where, rule),
        write_archive,
    )


def of_ytvos(data_path: Path | str, split: str, unseen: Path | str | None = None) -> Source:
    """Return the `Source` of the videos that a meta.json of YouTube-VOS lists.

    Args:
        data_path: a YouTube-VOS folder.
        split: a folder in it.
        unseen: a text file with the categories that training did not have; None: no such list.
    """

    def write_archive(zip_path: Path | str, _: Sequence[Video], result_path: Path | str) -> None:
        zip_submission(data_path, split, result_path, zip_path)

    return Source(
        ytvos.DATASET,
        Path(data_path),
        {"split": split, "unseen": unseen},
        RULES["ytvos"],
        {"data_path": str(data_path), "all_frames": False},  # As osmn_train_eval_ytvos.py says it.
        lambda: ytvos_data.videos(data_path, split),
        lambda: ytvos.can_be_scored(data_path, split),
        write_archive,
    )

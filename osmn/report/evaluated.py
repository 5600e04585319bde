"""What a report is made of, the same for every dataset: scores of each frame, where the frames are, what made it."""

from dataclasses import dataclass
from pathlib import Path

from osmn.results.manifest import read_run

DAVIS_IMAGES = ("480p", "Full-Resolution")  # of JPEGImages; the first that is there


@dataclass(frozen=True)
class Evaluated:
    """The scores of a result folder.

    Attributes:
        title: the dataset and the part of it.
        result_path: where the results are.
        images: the folder of the frames, `<sequence>/<frame>.jpg`.
        measures: the names of the scores' columns.
        headline: ((name, value), ...): the figures of the whole.
        scored: an `evaluation.scoring.Scored` for each sequence.
        categories: {(sequence, object id): text}, where the dataset has categories.
        made_by: the manifest; None for results without one.
    """

    title: str
    result_path: Path
    images: Path
    measures: tuple
    headline: tuple
    scored: tuple
    categories: dict
    made_by: dict | None


def of_davis(scores, data_path, result_path, version, split):
    """Return the `Evaluated` of `evaluation.davis.Scores`."""
    folders = [Path(data_path) / "JPEGImages" / name for name in DAVIS_IMAGES]
    images = next((folder for folder in folders if folder.is_dir()), folders[0])
    headline = [("J&F", (scores.j.mean + scores.f.mean) / 2)]
    for name, measure in (("J", scores.j), ("F", scores.f)):
        headline += [
            (f"{name} mean", measure.mean),
            (f"{name} recall", measure.recall),
            (f"{name} decay", measure.decay),
        ]
    return _evaluated(f"DAVIS {version}, {split}", result_path, images, ("J", "F"), headline, scores)


def of_ytvos(scores, data_path, result_path, split):
    """Return the `Evaluated` of `evaluation.ytvos.Scores`; their results must still be readable."""
    images = Path(data_path) / split / "JPEGImages"
    headline = [("G", scores.g)]
    for kind, seen in (("seen", True), ("unseen", False)):
        headline += zip((f"J {kind}", f"F {kind}"), scores.means(seen), strict=False)
    categories = {(score.video, score.object_id): score.category for score in scores.objects if score.category}
    return _evaluated(f"YouTube-VOS, {split}", result_path, images, ("J", "F"), headline, scores, categories)


def of_youtube_objects(scores, data_path, result_path):
    """Return the `Evaluated` of `evaluation.youtube_objects.Scores`."""
    images = Path(data_path) / "Images"
    headline = [("mIU", scores.iou), ("mean over classes", scores.class_iou)]
    categories = {(score.sequence, 1): score.category for score in scores.sequences}
    return _evaluated("YouTube-Objects", result_path, images, ("IoU",), headline, scores, categories)


def _evaluated(title, result_path, images, measures, headline, scores, categories=None):
    result_path = Path(result_path)
    return Evaluated(
        title, result_path, images, measures, tuple(headline), scores.scored, categories or {}, read_run(result_path)
    )

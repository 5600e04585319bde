"""Scores as tables: printed, and written into the result folder as `iou.txt` and as CSV."""

import csv
import io
import sys
from pathlib import Path

import numpy as np

from osmn.data.davis import is_annotated
from osmn.evaluation import davis
from osmn.files import locks
from osmn.files.atomic import named_write_errors, replacing

DAVIS_COLUMNS = ("sequence", "object", "J_mean", "J_recall", "J_decay", "F_mean", "F_recall", "F_decay")
YOUTUBE_OBJECTS_COLUMNS = ("sequence", "class", "frames", "IoU")
YTVOS_COLUMNS = ("video", "object", "category", "seen", "frames", "J_mean", "F_mean")


def report_davis(scores, result_path):
    """Print `osmn.evaluation.davis.Scores`; write `iou.txt` and `per_object.csv` into `result_path`."""
    objects = [(_title(score), score) for score in scores.objects]
    files = _write(
        result_path,
        _iou_lines([(title, score.j.mean) for title, score in objects], scores.j.mean),
        "per_object.csv",
        DAVIS_COLUMNS,
        [(s.sequence, s.object_id or 1, *_decimals(*s.j, *s.f)) for s in scores.objects],
    )
    rows = [*((title, score.j, score.f) for title, score in objects), ("all", scores.j, scores.f)]
    width = max(len(title) for title, *_ in rows)
    print(f"{'':{width}}  {'J mean':>7}{'recall':>8}{'decay':>8}  {'F mean':>7}{'recall':>8}{'decay':>8}")
    for title, *measures in rows:
        j, f = (f"{s.mean:7.3f}{s.recall:8.3f}{s.decay:8.3f}" for s in measures)
        print(f"{title:{width}}  {j}  {f}")
    print(f"\nread: {', '.join(f'{source} of {count} sequences' for source, count in scores.sources.items())}")
    print(f"written: {files}")
    print(f"J&F: {(scores.j.mean + scores.f.mean) / 2:.3f}")
    print(f"mIU: {scores.j.mean:.3f}")


def score_if_annotated(data_path, result_path, version, split, videos, shards=1):
    """Score the results of a DAVIS script, and report them, if every frame of its `videos` has an annotation.

    `shards` is the number of those that the videos are one of: more than one are scored all together, later.
    Returns the `Scores`; None if there are none.
    """
    if shards > 1:
        print("this was one share of the videos: score all of them by davis_eval.py")
        return None
    if not is_annotated(data_path, videos):
        print(f"masks are in {result_path}; not every frame has an annotation to score them with")
        return None
    with locks.writing(result_path):
        scores = davis.evaluate(data_path, result_path, version, split)
        report_davis(scores, result_path)
    return scores


def report_youtube_objects(scores, result_path):
    """Print `osmn.evaluation.youtube_objects.Scores`; write `iou.txt` and `per_sequence.csv` into `result_path`."""
    files = _write(
        result_path,
        _iou_lines([(score.sequence, score.iou) for score in scores.sequences], scores.iou),
        "per_sequence.csv",
        YOUTUBE_OBJECTS_COLUMNS,
        [(s.sequence, s.category, s.frames, *_decimals(s.iou)) for s in scores.sequences],
    )
    width = max(len(score.sequence) for score in scores.sequences)
    for score in scores.sequences:
        print(f"{score.sequence:{width}}  {score.iou:.3f}  ({score.frames} frames)")
    if scores.skipped:
        print(f"skipped, fewer than two labelled frames: {', '.join(scores.skipped)}", file=sys.stderr)
    print(f"\n{'class':{width}}  IoU    (mean over its sequences)")
    for name, ious in scores.classes.items():
        print(f"{name:{width}}  {np.mean(ious):.3f}  ({len(ious)} sequences)")
    print(f"\nwritten: {files}")
    print(f"mean over {len(scores.classes)} classes: {scores.class_iou:.3f}")
    print(f"mIU: {scores.iou:.3f}")


def report_ytvos(scores, result_path, unseen_given):
    """Print `osmn.evaluation.ytvos.Scores`; write `per_object.csv` into `result_path`.

    `unseen_given` tells whether there was a list of the unseen categories.
    """
    rows = [(o.video, o.object_id, o.category, int(o.seen), o.frames, *_decimals(o.j, o.f)) for o in scores.objects]
    files = _write(result_path, None, "per_object.csv", YTVOS_COLUMNS, rows)
    print(f"{'':6}  {'objects':>7}{'categories':>12}{'J':>8}{'F':>8}")
    for title, seen in (("seen", True), ("unseen", False)):
        of = scores.of(seen)
        shown = "".join(f"{mean:8.3f}" for mean in scores.means(seen)) or f"{'-':>8}{'-':>8}"
        print(f"{title:6}  {len(of):7}{len({o.category for o in of}):12}{shown}")
    if not unseen_given:
        print("no --unseen FILE: every category counts as seen")
    both = scores.of(True) and scores.of(False)
    print(f"G is the mean of {'these four' if both else 'the two that there are'}")
    if scores.not_scored:
        print(f"not scored, listed for a single frame: {scores.not_scored} objects")
    print(f"written: {files}")
    print(f"G: {scores.g:.3f}")


def _title(score):
    return score.sequence if score.object_id is None else f"{score.sequence}/{score.object_id}"


def _iou_lines(ious, mean):
    return "".join(f"{name} {iou:.4f}\n" for name, iou in (*ious, ("all", mean)))


def _decimals(*values):
    return [f"{value:.6f}" for value in values]


def _write(result_path, iou_lines, csv_name, columns, rows):
    """Write `iou.txt`, if there are lines for it, and a CSV file; return their paths as text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    contents = {} if iou_lines is None else {"iou.txt": iou_lines}
    paths = []
    for name, content in (contents | {csv_name: text.getvalue()}).items():
        paths.append(Path(result_path) / name)
        with named_write_errors(paths[-1]), replacing(paths[-1]) as temporary:
            temporary.write_text(content)
    return ", ".join(map(str, paths))

"""Reports of scores, a function for each dataset: of a result, or of it against another one of the same videos."""

import contextlib

from osmn.evaluation import davis as davis_scores
from osmn.evaluation import youtube_objects as youtube_objects_scores
from osmn.evaluation import ytvos as ytvos_scores
from osmn.report import evaluated, page


def davis(scores, data_path, result_path, version, split, against=None):
    """Write the report of `evaluation.davis.Scores`; `against` is the folder of another result, which is scored."""
    other = against and davis_results(data_path, against, version, split)
    page.write(evaluated.of_davis(scores, data_path, result_path, version, split), against=other)


def youtube_objects(scores, data_path, result_path, against=None):
    """Write the report of `evaluation.youtube_objects.Scores`; see `davis`."""
    other = against and youtube_objects_results(data_path, against)
    page.write(evaluated.of_youtube_objects(scores, data_path, result_path), against=other)


def ytvos(scores, data_path, result_path, split, unseen=None, against=None):
    """Write the report of `evaluation.ytvos.Scores`, whose results must still be readable; see `davis`."""
    with ytvos_results(data_path, against, split, unseen) if against else contextlib.nullcontext() as other:
        page.write(evaluated.of_ytvos(scores, data_path, result_path, split), against=other)


def davis_results(data_path, result_path, version, split):
    """Score a folder of results; return their `Evaluated`."""
    scores = davis_scores.evaluate(data_path, result_path, version, split)
    return evaluated.of_davis(scores, data_path, result_path, version, split)


def youtube_objects_results(data_path, result_path):
    """Score a folder of results; return their `Evaluated`."""
    scores = youtube_objects_scores.evaluate(data_path, result_path)
    return evaluated.of_youtube_objects(scores, data_path, result_path)


@contextlib.contextmanager
def ytvos_results(data_path, result_path, split, unseen=None):
    """Score a folder of results; yield their `Evaluated`, whose results can be read in the block."""
    with ytvos_scores.evaluated(data_path, result_path, split, unseen) as scores:
        yield evaluated.of_ytvos(scores, data_path, result_path, split)

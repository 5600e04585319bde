"""Frames scored per second, beside a plain full-frame computation in one process. Start with -h.

The yardstick reads the same files and computes the same J and F on whole frames, object by object, from the distance
to the other contour (about 40 ms an object, as the benchmark's own code); both must agree to the last digit.
"""

import argparse
import functools
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from osmn.cli.entry import reports_input_errors
from osmn.errors import InputError
from osmn.evaluation.davis import sequences as davis_sequences
from osmn.evaluation.metrics import contour, contour_tolerance, region_similarity
from osmn.evaluation.scoring import read_result, score
from osmn.files.images import read_labels, write_labels
from osmn.masks import Size
from osmn.parallel import worthwhile_processes
from osmn.results.layout import MASKS


def plain_scores(sequences):
    """Return what `osmn.evaluation.scoring.score` returns, computed on whole frames."""
    scores = []
    for sequence in sequences:
        values = np.ones((len(sequence.truths), len(sequence.object_ids), 2))
        for row, path in zip(values, sequence.truths, strict=True):
            truth = read_labels(path)
            if sequence.source == MASKS:
                truth = (truth != 0).astype(np.uint8)
            result = read_result(sequence, path.stem, Size.of(truth))
            for pair, object_id in zip(row, sequence.object_ids, strict=True):
                masks = truth == object_id, result == object_id
                pair[:] = region_similarity(*masks), _plain_contour_accuracy(*masks)
        scores.append(values)
    return scores


def _plain_contour_accuracy(truth, result):
    tolerance = contour_tolerance(truth.shape)
    truth, result = contour(truth), contour(result)
    if not truth.any() or not result.any():
        return float(truth.any() == result.any())
    recall = (ndimage.distance_transform_edt(~result)[truth] <= tolerance).mean()
    precision = (ndimage.distance_transform_edt(~truth)[result] <= tolerance).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def write_synthetic(folder, frames, objects, size=(854, 480)):
    """Write a DAVIS folder of one sequence of moving discs, and results that are a little off; return both folders."""
    data, results = folder / "davis", folder / "results"
    (data / "ImageSets/2017").mkdir(parents=True)
    (data / "ImageSets/2017/val.txt").write_text("discs\n")
    y, x = np.ogrid[: size[1], : size[0]]
    rng = np.random.default_rng(0)
    centres, speeds = rng.uniform(0.2, 0.8, (objects, 2)) * size, rng.uniform(-2, 2, (objects, 2))
    for index in range(frames):
        for path, offset in ((data / "Annotations/480p", 0), (results, 5)):
            labels = np.zeros(Size(*size).shape, np.uint8)
            for object_id, (centre, speed) in enumerate(zip(centres, speeds, strict=True), 1):
                cx, cy = centre + index * speed + offset
                labels[(x - cx) ** 2 + (y - cy) ** 2 <= 70**2] = object_id
            write_labels(path / "discs" / f"{index:05d}.png", labels)
    return data, results


THEIRS = """
import json, resource, sys
from vos_benchmark.benchmark import benchmark

def spent():
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)

begin = spent()
found = benchmark([sys.argv[1]], [sys.argv[2]], strict=False, num_processes=1, verbose=False, skip_first_and_last=True)
taken = spent() - begin
values = {name: [[float(each[i]) / 100 for i in sorted(each)] for each in both] for name, both in found[-1][0].items()}
print(json.dumps([taken, values]))
"""


def beside_vos_benchmark(python, truths, results, sequences):
    """Print the processor time of vos-benchmark, which another Python has, and of ours, in one process each."""
    command = [python, "-c", THEIRS, str(truths), str(results)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"{python} cannot run vos-benchmark: {done.stderr[-300:]}")
    theirs, values = json.loads(done.stdout.splitlines()[-1])
    begin = time.process_time()
    scores = score(sequences, processes=1)
    ours = time.process_time() - begin
    apart = max(
        np.abs(found.mean(axis=0).T - values[sequence.name]).max()
        for sequence, found in zip(sequences, scores, strict=True)
    )
    print(f"\nprocessor time: vos-benchmark {theirs:.2f} s, ours {ours:.2f} s: {theirs / ours:.1f} times less")
    print(f"means of objects are at most {apart:.1e} apart")


@reports_input_errors
def main(argv=None):
    """Time both ways on the same results and print a small table."""
    parser = argparse.ArgumentParser(description="Time the scoring of DAVIS results against a plain computation.")
    parser.add_argument("data_path", metavar="DATA_PATH", nargs="?", help="a DAVIS folder (default: synthetic data)")
    parser.add_argument("result_path", metavar="RESULT_PATH", nargs="?", help="its results")
    parser.add_argument("--version", type=int, choices=(2016, 2017), default=2017, help="of the given data (2017)")
    parser.add_argument("--split", default="val", help="of the given data (val)")
    parser.add_argument("--frames", type=int, default=400, help="of the synthetic sequence, 854x480 (400)")
    parser.add_argument("--objects", type=int, default=3, help="of the synthetic sequence (3)")
    parser.add_argument(
        "--vos_benchmark", metavar="PYTHON", help="compare with vos-benchmark of this Python, on the synthetic data"
    )
    args = parser.parse_args(argv)
    if args.vos_benchmark and args.data_path:
        parser.error("--vos_benchmark is for the synthetic data")
    if args.data_path and not args.result_path:
        parser.error("DATA_PATH needs a RESULT_PATH")

    with tempfile.TemporaryDirectory() as folder:
        if args.data_path:
            data, results, version, split = args.data_path, args.result_path, args.version, args.split
        else:
            data, results = write_synthetic(Path(folder), args.frames, args.objects)
            version, split = 2017, "val"
        sequences = davis_sequences(data, results, version, split)
        frames = sum(len(sequence.truths) for sequence in sequences)
        objects = sum(len(sequence.truths) * len(sequence.object_ids) for sequence in sequences)
        print(f"{len(sequences)} sequences, {frames} frames, {objects / frames:.1f} objects a frame\n")
        ways = [
            ("plain: whole frames, 1 process", plain_scores),
            ("cropped, 1 process", functools.partial(score, processes=1)),
        ]
        several = worthwhile_processes(frames)
        if several > 1:
            ways.append((f"cropped, {several} processes", functools.partial(score, processes=several)))
        print(f"{'':32}{'frames/s':>9}{'ms/frame':>10}{'speed-up':>10}")
        expected, plain_seconds = None, None
        for title, way in ways:
            start = time.perf_counter()
            scores = way(sequences)
            seconds = time.perf_counter() - start
            if expected is None:
                expected, plain_seconds = scores, seconds
            same = map(np.array_equal, expected, scores)
            assert all(same), f"{title}: other numbers than the plain computation"
            print(f"{title:32}{frames / seconds:9.0f}{1000 * seconds / frames:10.2f}{plain_seconds / seconds:10.1f}")
        print("\nall numbers equal")
        if args.vos_benchmark:
            beside_vos_benchmark(args.vos_benchmark, data / "Annotations/480p", results, sequences)


if __name__ == "__main__":
    main()

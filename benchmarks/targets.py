"""What `osmn_segment.py` takes on this machine, beside another commit: `python -m benchmarks.targets --against FOLDER`.

Each row is a program of its own, from the start of its process to its last file, on a clip in H.264 that is drawn here.
FOLDER is a checkout of the commit to compare with, such as be67c08, whose default was TensorFlow:
`git worktree add FOLDER be67c08`. Both take turns, and each figure is a median, so that a machine's drift meets both.
"time" is on the clock, "processor" of all threads, "memory" the peak. "frames/s" is without the start: the frames that
a long clip has more than a short one, over the time that it takes longer.

The first run of a checkout is not counted: it keeps what OpenVINO compiles.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from osmn.cli.entry import reports_input_errors
from osmn.data.synthetic import make_movers, render
from osmn.errors import InputError
from osmn.files.images import write_labels
from osmn.models.engines import choice, processor

ROOT = Path(__file__).resolve().parents[1]
DRAWN = 30  # frames; a longer clip goes to and fro
SHORT = 10  # frames of a clip that is mostly start


# Starts a program and prints what it took. Linux counts as a program's largest memory also that of the process which
# starts it, up to then: this one has 10 MiB, where the one that has drawn the clips has had 360.
START = """
import os, subprocess, sys, time
with open(sys.argv[1], "w") as log:
    begin = time.perf_counter()
    process = subprocess.Popen(sys.argv[2:], stdout=log, stderr=log)
    _, status, usage = os.wait4(process.pid, 0)
    print(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""


class Spent(NamedTuple):
    """What a program took: seconds on the clock, seconds of processors, bytes of memory."""

    clock: float
    cpu: float
    memory: float


def draw(size, seed=0):
    """Return `DRAWN` pictures of a shape over a moving ground, and the labels of each."""
    rng = np.random.default_rng(seed)
    return render(rng, make_movers(rng, 2, DRAWN, size), 1, DRAWN, size)


def to_and_fro(number):
    """Return which of the `DRAWN` pictures a frame of a longer clip is; numbers, or arrays of them, from 0."""
    return abs((number + DRAWN - 1) % (2 * DRAWN - 2) - (DRAWN - 1))


def make_clip(folder, size, frames, seed=0):
    """Write an H.264 clip of a shape over a moving ground, and its first mask; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = draw(size, seed)
    order = to_and_fro(np.arange(frames))
    clip, mask = folder / "clip.mp4", folder / "first.png"
    write_labels(mask, labels[order[0]])
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", 25, {"crf": "23"}, width=size[0], height=size[1], pix_fmt="yuv420p")
        for number in order:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(images[number], "rgb24")))
        container.mux(stream.encode())
    return clip, mask


def run(tree, clip, mask, options):
    """Return the `Spent` of `osmn_segment.py` of a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(tree / "osmn_segment.py"), str(clip), "--mask", str(mask)]
        command += ["--result_path", f"{folder}/out", *options]
        environment = os.environ | {"PYTHONPATH": str(tree), "TF_CPP_MIN_LOG_LEVEL": "3"}
        start = [sys.executable, "-c", START, f"{folder}/log", *command]
        started = subprocess.run(start, env=environment, cwd=tree, stdout=subprocess.PIPE, text=True, check=False)
        if started.returncode:
            log = Path(folder, "log").read_text(encoding="utf-8", errors="replace")
            raise InputError(f"osmn_segment.py of {tree} failed: {log[-500:]}")
    clock, cpu, memory = map(float, started.stdout.split())
    return Spent(clock, cpu, memory * (1 if sys.platform == "darwin" else 1024))


def in_turns(trees, rounds, *arguments):
    """Return {tree: Spent}, medians, of `rounds` runs of each tree; one before them is not counted."""
    found = {tree: [] for tree in trees}
    for turn in range(rounds + 1):
        for tree in trees:
            spent = run(tree, *arguments)
            if turn:
                found[tree].append(spent)
    return {tree: Spent(*np.median(each, axis=0)) for tree, each in found.items()}


def row(title, values, unit):
    """Print the value of each tree, and the first as a part of the last, which is the other commit's."""
    shown = "".join(f"{value:12.2f}" for value in values)
    ratio = f"{values[0] / values[-1]:8.2f}" if len(values) > 1 else ""
    print(f"{title:58}{shown} {unit:9}{ratio}", flush=True)


def whole_runs(title, trees, rounds, clip, mask, options=()):
    """Print what whole runs take."""
    found = in_turns(trees, rounds, clip, mask, options)
    row(f"{title}, time", [found[tree].clock for tree in trees], "s")
    row(f"{title}, processor", [found[tree].cpu for tree in trees], "s")
    row(f"{title}, memory", [found[tree].memory / 2**20 for tree in trees], "MiB")


def without_start(title, trees, rounds, folder, size, frames, options=()):
    """Print frames per second, and processor milliseconds of a frame, without the start."""
    counts = (min(SHORT, frames // 2), frames)
    clips = [make_clip(folder / f"{size[0]}-{count}", size, count) for count in counts]
    few, many = (in_turns(trees, rounds, *clip, options) for clip in clips)
    more = counts[1] - counts[0]
    # Where other work made the short clip take longer than the long one, nothing is known.
    longer = [many[tree].clock - few[tree].clock for tree in trees]
    row(f"{title}, on the clock", [more / each if each > 0 else float("nan") for each in longer], "frames/s")
    row(f"{title}, processor", [1e3 * (many[t].cpu - few[t].cpu) / more for t in trees], "ms/frame")


@reports_input_errors
def main(argv=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="a checkout of another commit")
    parser.add_argument("--osvos", nargs="+", default=[], metavar="MODEL", help="models of osvos: checkpoints, exports")
    parser.add_argument("--frames", type=int, default=100, help="of a clip (100)")
    parser.add_argument("--rounds", type=int, default=3, help="counted runs of each (3)")
    args = parser.parse_args(argv)
    if args.against and not (args.against / "osmn_segment.py").is_file():
        raise InputError(f"{args.against} is no checkout of this repository; see -h")
    trees = [ROOT, *([args.against.resolve()] if args.against else [])]
    chip = processor.here()
    names = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
    print(f"{os.cpu_count()} processors, {chip.vendor}: {', '.join(n for n in names if n in chip.flags) or 'unknown'}")
    print(choice.choose(None, chip, int8=True).line())
    print(
        f"load before: {os.getloadavg()[0]:.1f}\n{'':58}{'this':>12}"
        + (f"{'against':>12}{'part':>18}" * len(trees[1:]))
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clip = make_clip(folder / "whole", (854, 480), args.frames)
        whole_runs(f"{args.frames} frames of 854x480", trees, args.rounds, *clip)
        at = ("--im_size", "448", "256")
        without_start("448x256 at 448x256", trees, args.rounds, folder, (448, 256), args.frames, at)
        without_start("1280x720 at 640x352", trees, args.rounds, folder, (1280, 720), args.frames)
        without_start("1280x720 at 448x256", trees, args.rounds, folder, (1280, 720), args.frames, at)
        few = max(4, args.frames // 10)
        for model in args.osvos:
            options = ("--whole_model_path", str(Path(model).resolve()), "--im_size", "854", "480")
            both = trees if not (Path(model) / "model.json").is_file() else trees[:1]
            without_start(f"854x480, {model}", both, args.rounds, folder / "osvos", (854, 480), few, options)
    print(f"load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

"""Work shared out to several processes, and how many of them the machine serves."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from osmn.errors import InputError


def processors():
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(function, jobs, processes):
    """Yield `function(job)` for each of `jobs`, in order, computed by so many processes (1: by this one).

    The processes are spawned, not forked: a caller may have TensorFlow's threads running. The first error stops them
    all.
    """
    if min(processes, len(jobs)) <= 1:
        yield from map(function, jobs)
        return
    with ProcessPoolExecutor(min(processes, len(jobs)), multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(function, jobs)
        except BrokenProcessPool:
            raise InputError("a worker process was killed, probably for lack of memory; run this again") from None

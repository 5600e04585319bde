"""What the preprocessing scripts share: listing a folder and working on many sequences at once."""

import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from tqdm import tqdm

from osmn.errors import InputError
from osmn.files import remove_unfinished
from osmn.processes import processors


def visible(folder, suffixes=None):
    """Return the entries of `folder` in order of their names: its folders, or its files with one of `suffixes`.

    Hidden entries are left out: a killed run leaves hidden unfinished files, and some systems add their own.
    Raises InputError, naming the folder, if it does not exist.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    if suffixes is None:
        return sorted(entry for entry in entries if entry.is_dir())
    return sorted(entry for entry in entries if entry.suffix.lower() in suffixes)


def make_output_folder(folder):
    """Create `folder`, or remove from it the hidden files that `osmn.files.replacing` leaves when it is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_unfinished(folder)


def for_each_sequence(function, calls):
    """Call `function(*arguments)` for each of `calls` in one process per CPU, with a progress bar.

    Args:
        function: a module's function.
        calls: tuples of arguments, one per sequence.

    Returns:
        The results, in the order of `calls`. The first exception ends the work and is raised here.
    """
    processes = min(processors(), len(calls))
    # Spawned, not forked: a caller may have TensorFlow's threads running.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_leave_interrupts_to_parent) as pool:
        futures = [pool.submit(function, *arguments) for arguments in calls]
        try:
            for future in tqdm(as_completed(futures), total=len(futures), unit="sequence"):
                future.result()
        except BrokenProcessPool:
            raise InputError("a process was killed, probably for its memory; run the command again") from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _leave_interrupts_to_parent():
    signal.signal(signal.SIGINT, signal.SIG_IGN)

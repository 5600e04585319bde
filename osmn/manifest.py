"""What made the files of a folder, and which parts of it are finished: `run.json` and `.osmn-finished/`.

Work that is there already is recognised by what made it (the model's weights and configuration, and the options that
change results) and by the content of its files, never by their times, so that a folder may be copied.
"""

import contextlib
import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import osmn
from osmn import locks, sealed
from osmn.errors import InputError
from osmn.files import named_write_errors, remove_unfinished, replacing, state
from osmn.made import plain_names, remove_made

RUN = "run.json"
TRAINING = "training.json"  # of a folder of online fine-tuning's models, which may be that of the results too
FINISHED = ".osmn-finished"
MAKING = ".making"  # what the names of the lists of files end in that are being made
IDENTITY = ("model_sha256", "config", "options")  # What two runs must agree on for the same results.


def described(model, model_sha256, config, options):
    """Return what makes a run's results, in JSON's types.

    Args:
        model: the path of its weights, as given.
        model_sha256: of the weights, in hex; see `checkpoints.fingerprint`.
        config: the `ModelConfig`.
        options: {name: value} of all options that change results, and only those.
    """
    made_by = {
        "program": f"osmn {osmn.__version__}",
        "model": str(model),
        "model_sha256": model_sha256,
        "config": dataclasses.asdict(config),
        "options": options,
    }
    return json.loads(json.dumps(made_by))


class Run:
    """A folder's manifest, opened by `open_run`."""

    def __init__(self, folder, made_by):
        self._folder = Path(folder)
        identity = json.dumps({name: made_by[name] for name in IDENTITY}, sort_keys=True)
        self._key = hashlib.sha256(identity.encode()).hexdigest()

    def is_finished(self, part, expected):
        """Tell whether a part was finished by this run and its files are as it left them.

        `part` is the name of a piece of work, such as "<video>" or "<video>/<object>"; `expected` are the paths, in the
        folder, of the files that there must be, beside those that were noted when it was finished.
        """
        try:
            content = json.loads(self._marker(part).read_text(encoding="utf-8"))
            noted = dict(content["files"])
            if content["run"] != self._key:
                return False
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False  # Not there, or damaged: the part is done again.
        if not noted.keys() >= set(expected) or any(self._state(name) != kept for name, kept in noted.items()):
            return False
        self._journal(part).unlink(missing_ok=True)  # Of a run that was killed just after it had finished.
        return True

    @contextlib.contextmanager
    def making(self, part):
        """Give the block a function that is told the paths of a part's files, in the folder, before they are made.

        They are known then to a later run that replaces this one's results, even if this one is killed.
        """
        journal = self._journal(part)
        with contextlib.ExitStack() as stack:
            with named_write_errors(journal):
                journal.parent.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(journal.open("ab", buffering=0))

            def tell(*names):
                with named_write_errors(journal):
                    file.write("".join(f"{json.dumps(name)}\n" for name in names).encode())

            yield tell

    def finish(self, part, files):
        """Note that a part is finished: its `files`, paths in the folder, are written."""
        with replacing(self._marker(part)) as temporary:
            noted = {name: self._state(name) for name in files}
            temporary.write_text(json.dumps({"run": self._key, "files": noted}), encoding="utf-8")
        self._journal(part).unlink(missing_ok=True)

    def forget(self):
        """Take everything for unfinished."""
        shutil.rmtree(self._folder / FINISHED, ignore_errors=True)

    def _marker(self, part):
        return self._folder / FINISHED / f"{part}.json"

    def _journal(self, part):
        return self._folder / FINISHED / f"{part}{MAKING}"

    def _state(self, name):
        return state(self._folder / name)


@contextlib.contextmanager
def open_run(folder, made_by, option, overwrite=False, clear=lambda: None, name=RUN, shard=(0, 1), read=()):
    """Give the block the `Run` that makes a folder's files; no other run may write into the folder meanwhile.

    Where it replaces another run's results, all files that the other one has made are removed, finished or not.

    Args:
        folder: need not exist.
        made_by: from `described`.
        option: the option that names the folder, for the message.
        overwrite: results of other options may be replaced.
        clear: called before they are, to remove what else must not be taken for this run's; with `overwrite`, also
            where no manifest says whose it is.
        name: of the manifest.
        shard: (i, n): the run does one of n shares of the work; others may do theirs at the same time.
        read: paths of files that the run reads, which stay.

    Raises:
        InputError: if the folder has results of another model or of other options, naming the difference, or if
            another run is writing into it.
    """
    folder = Path(folder)
    with locks.writing(folder, shard) as held:
        before = read_run(folder, name)
        difference = None if before is None else _difference(before, made_by)
        if difference is not None:
            if not overwrite:
                raise InputError(
                    f"{folder} holds results of another run ({difference}); give another {option}, or --overwrite to"
                    " replace them"
                )
            held.require_alone()
        if difference is not None or (before is None and overwrite):
            clear()
            _remove_results(folder, read)
        if held.alone:
            remove_unfinished(folder / FINISHED)
        if before != made_by:
            with replacing(folder / name) as temporary:
                temporary.write_text(sealed.to_json(made_by), encoding="utf-8")
        held.admit()
        yield Run(folder, made_by)


def _remove_results(folder, read):
    """Remove all files in a folder that runs have made, but for those in `read`, and forget that they were finished."""
    stay = {Path(path).resolve() for path in read}
    made = set()
    for path in (folder / FINISHED).rglob("*"):
        if path.is_file():
            made |= _made(path)
    remove_made(folder, [name for name in made if (folder / name).resolve() not in stay])
    shutil.rmtree(folder / FINISHED, ignore_errors=True)


def _made(note):
    """Return the names of the files in a note of a part, finished or being made; none of one that is damaged."""
    try:
        text = note.read_text(encoding="utf-8")
        if note.suffix == MAKING:
            return plain_names(map(json.loads, text.split("\n")[:-1]))  # The last one may have been cut short.
        return plain_names(json.loads(text)["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def read_run(folder, name=RUN):
    """Return what made a folder's files, from its manifest; None if it has none. InputError if it is damaged."""
    path = Path(folder) / name
    try:
        made_by = sealed.from_json(path.read_text(encoding="utf-8"))
        if not all(isinstance(made_by[name], dict) for name in ("config", "options")) or "model_sha256" not in made_by:
            raise ValueError("it does not say what made the results")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); remove it, and the results beside it are made again") from None
    return made_by


def _difference(before, now):
    """Return the first difference between two runs that changes results, in words; None if there is none."""
    for group in ("options", "config"):
        for name in sorted(before[group].keys() | now[group].keys()):
            old, new = before[group].get(name), now[group].get(name)
            if old != new:
                return f"{name} was {json.dumps(old)}, is {json.dumps(new)}"
    if before["model_sha256"] != now["model_sha256"]:
        return f"model was {before.get('model')}, is {now['model']}"
    return None

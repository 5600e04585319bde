"""What made the files of a folder, and which parts of it are finished: `run.json` and `.osmn-finished/`.

Work that is there already is recognised by what made it (the model's weights and configuration, and the options that
change results) and by the content of its files, never by their times, so that a folder may be copied. A file that no
run has noted as its own is somebody's, and stays.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path

from osmn.errors import InputError
from osmn.files import locks, sealed_json
from osmn.files.atomic import named_write_errors, regular_bytes, remove_unfinished, replacing, size_and_crc
from osmn.files.generated import plain_names, remove_made
from osmn.files.names import LONGEST_NAME
from osmn.files.overlap import among
from osmn.version import __version__

RUN = "run.json"
TRAINING = "training.json"  # of a folder of online fine-tuning's models, which may be that of the results too
FINISHED = ".osmn-finished"
MAKING = ".making"  # what the names of the lists of files end in that are being made
IDENTITY = ("model_sha256", "config", "options")  # What two runs must agree on for the same results.
# Options that are the same where they lead to the same place, from any folder.
PATHS = ("data_path", "rehearsal_path", "input")


def described(model, model_sha256, config, options):
    """Return what makes a run's results, in JSON's types.

    Args:
        model: the path of its weights, as given.
        model_sha256: of the weights, in hex; see `checkpoints.fingerprint`.
        config: the `ModelConfig`.
        options: {name: value} of all options that change results, and only those; those in `PATHS` become absolute.
    """
    made_by = {
        "program": f"osmn {__version__}",
        "model": str(model),
        "model_sha256": model_sha256,
        "config": dataclasses.asdict(config),
        "options": _absolute(options),
    }
    return json.loads(json.dumps(made_by))


def _absolute(options):
    return {
        name: os.path.realpath(value) if name in PATHS and isinstance(value, str) else value
        for name, value in options.items()
    }


class Run:
    """A folder's manifest, opened by `open_run`.

    Args:
        folder: of the results.
        made_by: from `described`.
        option: the option that names the folder, for messages.
        ours: names of the files in the folder that runs have made; None if all files may be replaced.
    """

    def __init__(self, folder, made_by, option, ours=None):
        self._folder, self._option, self._ours = Path(folder), option, ours
        self._key = _key(made_by)

    def check_free(self, names):
        """Raise InputError if one of the files in the folder that have these names is there, and no run has made it."""
        for name in names if self._ours is not None else ():
            if name not in self._ours and os.path.lexists(self._folder / name):
                raise InputError(
                    f"{self._folder / name} would be replaced, and no run has noted that it made it; move it, give"
                    f" another {self._option}, or --overwrite to replace it"
                )

    def is_finished(self, part, expected):
        """Tell whether a part was finished by this run and its files are as it left them.

        `part` is the name of a piece of work, such as "<video>" or "<video>/<object>"; `expected` are the paths, in the
        folder, of the files that there must be, beside those that were noted when it was finished.
        """
        try:
            content = json.loads(regular_bytes(self._marker(part)))
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
    def making(self, part, ours=()):
        """Give the block a function that is told the paths of a part's files, in the folder, before they are made.

        They are known then to a later run that replaces this one's results, or goes on, even if this one is killed.
        The function raises InputError for a file that is there, and that no run has made; but for those in `ours`.
        """
        if self._ours is not None:
            self._ours.update(ours)
        with _noting(self._journal(part)) as note:

            def tell(*names):
                self.check_free(names)
                note(names)
                if self._ours is not None:
                    self._ours.update(names)

            yield tell

    def finish(self, part, files):
        """Note that a part is finished: its `files`, paths in the folder, are written.

        Files that were made for it before, and are there still, are remembered as ours.
        """
        marker, journal = self._marker(part), self._journal(part)
        others = ((_made(marker) or set()) | (_made(journal) or set())) - set(files)
        noted = {
            "run": self._key,
            "files": {name: self._state(name) for name in files},
            "others": sorted(name for name in others if (self._folder / name).is_file()),
        }
        with replacing(marker) as temporary:
            temporary.write_text(json.dumps(noted), encoding="utf-8")
        journal.unlink(missing_ok=True)

    def forget(self):
        """Take everything for unfinished; which files are ours stays known."""
        for marker in list((self._folder / FINISHED).rglob("*.json")):
            with _noting(marker.with_suffix(MAKING)) as note:
                note(sorted(_made(marker) or ()))
            marker.unlink(missing_ok=True)

    def _marker(self, part):
        return self._note(part, ".json")

    def _journal(self, part):
        return self._note(part, MAKING)

    def _note(self, part, ending):
        path = self._folder / FINISHED / part
        name = os.fsencode(path.name)
        if len(name) + len(MAKING) > LONGEST_NAME:
            path = path.with_name(hashlib.sha256(name).hexdigest())
        return path.with_name(f"{path.name}{ending}")

    def _state(self, name):
        return size_and_crc(self._folder / name)


@contextlib.contextmanager
def open_run(
    folder,
    made_by,
    option,
    overwrite=False,
    clear=lambda: None,
    name=RUN,
    shard=(0, 1),
    read=(),
    writes=(),
    replace=False,
):
    """Give the block the `Run` that makes a folder's files; no other run may write into the folder meanwhile.

    Where it replaces another run's results, all files that the other one has made are removed, finished or not. Files
    that no run has made are replaced with `overwrite` alone.

    Args:
        folder: need not exist.
        made_by: from `described`.
        option: the option that names the folder, for the message.
        overwrite: what is there may be replaced, whosever it is.
        clear: called before results of other options are replaced, to remove what else must not be taken for this
            run's; if they may be, also where no manifest says whose it is.
        name: of the manifest.
        shard: (i, n): the run does one of n shares of the work; others may do theirs at the same time.
        read: paths of files, and of folders of them, that the run reads, which stay.
        writes: names of the files that it will make, as far as they are known.
        replace: results of other options may be replaced, without `overwrite`.

    Raises:
        InputError: if the folder has results of another model or of other options, naming the difference, if one of
            the files in `writes` is there and no run has made it, or if another run is writing into the folder.
    """
    folder, replace = Path(folder), replace or overwrite
    with locks.writing(folder, shard) as held:
        before = read_run(folder, name)
        difference = None if before is None else _difference(_as_now(before), made_by)
        if difference is not None:
            if not replace:
                raise InputError(
                    f"{folder} holds results of another run ({difference}); give another {option}, or --overwrite to"
                    " replace them"
                )
            held.require_alone()
        run = Run(folder, made_by, option, None if overwrite else _ours(folder))
        run.check_free(writes)
        if difference is not None or (before is None and replace):
            clear()
            _remove_results(folder, read)
        elif before is not None and _key(before) != _key(made_by):
            _take_over(folder, _key(before), _key(made_by))
        if held.alone:
            remove_unfinished(folder / FINISHED)
        if before != made_by:
            with replacing(folder / name) as temporary:
                temporary.write_text(sealed_json.to_json(made_by), encoding="utf-8")
        held.admit()
        yield run


def _key(made_by):
    identity = json.dumps({name: made_by[name] for name in IDENTITY}, sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()


def _as_now(made_by):
    """Return a manifest as this version writes it: earlier ones had paths as given, and options that do not count."""
    options = {name: value for name, value in made_by["options"].items() if name != "save_score"}
    return made_by | {"options": _absolute(options)}


def _take_over(folder, before, now):
    """Have what was finished under one key be finished under another one, of the same results."""
    for marker in list((folder / FINISHED).rglob("*.json")):
        with contextlib.suppress(OSError, ValueError, RecursionError):  # One that is damaged says nothing.
            content = json.loads(regular_bytes(marker))
            if isinstance(content, dict) and content.get("run") == before:
                with replacing(marker) as temporary:
                    temporary.write_text(json.dumps(content | {"run": now}), encoding="utf-8")


def _ours(folder):
    """Return the names of the files in a folder that runs have made; None if a damaged note leaves that open."""
    found = _made_in(folder)
    return None if None in found else set().union(*found)


def _made_in(folder):
    """Return what `_made` says of each note in a folder."""
    notes = (path for path in (folder / FINISHED).rglob("*") if not path.is_dir() and not path.name.startswith("."))
    return [_made(path) for path in notes]


def _remove_results(folder, read):
    """Remove all files in a folder that runs have made, but for those in `read`, and forget that they were finished."""
    is_read = among(read)
    made = set().union(*filter(None, _made_in(folder)))
    remove_made(folder, [name for name in made if is_read(folder / name) is None])
    shutil.rmtree(folder / FINISHED, ignore_errors=True)


def _made(note):
    """Return the names of the files in a note of a part, finished or being made; None of one that is damaged."""
    try:
        content = regular_bytes(note)
        if note.suffix == MAKING:
            return plain_names(_whole_lines(content))
        content = json.loads(content)
        return plain_names([*content["files"], *content.get("others", ())])
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _whole_lines(content):
    """Yield the values of a list of files that are being made, but for lines that were cut short."""
    for line in content.split(b"\n"):
        with contextlib.suppress(ValueError):
            yield json.loads(line)


@contextlib.contextmanager
def _noting(journal):
    """Give the block a function that adds names to a list of files that are being made."""
    with contextlib.ExitStack() as stack:
        with named_write_errors(journal):
            journal.parent.mkdir(parents=True, exist_ok=True)
            if journal.exists() and not journal.is_file():
                raise InputError(f"{journal} is not a regular file; remove it")
            file = stack.enter_context(journal.open("ab", buffering=0))
            file.write(b"\n")  # A line that a killed run cut short ends here.

        def note(names):
            with named_write_errors(journal):
                file.write("".join(f"{json.dumps(name)}\n" for name in names).encode())

        yield note


def read_run(folder, name=RUN):
    """Return what made a folder's files, from its manifest; None if it has none. InputError if it is damaged."""
    path = Path(folder) / name
    try:
        made_by = sealed_json.from_json(regular_bytes(path).decode())
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

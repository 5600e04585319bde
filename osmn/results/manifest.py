"""What made the files of a folder, and which parts of it are finished: `run.json` and `.osmn-finished/`.

Work that is there already is recognised by what made it (the model's weights and configuration, and the options that
change results) and by the content of its files, never by their times, so that a folder may be copied. A file that no
run has noted as its own is somebody's, and stays.
"""

import contextlib
import dataclasses
import enum
import hashlib
import json
import os
import shutil
from pathlib import Path

from osmn.errors import InputError
from osmn.files import locks, sealed_json
from osmn.files.atomic import regular_bytes, remove_unfinished, replacing, size_and_crc
from osmn.files.generated import remove_made
from osmn.files.overlap import PathSet
from osmn.results import notes
from osmn.version import __version__

RUN = "run.json"
TRAINING = "training.json"  # of a folder of online fine-tuning's models, which may be that of the results too
IDENTITY = ("model_sha256", "config", "options")  # What two runs must agree on for the same results.
# Options that are the same where they lead to the same place, from any folder.
PATHS = ("data_path", "rehearsal_path", "input")


def provenance(model, model_sha256, config, options):
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


class Existing(enum.Enum):
    """What may be done to results that are in a folder already, of another model or of other options."""

    REFUSE = enum.auto()
    REPLACE_OUR_RUNS = enum.auto()  # What runs have noted as theirs.
    REPLACE_ALL = enum.auto()  # Whosever it is.

    @classmethod
    def of(cls, overwrite, replace=False):
        """Return what `--overwrite` allows; `replace`: what runs have made may be replaced without it."""
        if overwrite:
            return cls.REPLACE_ALL
        return cls.REPLACE_OUR_RUNS if replace else cls.REFUSE


class Part:
    """A piece of a run's work, from `Run.part`.

    Attributes:
        finished: it was done before, and its files are as they were left.
        files: paths, in the folder, of the files that it consists of; by default those that were announced.
    """

    def __init__(self, finished, announce):
        self.finished, self.files, self._announce = finished, [], announce

    def announce(self, *names):
        """Note paths of files, in the folder, before they are made; InputError for one that no run has made."""
        self._announce(*names)
        self.files += names


def _announce_nothing(*names):
    raise RuntimeError(f"{names} are announced for a part that is finished")


class Run:
    """A folder's manifest, opened by `open_run`.

    Args:
        folder: of the results.
        made_by: from `provenance`.
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

    @contextlib.contextmanager
    def part(self, name, expected=(), ours=(), anew=False):
        """Give the block a `Part` of the work; what the block makes of it is noted as finished when the block ends.

        If the part is finished already, its `finished` is true, and the block has nothing to do. If the block raises,
        or the program is killed in it, the files that it has announced are known as this run's, and unfinished.

        Args:
            name: of a piece of work, such as "<video>" or "<video>/<object>".
            expected: the paths, in the folder, of the files that there must be for it to be finished.
            ours: paths of files that may be there although no run has noted them.
            anew: the part is done again even if it is finished.
        """
        if not anew and self.is_finished(name, expected):
            yield Part(finished=True, announce=_announce_nothing)
            return
        with self.making(name, ours) as announce:
            part = Part(finished=False, announce=announce)
            yield part
        self.finish(name, part.files)

    def is_finished(self, part, expected):
        """Tell whether a part was finished by this run and its files are as it left them.

        `part` is the name of a piece of work, such as "<video>" or "<video>/<object>"; `expected` are the paths, in the
        folder, of the files that there must be, beside those that were noted when it was finished.
        """
        try:
            content = json.loads(regular_bytes(notes.marker(self._folder, part)))
            noted = dict(content["files"])
            if content["run"] != self._key:
                return False
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False  # Not there, or damaged: the part is done again.
        if not noted.keys() >= set(expected) or any(self._state(name) != kept for name, kept in noted.items()):
            return False
        # Where a run was killed just after it had finished.
        notes.journal(self._folder, part).unlink(missing_ok=True)
        return True

    @contextlib.contextmanager
    def making(self, part, ours=()):
        """Give the block a function that is told the paths of a part's files, in the folder, before they are made.

        They are known then to a later run that replaces this one's results, or goes on, even if this one is killed.
        The function raises InputError for a file that is there, and that no run has made; but for those in `ours`.
        """
        if self._ours is not None:
            self._ours.update(ours)
        with notes.adding_to(notes.journal(self._folder, part)) as note:

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
        marker, journal = notes.marker(self._folder, part), notes.journal(self._folder, part)
        others = ((notes.files_in(marker) or set()) | (notes.files_in(journal) or set())) - set(files)
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
        for marker in list((self._folder / notes.FINISHED).rglob("*.json")):
            with notes.adding_to(marker.with_suffix(notes.MAKING)) as note:
                note(sorted(notes.files_in(marker) or ()))
            marker.unlink(missing_ok=True)

    def _state(self, name):
        return size_and_crc(self._folder / name)


@contextlib.contextmanager
def open_run(
    folder,
    made_by,
    option,
    existing=Existing.REFUSE,
    clear=lambda: None,
    name=RUN,
    shard=(0, 1),
    read=(),
    writes=(),
):
    """Give the block the `Run` that makes a folder's files; no other run may write into the folder meanwhile.

    Where it replaces another run's results, all files that the other one has made are removed, finished or not.

    Args:
        folder: need not exist.
        made_by: from `provenance`.
        option: the option that names the folder, for the message.
        existing: what may be done to other results in the folder.
        clear: called before results of other options are replaced, to remove what else must not be taken for this
            run's; if they may be, also where no manifest says whose it is.
        name: of the manifest.
        shard: (i, n): the run does one of n shares of the work; others may do theirs at the same time.
        read: paths of files, and of folders of them, that the run reads, which stay.
        writes: names of the files that it will make, as far as they are known.

    Raises:
        InputError: if the folder has results of another model or of other options, naming the difference, if one of
            the files in `writes` is there and no run has made it, or if another run is writing into the folder.
    """
    folder, replace = Path(folder), existing is not Existing.REFUSE
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
        run = Run(folder, made_by, option, None if existing is Existing.REPLACE_ALL else notes.files_of_runs(folder))
        run.check_free(writes)
        if difference is not None or (before is None and replace):
            clear()
            _remove_results(folder, read)
        elif before is not None and _key(before) != _key(made_by):
            _take_over(folder, _key(before), _key(made_by))
        if held.alone:
            remove_unfinished(folder / notes.FINISHED)
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
    for marker in list((folder / notes.FINISHED).rglob("*.json")):
        with contextlib.suppress(OSError, ValueError, RecursionError):  # One that is damaged says nothing.
            content = json.loads(regular_bytes(marker))
            if isinstance(content, dict) and content.get("run") == before:
                with replacing(marker) as temporary:
                    temporary.write_text(json.dumps(content | {"run": now}), encoding="utf-8")


def _remove_results(folder, read):
    """Remove all files in a folder that runs have made, but for those in `read`, and forget that they were finished."""
    inputs = PathSet(read)
    made = set().union(*filter(None, notes.files_by_note(folder)))
    remove_made(folder, [name for name in made if inputs.containing(folder / name) is None])
    shutil.rmtree(folder / notes.FINISHED, ignore_errors=True)


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

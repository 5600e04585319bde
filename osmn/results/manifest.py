"""What made the files of a folder, and which parts of it are finished: `run.json` and `.osmn-finished/`.

A run recognizes finished work by what made it (the model's weights and configuration, and the options that change
results) and by the content of its files, never by their times, so that a folder may be copied. A file that no run has
noted belongs to the user and is kept.
"""

import contextlib
import dataclasses
import enum
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from osmn.config import ModelConfig
from osmn.errors import InputError
from osmn.files import locks, sealed_json
from osmn.files.atomic import regular_bytes, remove_unfinished, replacing, size_and_crc
from osmn.files.generated import remove_made
from osmn.files.overlap import PathSet
from osmn.results import finished_parts, identity
from osmn.results.finished_parts import Part
from osmn.results.program import program

RUN = "run.json"
TRAINING = "training.json"  # Of the models of online fine-tuning, whose folder may also be that of the results.
FOUND = "found"  # In a manifest: what was found out about the results.


def provenance(
    model: Path | str | None, model_sha256: str, config: ModelConfig, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what makes a run's results, in JSON's types.

    Args:
        model: the path of the model's weights, as given; None for initial weights.
        model_sha256: the SHA-256 of the weights, in hex; see `stored_weights.fingerprint`.
        config: the model's configuration.
        options: {name: value} of all options that change results, and of no others; those in `identity.PATHS` become
            absolute.
    """
    made_by = {
        "program": program(),
        "model": str(model),
        "model_sha256": model_sha256,
        "config": dataclasses.asdict(config),
        "options": identity.absolute(options),
    }
    copied: dict[str, Any] = json.loads(json.dumps(made_by))
    return copied


class Existing(enum.Enum):
    """What a run may do to results in its folder that are of another model or of other options."""

    REFUSE = enum.auto()
    REPLACE_OUR_RUNS = enum.auto()  # Only files that runs have noted.
    REPLACE_ALL = enum.auto()  # The user's own files, too.

    @classmethod
    def of(cls, overwrite: bool, replace: bool = False) -> "Existing":
        """Return what `--overwrite` allows; with `replace`, files that runs have noted may be replaced without it."""
        if overwrite:
            return cls.REPLACE_ALL
        return cls.REPLACE_OUR_RUNS if replace else cls.REFUSE


class Run:
    """A folder's manifest, opened by `open_run`.

    Args:
        folder: the folder of the results.
        made_by: what makes the results, from `provenance`.
        option: the option that names the folder, for messages.
        ours: names of the files in the folder that runs have noted; None if all files may be replaced.
    """

    def __init__(
        self, folder: Path | str, made_by: Mapping[str, Any], option: str, ours: set[str] | None = None
    ) -> None:
        self._folder, self._option, self._ours = Path(folder), option, ours
        self._key = identity.key(made_by)

    def check_free(self, names: Iterable[str]) -> None:
        """Raise InputError if a file of one of the `names` exists in the folder and no run has noted it."""
        if self._ours is None:
            return
        for name in names:
            if name not in self._ours and os.path.lexists(self._folder / name):
                raise InputError(
                    f"{self._folder / name} would be replaced, and no run has noted that it made it; move it, give"
                    f" another {self._option}, or --overwrite to replace it"
                )

    @contextlib.contextmanager
    def part(
        self, name: str, expected: Collection[str] = (), ours: Collection[str] = (), anew: bool = False
    ) -> Iterator[Part]:
        """Give the block a `Part` of the work; the part is noted as finished when the block ends.

        If the part is finished already, its `finished` is true, and the block has nothing to do. If the block raises,
        or the program is killed in it, the files that it has announced are noted as files of runs, but unfinished.

        Args:
            name: the name of a piece of work, such as "<video>" or "<video>/<object>".
            expected: the paths, in the folder, of the files that must exist if the part is finished.
            ours: paths of files that may exist although no run has noted them.
            anew: the part is done again even if it is finished.

        Yields:
            The `Part`.
        """
        if not anew and self.is_finished(name, expected):
            yield Part(finished=True, announce=finished_parts.announce_nothing)
            return
        with self.making(name, ours) as announce:
            part = Part(finished=False, announce=announce)
            yield part
        self.finish(name, part.files)

    def is_finished(self, part: str, expected: Collection[str]) -> bool:
        """Tell whether this run, or an earlier one like it, finished a part, and the part's files have not changed.

        Args:
            part: the name of a piece of work, such as "<video>" or "<video>/<object>".
            expected: the paths, in the folder, of the files that must exist, beside those that were noted when the part
                was finished.
        """
        try:
            content = json.loads(regular_bytes(finished_parts.marker(self._folder, part)))
            noted = dict(content["files"])
            if content["run"] != self._key:
                return False
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False  # If the note is missing or damaged, the part is made again.
        if not noted.keys() >= set(expected) or any(self._state(name) != kept for name, kept in noted.items()):
            return False
        # A run that was killed just after it had finished the part leaves the journal.
        finished_parts.journal(self._folder, part).unlink(missing_ok=True)
        return True

    def changed(self, part: str) -> list[str]:
        """Return the names of those files of a finished part that someone has changed since."""
        marker = finished_parts.marker(self._folder, part)
        if not finished_parts.files_in(marker):
            return []
        noted = json.loads(regular_bytes(marker))["files"]
        return [name for name, kept in noted.items() if self._state(name) not in (None, kept)]

    @contextlib.contextmanager
    def making(self, part: str, ours: Collection[str] = ()) -> Iterator[Callable[..., None]]:
        """Give the block a function that notes the paths of a part's files, in the folder, before they are made.

        So a later run that replaces this run's results, or goes on with them, knows the files even if this run is
        killed. The function raises InputError for a file that exists and that no run has noted, except those in `ours`.
        """
        if self._ours is not None:
            self._ours.update(ours)
        with finished_parts.adding_to(finished_parts.journal(self._folder, part)) as note:

            def tell(*names: str) -> None:
                self.check_free(names)
                note(names)
                if self._ours is not None:
                    self._ours.update(names)

            yield tell

    def finish(self, part: str, files: Collection[str]) -> None:
        """Note that a part is finished: its `files`, paths in the folder, are written.

        Files that earlier runs made for the part, and that still exist, stay noted.
        """
        marker, journal = finished_parts.marker(self._folder, part), finished_parts.journal(self._folder, part)
        others = ((finished_parts.files_in(marker) or set()) | (finished_parts.files_in(journal) or set())) - set(files)
        noted = {
            "run": self._key,
            "files": {name: self._state(name) for name in files},
            "others": sorted(name for name in others if (self._folder / name).is_file()),
        }
        with replacing(marker) as temporary:
            temporary.write_text(json.dumps(noted), encoding="utf-8")
        journal.unlink(missing_ok=True)

    def forget(self) -> None:
        """Note every part as unfinished; the files of runs stay noted."""
        for marker in list((self._folder / finished_parts.FINISHED).rglob("*.json")):
            with finished_parts.adding_to(marker.with_suffix(finished_parts.MAKING)) as note:
                note(sorted(finished_parts.files_in(marker) or ()))
            marker.unlink(missing_ok=True)

    def _state(self, name: str) -> list[int] | None:
        return size_and_crc(self._folder / name)


@contextlib.contextmanager
def open_run(
    folder: Path | str,
    made_by: dict[str, Any],
    option: str,
    existing: Existing = Existing.REFUSE,
    clear: Callable[[], object] = lambda: None,
    name: str = RUN,
    shard: tuple[int, int] = (0, 1),
    read: Iterable[Path | str] = (),
    writes: Iterable[str] = (),
) -> Iterator[Run]:
    """Give the block the `Run` that makes a folder's files; no other run can write into the folder meanwhile.

    A run that replaces another run's results removes all files that the other run has noted, finished or not.

    Args:
        folder: the folder, which need not exist.
        made_by: what makes the results, from `provenance`.
        option: the option that names the folder, for the message.
        existing: what the run may do to other results in the folder.
        clear: is called before results of other options are replaced, and, if `existing` allows replacing, where the
            folder has no manifest. It removes other files that must not be taken for this run's.
        name: the manifest's name.
        shard: (i, n): the run does the i-th of n shares of the work; the other shares may run at the same time.
        read: paths of files and folders that the run reads and that must stay.
        writes: names of the files that the run will make, as far as they are known.

    Yields:
        The `Run`.

    Raises:
        InputError: if the folder has results of another model or of other options; it names the difference. Also if a
            file in `writes` exists and no run has noted it, or if another run is writing into the folder.
    """
    folder, replace = Path(folder), existing is not Existing.REFUSE
    with locks.writing(folder, shard) as held:
        before = read_run(folder, name)
        difference = None if before is None else identity.difference(identity.as_now(before), made_by)
        if not replace:
            _refuse(folder, option, difference)
        elif difference is not None:
            held.require_alone()
        ours = None if existing is Existing.REPLACE_ALL else finished_parts.files_of_runs(folder)
        run = Run(folder, made_by, option, ours)
        run.check_free(writes)
        if difference is not None or (before is None and replace):
            clear()
            _remove_results(folder, read)
        elif before is not None and identity.key(before) != identity.key(made_by):
            _take_over(folder, identity.key(before), identity.key(made_by))
        if held.alone:
            remove_unfinished(folder / finished_parts.FINISHED)
        kept = {} if before is None or difference is not None or FOUND not in before else {FOUND: before[FOUND]}
        if before != made_by | kept:
            _write(folder / name, made_by | kept)
        held.admit()
        yield run


def refuse_others(folder: Path | str, option: str, options: Mapping[str, Any]) -> None:
    """Raise the InputError of `open_run` as far as some options of a run tell: before its model is loaded."""
    if (found := read_run(folder)) is not None:
        before = identity.as_now(found)
        known = json.loads(json.dumps(identity.absolute(options)))
        _refuse(folder, option, identity.difference(before, before | {"options": before["options"] | known}))


def _refuse(folder: Path | str, option: str, difference: str | None) -> None:
    if difference is not None:
        other = f"{folder} holds results of another run ({difference}); give another {option}"
        raise InputError(f"{other}, or --overwrite to replace them")


def note_found(folder: Path | str, name: str, value: Any, file: str = RUN) -> None:
    """Write what was found out about the results into their manifest: {name: value} under "found", in JSON's types.

    The next run of the same results keeps it, and is not another run for it.
    """
    made_by = read_run(folder, file) or {}
    _write(Path(folder) / file, made_by | {FOUND: made_by.get(FOUND, {}) | {name: value}})


def _write(path: Path, made_by: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(sealed_json.to_json(made_by), encoding="utf-8")


def _take_over(folder: Path, before: str, now: str) -> None:
    """Change the key of all finished parts from `before` to `now`, which stands for the same results."""
    for marker in list((folder / finished_parts.FINISHED).rglob("*.json")):
        with contextlib.suppress(OSError, ValueError, RecursionError):  # A damaged note is skipped.
            content = json.loads(regular_bytes(marker))
            if isinstance(content, dict) and content.get("run") == before:
                with replacing(marker) as temporary:
                    temporary.write_text(json.dumps(content | {"run": now}), encoding="utf-8")


def _remove_results(folder: Path, read: Iterable[Path | str]) -> None:
    """Remove all files in a folder that runs have noted, except those in `read`, and the notes themselves."""
    inputs = PathSet(read)
    made = {name for names in finished_parts.files_by_note(folder) for name in names or ()}
    remove_made(folder, [name for name in made if inputs.containing(folder / name) is None])
    shutil.rmtree(folder / finished_parts.FINISHED, ignore_errors=True)


def read_run(folder: Path | str, name: str = RUN) -> dict[str, Any] | None:
    """Return a folder's manifest, from `provenance`; None if it has no manifest; raise InputError if it is damaged."""
    path = Path(folder) / name
    try:
        made_by = sealed_json.from_json(regular_bytes(path).decode())
        if not all(isinstance(made_by[name], dict) for name in ("config", "options")) or "model_sha256" not in made_by:
            raise ValueError("it does not say what made the results")
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        file = next(each for each in path.parents if each.exists())
        raise InputError(f"{file} is a file; give a folder for the results") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); remove it, and give the same command again") from None
    return made_by

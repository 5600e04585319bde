"""What takes long to make, kept in a file beside the data that it is made of."""

import contextlib
import hashlib
import json
import logging
import os

from osmn.errors import InputError
from osmn.files import locks
from osmn.files.atomic import UNFINISHED, replacing

logger = logging.getLogger(__name__)


def cached(path, key, make):
    """Return `make()`, kept in the file `path` with `key`; made again if the file is damaged or has another key.

    Key and value are of JSON's types (lists, not tuples), so that reading executes nothing. The file's first line has
    the key and the SHA-256 of the second, which is the value: what is read is what was made. A folder that is not
    writable is named, and does without the file.

    Several programs may use the data at once: the file is written under the folder's lock, and what one that was killed
    left of it is removed by the next one.
    """
    kept = _read(path, key)
    if kept is None:
        value = make()
        _write(path, key, value)
        return value
    if any(path.parent.glob(f"{UNFINISHED}*")) or (path.parent / locks.LOCK).exists():
        with contextlib.suppress(InputError), locks.writing(path.parent):  # Which removes what nobody is writing.
            pass
    return json.loads(kept)


def _read(path, key):
    """Return the JSON that is kept with a key; None if there is none, or if it is damaged, which is said."""
    try:
        head, _, kept = path.read_text(encoding="utf-8").partition("\n")
        head = json.loads(head)
        if head["key"] != key:
            return None
        if head["sha256"] != _sha256(kept):
            raise ValueError("its checksum is another")
        return kept
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        logger.warning(f"{path} is damaged ({error!r}); making it again")
        return None


def _write(path, key, value):
    if not os.access(path.parent, os.W_OK):
        logger.warning(f"{path.parent} is not writable: what {path.name} would keep is made again in every run")
        return
    kept = json.dumps(value)
    with locks.writing(path.parent, wait=locks.MOMENT), replacing(path) as temporary:
        temporary.write_text(f"{json.dumps({'key': key, 'sha256': _sha256(kept)})}\n{kept}", encoding="utf-8")


def _sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()

"""Images, masks, scores and lists on disk: read with the file's name in every error, written whole or not at all.

Pillow reads and resizes here, as in the published program: pixel centres at +0.5, bilinear with antialiasing for
images, nearest neighbour for masks.
"""

import base64
import collections
import contextlib
import errno
import io
import json
import os
import re
import secrets
import shutil
import stat
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from osmn.errors import InputError
from osmn.folders import plain_name
from osmn.image_errors import named_image_errors
from osmn.masks import davis_palette
from osmn.sealed import without_repetition

UNFINISHED = ".osmn-writing-"  # what the names of our temporary files and folders, and of no others, start with
_RANDOM_BYTES = 8
_TEMPORARY = re.compile(rf"{re.escape(UNFINISHED)}[0-9a-f]{{{2 * _RANDOM_BYTES}}}(\.[^.]*)?")
_FOLDER = ".folder"

# The formats that are meant; Pillow knows dozens more.
FRAME_FORMATS = ("JPEG", "PNG")
LABEL_FORMATS = ("PNG",)  # A JPEG's labels would not be exact.
BIT_DEPTH = 24  # where a PNG says it
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
TENSORFLOW_MODES = {"JPEG": ("RGB", "L"), "MPO": ("RGB", "L"), "PNG": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16", "I")}


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary name beside `path` that becomes `path` if the block succeeds, and is removed if it fails.

    The block creates the file, so that it has the permissions of any new file. `remove_unfinished` removes what is left
    by a program that is killed in the block. Raises InputError if `path` is a folder, a device or the like, or if it
    cannot be written.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a regular file, and is not replaced by one; give another place")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_path(path.parent, path.suffix)
    try:
        yield temporary
        os.replace(temporary, path)
    except BrokenPipeError:
        raise  # Of what the block prints.
    except OSError as error:
        names = [name for name in (error.filename, error.filename2) if name is not None]
        if names and str(temporary) not in map(str, names):
            raise  # Of another file, which the block reads.
        raise _unwritable(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(parent):
    """Yield a new folder in `parent` that is removed after the block; if that is killed, by `remove_unfinished`."""
    folder = _temporary_path(Path(parent), _FOLDER)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _temporary_path(folder, suffix):
    return folder / f"{UNFINISHED}{secrets.token_hex(_RANDOM_BYTES)}{suffix}"


@contextlib.contextmanager
def named_write_errors(path):
    """Turn a failure to write `path` into an InputError that names it."""
    try:
        yield
    except BrokenPipeError:
        raise  # Of what the block prints.
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path, error):
    if os.path.islink(path) and not os.path.exists(path):
        return InputError(f"{path} is a link that leads nowhere; remove it, or make what it leads to")
    return InputError(f"{path} cannot be written ({error.strerror or error}); give a folder that can be")


def remove_unfinished(folder, deep=True):
    """Remove what killed programs left of `replacing` and `temporary_folder` in `folder`, if `deep` in those in it too.

    Nobody may be writing there.
    """
    for path in list(Path(folder).glob(f"{'**/' if deep else ''}{UNFINISHED}*")):
        if not _TEMPORARY.fullmatch(path.name):
            continue
        if path.is_file():
            path.unlink(missing_ok=True)
        elif path.suffix == _FOLDER:
            shutil.rmtree(path, ignore_errors=True)


def state(path):
    """Return a file's size and CRC-32, [int, int], which tell whether it is as it was; None if it cannot be read."""
    size = checksum = 0
    if not Path(path).is_file():  # A pipe, say, at which reading would never end.
        return None
    try:
        with Path(path).open("rb") as file:
            while block := file.read(2**20):
                size, checksum = size + len(block), zlib.crc32(block, checksum)
    except OSError:
        return None
    return [size, checksum]


def regular_bytes(path):
    """Return a file's content; OSError if there is none, or for a pipe, a device or the like, which may never end."""
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return Path(path).read_bytes()


def read_names(path, hint):
    """Return the names of folders in a text file, separated by white space.

    Raises InputError, naming the file and ending in `hint`, if it cannot be read, holds none or one of them twice, or a
    name that leads elsewhere.
    """
    try:
        names = [plain_name(name) for name in regular_bytes(path).decode("utf-8-sig").split()]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; {hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', 'not UTF-8')}); {hint}") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}; correct it") from None
    if not names:
        raise InputError(f"{path} names no sequence; {hint}")
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{path} names {twice[0]} more than once; remove the repetition")
    return names


def read_json(path):
    """Return what a JSON file holds; OSError if it cannot be read, ValueError if it is no JSON or repeats a name."""
    try:
        return json.loads(regular_bytes(path).decode("utf-8-sig"), object_pairs_hook=without_repetition)
    except RecursionError:
        raise ValueError("lists in lists without end") from None


def _opened(path, formats):
    """Return a file's bytes and its image, whose header is read and whose checksums are right, if it has any."""
    with named_image_errors(path, formats):
        content = regular_bytes(path)
        image = Image.open(io.BytesIO(content), formats=formats)
        if image.format == "PNG":
            image.verify()  # Loading alone skips the checksums of the pixels.
            if PNG_END not in content:
                raise ValueError("it is cut short")
            image = Image.open(io.BytesIO(content), formats=formats)
    return content, image


def _is_turned(image):
    """Tell whether an image's EXIF data, as a camera writes them, say that it is to be turned or mirrored."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
    except Exception:  # EXIF data that cannot be read say nothing.
        return False


def _upright(path, image, formats):
    """Return the image at `path` with its pixels, turned as its EXIF data say."""
    with named_image_errors(path, formats):
        image.load()
        return ImageOps.exif_transpose(image) if _is_turned(image) else image


def _colors(path, image):
    """Return the image at `path` with its pixels, upright, in RGB; of 16 bits the upper 8."""
    image = _upright(path, image, FRAME_FORMATS)
    with named_image_errors(path, FRAME_FORMATS):
        if image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return image.convert("RGB")


def read_image(path, size=None):
    """Return the image at `path`, JPEG or PNG, as RGB uint8 (H, W, 3); `size` (width, height) resizes it bilinearly.

    It is upright, as its EXIF data say. Raises InputError, naming the file, if it is missing or damaged.
    """
    image = _colors(path, _opened(path, FRAME_FORMATS)[1])
    if size is not None and image.size != tuple(size):
        image = image.resize(tuple(size), Image.Resampling.BILINEAR)
    return np.asarray(image)


def read_for_tensorflow(path):
    """Return the bytes of an image that TensorFlow decodes to what `read_image` returns, but for a JPEG's rounding.

    These are the file's own, or those of a PNG where TensorFlow would not turn the image upright or has other colours.
    Raises InputError, naming the file, if it is missing, or damaged so that it shows without decoding a JPEG.
    """
    content, image = _opened(path, FRAME_FORMATS)
    if image.mode in TENSORFLOW_MODES[image.format] and not _is_turned(image):
        return content
    converted = io.BytesIO()
    _colors(path, image).save(converted, "PNG", compress_level=1)
    return converted.getvalue()


def read_labels(path, size=None):
    """Return the labels at `path`, a PNG, as uint8 (H, W): palette indices, or grey values.

    `size` (width, height) resizes them (nearest).
    Raises InputError, naming the file, if it is missing, damaged, no PNG or a colour image, or if its
    grey values have 2 or 4 bits.
    """
    content, image = _opened(path, LABEL_FORMATS)
    bits = content[BIT_DEPTH]
    if image.mode == "L" and bits < 8:
        # Pillow makes 85 of a 1 in 2 bits, and other programs leave it a 1.
        raise InputError(f"{path} is a grey image of {bits} bits, whose labels are ambiguous; save it in 8 bits")
    image = _upright(path, image, LABEL_FORMATS)
    if image.mode == "1":
        image = image.convert("L")
    if image.mode not in ("P", "L"):
        raise InputError(
            f"{path} is a {image.mode} image; labels are indexed or 8-bit grey images, of at most 255 objects"
        )
    if size is not None and image.size != tuple(size):
        image = image.resize(tuple(size), Image.Resampling.NEAREST)
    return np.asarray(image)


def is_indexed(path):
    """Tell whether a PNG has a palette; InputError, naming the file, if it is missing, damaged or no PNG."""
    return _opened(path, LABEL_FORMATS)[1].mode == "P"


def data_url(image, quality=90):
    """Return an image as the text that stands for a file in a page: RGB uint8 (H, W, 3) as a JPEG, RGBA as a PNG."""
    kind = "png" if image.shape[2] == 4 else "jpeg"
    content = io.BytesIO()
    Image.fromarray(image).save(content, kind, quality=quality)
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"


def write_image(path, image):
    """Write an RGB uint8 (H, W, 3) image as a PNG."""
    with replacing(path) as temporary:
        Image.fromarray(image).save(temporary)


def write_mask(path, mask):
    """Write a boolean (H, W) mask as an 8-bit grey PNG of values 0 and 255."""
    _write_runs(path, Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))))


def write_labels(path, labels):
    """Write uint8 (H, W) object ids as an indexed PNG in the DAVIS palette."""
    image = Image.fromarray(np.asarray(labels, np.uint8), mode="P")
    image.putpalette(davis_palette())
    _write_runs(path, image)


def _write_runs(path, image):
    """Write an image of long runs as a PNG: to look for nothing else takes half the time, and no more space."""
    with replacing(path) as temporary:
        image.save(temporary, compress_type=zlib.Z_RLE)


def write_scores(path, scores):
    """Write a float32 (H, W) array of probabilities as .npy, with its checksum behind it, where NumPy does not look."""
    content = io.BytesIO()
    np.save(content, np.asarray(scores, np.float32))
    content.write(_seal(content.getvalue()))
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _seal(content):
    return b"CRC-32 %08x\n" % zlib.crc32(content)


def read_scores(path):
    """Return the float32 (H, W) probabilities, 0 to 1, at `path`.

    Raises InputError, naming the file, if it is missing or damaged, or if that is not what it holds.
    """
    try:
        content = regular_bytes(path)
        file = io.BytesIO(content)
        scores = np.load(file, allow_pickle=False)
        if isinstance(scores, np.ndarray):
            end = file.tell()
            if content[end:] not in (b"", _seal(content[:end])):  # Other programs write none.
                raise ValueError("it is not as it was written")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run the evaluation with --save_score") from None
    except Exception as error:  # A damaged header raises whatever its reader meets.
        raise InputError(f"{path} is not a score file ({error}); run the evaluation again") from None
    if not isinstance(scores, np.ndarray):  # An archive of arrays, open.
        scores.close()
        raise InputError(f"{path} is not a score file (it is an archive); run the evaluation again")
    if scores.ndim != 2 or not scores.size:
        raise InputError(
            f"{path} holds an array of shape {scores.shape}, not (height, width); run the evaluation again"
        )
    if scores.dtype.kind != "f" or not (scores.min() >= 0 and scores.max() <= 1):  # Neither holds for NaN.
        raise InputError(f"{path} does not hold probabilities from 0 to 1; run the evaluation again")
    return scores.astype(np.float32, copy=False)

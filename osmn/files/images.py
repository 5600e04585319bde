"""Images, masks and labels on disk: read with the file's name in every error, written whole or not at all.

Pillow reads and resizes here, as in the published program: pixel centers at +0.5, bilinear with antialiasing for
images, nearest neighbor for masks.
"""

import base64
import contextlib
import io
import zlib

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from osmn.errors import InputError, in_short
from osmn.files.atomic import regular_bytes, replacing
from osmn.masks import davis_palette

# The formats that are meant; Pillow knows dozens more.
FRAME_FORMATS = ("JPEG", "PNG")
LABEL_FORMATS = ("PNG",)  # A JPEG's labels would not be exact.
BIT_DEPTH = 24  # where a PNG says it
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
TENSORFLOW_MODES = {"JPEG": ("RGB", "L"), "MPO": ("RGB", "L"), "PNG": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16", "I")}


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


@contextlib.contextmanager
def named_image_errors(path, formats):
    """Turn whatever Pillow raises for an image into an InputError that names `path` and says what to do.

    `formats`: names of those that the image may have.
    """
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{path} needs more memory than there is; make it smaller") from None
    except Image.DecompressionBombError:
        raise InputError(
            f"{path} has more pixels than an image may have, {2 * Image.MAX_IMAGE_PIXELS}; make it smaller"
        ) from None
    except Exception as error:  # Pillow raises whatever its decoders meet.
        if "MAX_TEXT_" in str(error):
            raise InputError(
                f"{path} holds too much text beside its pixels (metadata); save it again without that"
            ) from None
        reason = in_short(getattr(error, "strerror", None) or error) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = f"it is no {' or '.join(formats)}"
        raise InputError(f"{path} is not a readable image ({reason}); replace it") from None

"""Images, masks and labels on disk: read with the file's name in every error, written whole or not at all.

Pillow reads and resizes here, as in the published program: pixel centers at +0.5, bilinear with antialiasing for
images, nearest neighbor for masks.
"""

import base64
import contextlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from osmn.errors import InputError, in_short
from osmn.files import png
from osmn.files.atomic import regular_bytes, replacing
from osmn.masks import Size, davis_palette, resized, without_soft_borders

# Pillow knows dozens of further formats, which are not meant.
FRAME_FORMATS = ("JPEG", "PNG")
LABEL_FORMATS = ("PNG",)  # A JPEG's labels would not be exact.
BITS_PER_SAMPLE = 258  # A tag of TIFF.
TENSORFLOW_MODES = {"JPEG": ("RGB", "L"), "MPO": ("RGB", "L"), "PNG": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16", "I")}


def _opened(path: Path | str, formats: tuple[str, ...]) -> tuple[bytes, Image.Image]:
    """Return a file's bytes and its image, after its header is read and the checksums of a PNG are verified."""
    with named_image_errors(path, formats):
        content = regular_bytes(path)
        image = Image.open(io.BytesIO(content), formats=formats)
        if image.format == "PNG":
            image.verify()  # Loading alone skips the checksums of the pixels.
            if png.END not in content:
                raise ValueError("it is cut short")
            image = Image.open(io.BytesIO(content), formats=formats)
    return content, image


def _is_turned(image: Image.Image) -> bool:
    """Tell whether an image's EXIF data, as cameras write them, ask for the image to be turned or mirrored."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
    except Exception:  # EXIF data that cannot be read say nothing.
        return False


def _upright(path: Path | str, image: Image.Image, formats: tuple[str, ...]) -> Image.Image:
    """Load the pixels of the image of the file `path`; return the image turned upright, as its EXIF data say."""
    with named_image_errors(path, formats):
        image.load()
        return ImageOps.exif_transpose(image) if _is_turned(image) else image


def _colors(path: Path | str, image: Image.Image, formats: tuple[str, ...] = FRAME_FORMATS) -> Image.Image:
    """Return the image of the file `path` upright and in RGB; of 16 bits it keeps the upper 8."""
    image = _upright(path, image, formats)
    with named_image_errors(path, formats):
        if image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return image.convert("RGB")


def read_image(
    path: Path | str, size: tuple[int, int] | None = None, formats: tuple[str, ...] = FRAME_FORMATS
) -> np.ndarray:
    """Return the image at `path`, JPEG or PNG, as RGB uint8 (H, W, 3); `size` (width, height) resizes it bilinearly.

    The image is turned upright, as its EXIF data say. `formats` are Pillow's names of those that it may have. Raises
    InputError, naming the file, if it is missing or damaged.
    """
    image = _colors(path, _opened(path, formats)[1], formats)
    if size is not None and image.size != Size(*size):
        image = image.resize(Size(*size), Image.Resampling.BILINEAR)
    return np.asarray(image)


def is_readable(path: Path | str) -> bool:
    """Tell whether there is an image at `path`, JPEG or PNG, that is not damaged."""
    try:
        read_image(path)
    except InputError:
        return False
    return True


def short_side_of(path: Path | str) -> int:
    """Return the short side, in pixels, of the image at `path`; raise InputError, naming the file, if there is none."""
    return min(_opened(path, FRAME_FORMATS)[1].size)


def is_deep(path: Path | str, formats: tuple[str, ...]) -> bool:
    """Tell whether the image at `path` has more than 8 bits per channel; raises InputError as `read_image` does."""
    return _is_deep(*_opened(path, formats))


def _is_deep(content: bytes, image: Image.Image) -> bool:
    if image.format == "PNG":
        return content[png.BIT_DEPTH] == 16
    return image.mode[0] in "IF" or max(getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (8,))) > 8


def read_deep(path: Path | str, formats: tuple[str, ...]) -> np.ndarray:
    """Return the image of 16 bits per channel at `path` as RGB, uint16 (H, W, 3), upright.

    Raises InputError as `read_image` does, also for an image of 8 bits, of floating-point values, or of values above 16
    bits.
    """
    content, image = _opened(path, formats)
    return deep_page(path, content, _upright(path, image, formats))


def deep_page(path: Path | str, content: bytes, image: Image.Image, page: int = 0) -> np.ndarray:
    """Return a page of an image of 16 bits per channel as RGB, uint16 (H, W, 3); see `read_deep`.

    Args:
        path: of the file.
        content: its bytes.
        image: the image of the page, loaded.
        page: its number.
    """
    pixels = None
    if image.mode.startswith("I"):
        pixels = np.asarray(image)
        if pixels.dtype != np.uint16 and (pixels.min() < 0 or pixels.max() > 65535):
            pixels = None
    elif _is_deep(content, image) and image.mode != "F":
        import cv2  # Pillow keeps 8 of 16 bits per color.

        found = cv2.imdecodemulti(
            np.frombuffer(content, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR, range=(page, page + 1)
        )[1]
        pixels = found[0][..., ::-1] if found and found[0].dtype == np.uint16 else None
    if pixels is None:
        raise InputError(
            f"{path} has other values than the whole numbers of 16 bits; convert all frames to 8 or 16 bits per color"
        )
    return np.dstack([pixels] * 3).astype(np.uint16) if pixels.ndim == 2 else pixels


def read_for_tensorflow(path: Path | str) -> bytes:
    """Return the bytes of an image that TensorFlow decodes to what `read_image` returns, except for a JPEG's rounding.

    They are the file's own bytes, or those of a PNG where TensorFlow would not turn the image upright or would read
    other colors. Raises InputError, naming the file, if it is missing, or if it is damaged in a way that shows without
    decoding a JPEG.
    """
    content, image = _opened(path, FRAME_FORMATS)
    if image.mode in TENSORFLOW_MODES[str(image.format)] and not _is_turned(image):
        return content
    converted = io.BytesIO()
    _colors(path, image).save(converted, "PNG", compress_level=1)
    return converted.getvalue()


def read_labels(path: Path | str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return the labels at `path`, a PNG, as uint8 (H, W): palette indices, gray values, or ids of DAVIS's colors.

    `size` (width, height) resizes them (nearest). Alpha that is opaque everywhere is left out, and so are the upper 8
    of 16 bits where they are 0. Gray masks with soft borders become 0 and 255, see `masks.without_soft_borders`.
    Raises InputError, naming the file, if it is missing, damaged, no PNG or of other colors, or if its gray values have
    2 or 4 bits.
    """
    content, image = _opened(path, LABEL_FORMATS)
    bits = content[png.BIT_DEPTH]
    if image.mode == "L" and bits < 8:
        # Pillow reads a 1 of 2 bits as 85, other programs read it as 1.
        raise InputError(f"{path} is a grey image of {bits} bits, whose labels are ambiguous; save it in 8 bits")
    with named_image_errors(path, LABEL_FORMATS):
        labels = png.stored_values(content) if image.mode in ("L", "P") else None
    if labels is None:
        image = _of_one_channel(path, _upright(path, image, LABEL_FORMATS))
        labels = np.asarray(image)
    if image.mode == "L":
        labels = without_soft_borders(labels)
    return labels if size is None else resized(labels, size)


def _of_one_channel(path: Path | str, image: Image.Image) -> Image.Image:
    """Return the indexed or gray image of the labels that an image shows; InputError names `path` where it has none."""
    if image.mode in ("LA", "RGBA") and image.getextrema()[-1] == (255, 255):
        image = image.convert(image.mode[:-1])  # DAVIS 2016 has such a mask: bear/00077.png.
    if image.mode == "1":
        image = image.convert("L")
    if image.mode == "RGB":
        image = _labels_of_colors(path, np.asarray(image))
    if image.mode.startswith("I"):
        wide = np.asarray(image)
        if wide.max() > 255:
            raise InputError(f"{path} has labels above 255; osmn_import.py png16 makes folders of masks of each object")
        image = Image.fromarray(wide.astype(np.uint8))
    if image.mode not in ("P", "L"):
        raise InputError(
            f"{path} is a {image.mode} image; labels are indexed or 8-bit grey images, of at most 255 objects"
        )
    return image


def has_soft_borders(path: Path | str) -> bool:
    """Tell whether a PNG is a gray mask with soft borders; raise InputError as `read_labels` does."""
    image = _opened(path, LABEL_FORMATS)[1]
    with named_image_errors(path, LABEL_FORMATS):
        gray = np.asarray(image)
    return image.mode == "L" and without_soft_borders(gray) is not gray


def _labels_of_colors(path: Path | str, pixels: np.ndarray) -> Image.Image:
    """Return the gray image of the labels that an RGB image, uint8 (H, W, 3), shows: its grays, or DAVIS's colors."""
    if (pixels == pixels[..., :1]).all():
        return Image.fromarray(pixels[..., 0])
    place = np.array([1 << 16, 1 << 8, 1])
    colors = np.reshape(davis_palette(), (-1, 3)) @ place
    order = np.argsort(colors)
    codes = pixels.astype(np.int64) @ place
    labels = order[np.searchsorted(colors[order], codes).clip(max=255)]
    if not (colors[labels] == codes).all():
        raise InputError(f"{path} has colors that are not DAVIS's; save its labels as an indexed or 8-bit grey image")
    return Image.fromarray(labels.astype(np.uint8))


def read_wide_labels(path: Path | str) -> np.ndarray:
    """Return the labels at `path`, a gray PNG of 8 or 16 bits, as int32 (H, W).

    Raises InputError, naming the file, if it is missing, damaged or another kind of image.
    """
    image = _opened(path, LABEL_FORMATS)[1]
    if image.mode not in ("I;16", "I", "L"):
        raise InputError(f"{path} is a {image.mode} image; its labels are to be gray values of 16 bits")
    with named_image_errors(path, LABEL_FORMATS):
        return np.asarray(image).astype(np.int32)


def open_upright(path: Path | str, formats: tuple[str, ...]) -> tuple[bytes, Image.Image]:
    """Return the bytes of the file `path` and its image, of any mode, turned upright as its EXIF data say.

    Raises InputError, naming the file, if it is missing, damaged or of none of the `formats`, Pillow's names of them.
    """
    content, image = _opened(path, formats)
    return content, _upright(path, image, formats)


def is_indexed(path: Path | str) -> bool:
    """Tell whether a PNG has a palette; raise InputError, naming the file, if it is missing, damaged or no PNG."""
    return _opened(path, LABEL_FORMATS)[1].mode == "P"


def data_url(image: np.ndarray, quality: int = 90) -> str:
    """Return the data URL of an image: RGB, uint8 (H, W, 3), becomes a JPEG; RGBA, uint8 (H, W, 4), a PNG."""
    kind = "png" if image.shape[2] == 4 else "jpeg"
    content = io.BytesIO()
    Image.fromarray(image).save(content, kind, quality=quality)
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"


def write_image(path: Path | str, image: np.ndarray) -> None:
    """Write an RGB uint8 (H, W, 3) image as a PNG."""
    with replacing(path) as temporary:
        Image.fromarray(image).save(temporary)


def write_mask(path: Path | str, mask: np.ndarray) -> None:
    """Write a boolean (H, W) mask as an 8-bit gray PNG of values 0 and 255."""
    with replacing(path) as temporary:
        temporary.write_bytes(png.encoded(np.where(mask, np.uint8(255), np.uint8(0))))


def write_labels(path: Path | str, labels: np.ndarray) -> None:
    """Write uint8 (H, W) object ids as an indexed PNG in the DAVIS palette."""
    with replacing(path) as temporary:
        temporary.write_bytes(encoded_labels(labels))


def encoded_labels(labels: np.ndarray) -> bytes:
    """Return the bytes of the PNG that `write_labels` writes."""
    return png.encoded(np.asarray(labels, np.uint8), bytes(davis_palette()))


@contextlib.contextmanager
def named_image_errors(path: Path | str, formats: Iterable[str]) -> Iterator[None]:
    """Turn whatever Pillow raises for an image into an InputError that names `path` and says what to do.

    Args:
        path: the image's path.
        formats: Pillow's names of the formats that the image may have.
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
            f"{path} has more pixels than an image may have, {2 * (Image.MAX_IMAGE_PIXELS or 0)}; make it smaller"
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

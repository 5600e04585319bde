"""A mask's picture as its file has it: values or colors, transparency, and which file is no picture that is read."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageSequence

from osmn.errors import InputError
from osmn.files.images import named_image_errors, open_upright
from osmn.files.png import BIT_DEPTH

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM")
REDUCED = 254  # TIFF's tag NewSubfileType: its lowest bit marks a smaller copy, such as a thumbnail.
PHOTOMETRIC = 262  # TIFF's tag: 0 for pictures in which 0 is white, as ImageJ and tifffile write masks.
MOST_COLORS = 65536  # A photograph may have more; a mask with all its shades has not.
WIDE = 65535  # White in 16 bits.
PILLOW = "python -c \"import PIL.Image as i; i.open('{0}').save('mask.png')\""
# What other files begin with: what they are, and what makes a mask of them.
FOREIGN = {
    b"\x93NUMPY": (
        "an array of NumPy",
        "python -c \"import numpy as n, PIL.Image as i; i.fromarray(n.load('{0}').squeeze().astype('u1')).save"
        "('mask.png')\"",
    ),
    b"GIF8": ("a GIF", PILLOW),
    b"NRRD": (
        "an NRRD file",
        "python -c \"import nrrd, PIL.Image as i; i.fromarray(nrrd.read('{0}')[0].squeeze().T.astype('u1'))"
        ".save('mask.png')\"",
    ),
    b"Iout": ("a selection (ROI) of ImageJ", "in ImageJ: open the frame, open {0}, Edit > Selection > Create Mask"),
    b"\x1f\x8b": ("a compressed file, such as NIfTI's .nii.gz", "{nifti}"),
    b"8BPS": ("a file of Photoshop", "in Photoshop: File > Export > PNG"),
    b"gimp xcf": ("a file of GIMP", "in GIMP: File > Export As, mask.png"),
    b"PK\x03\x04": ("a zip file", "unpack it, and give the mask in it"),
    b"%PDF": ("a PDF", "export it as a PNG of the frame's size"),
    b"<svg": ("an SVG", "export it as a PNG of the frame's size"),
    b"\x89HDF": ("an HDF5 or MATLAB file", "in MATLAB: imwrite(uint8(mask), 'mask.png')"),
    b"MATLAB": ("a MATLAB file", "in MATLAB: imwrite(uint8(mask), 'mask.png')"),
    b"v/1\x01": ("an OpenEXR picture", "export it as a PNG of the frame's size"),
    b"\xff\x0a": ("a JPEG XL picture", "djxl {0} mask.png"),
    b"\0\0\0\x0cJXL ": ("a JPEG XL picture", "djxl {0} mask.png"),
    b"\x1aE\xdf\xa3": ("a video", "give the picture of one frame; a matte is no mask of a frame"),
    b"\x80\x04\x95": (
        "a pickle of Python",
        "load it, and save the array in it: PIL.Image.fromarray(mask).save('mask.png')",
    ),
    b"<!DOCTYPE": ("a web page: the download failed", "download the picture itself"),
    b"<html": ("a web page: the download failed", "download the picture itself"),
}
# What the files begin with that have a box "ftyp" at byte 4.
BOXES = {b"heic": "an HEIC picture", b"heix": "an HEIC picture", b"mif1": "an HEIC picture", b"avif": "an AVIF picture"}
NIFTI = (
    "python -c \"import nibabel as n, PIL.Image as i; i.fromarray(n.load('{0}').get_fdata().squeeze().T.astype('u1'))"
    ".save('mask.png')\""
)


class Picture(NamedTuple):
    """A picture, as numbers of its colors.

    Attributes:
        codes: uint8 or int32 (H, W), which row of `colors` each pixel has.
        colors: int (V, 3), the colors in use, RGB; ascending in `values` if there are some.
        values: int (V,), the gray values or palette indices of the colors; None for other pictures.
        indexed: the values are indices of a palette.
        palette: int (P, 3), the whole palette of an indexed picture, else empty.
        top: the gray value of white: 1, 3, 15, 255 or 65535.
        alpha: int (H, W); None without transparency.
        lossy: the file's compression changes colors, as JPEG's does.
    """

    codes: np.ndarray
    colors: np.ndarray
    values: np.ndarray | None
    indexed: bool = False
    palette: np.ndarray = np.zeros((0, 3), int)
    top: int = 255
    alpha: np.ndarray | None = None
    lossy: bool = False


def read_picture(path: Path | str) -> Picture:
    """Return the picture in a file.

    Raises InputError, naming the file, if it is missing or damaged; and for a file that is no single picture, with
    what converts it.
    """
    _refuse_foreign(path)
    content, image = open_upright(path, FORMATS)
    with named_image_errors(path, FORMATS):
        _refuse_pages(path, image)
        found = _picture(image, content[BIT_DEPTH] if image.format == "PNG" else 8)
    lossy = b"VP8 " in content if content[8:12] == b"WEBP" else content[:2] == b"\xff\xd8"
    return found._replace(lossy=lossy)


def from_labels(labels: np.ndarray) -> Picture:
    """Return the `Picture` of labels, whole numbers of any kind (H, W), as of a gray file that has them."""
    top = 255 if labels.size == 0 or labels.max() <= 255 else WIDE
    return _gray(labels, top)


def _refuse_foreign(path: Path | str) -> None:
    """Raise InputError for a file whose first bytes say that it is no picture, or one that is not read."""
    try:
        with open(path, "rb") as file:
            start = file.read(352)
    except OSError:
        return  # Reading it names the error.
    name = Path(path).name
    known = next((found for magic, found in FOREIGN.items() if start.lstrip()[: len(magic)] == magic), None)
    if start[:4] == b"PK\x03\x04" and name.endswith(".npz"):
        known = "an archive of NumPy's arrays", "take the array out, numpy.load('{0}'), and save it as a PNG of 8 bits"
    if start[4:8] == b"ftyp":
        known = BOXES.get(start[8:12], "a video"), "export the frame, or the mask, as a PNG"
    if start[128:132] == b"DICM":
        known = "a DICOM file", "export the mask as a PNG of the frame's size"
    if start[:5] == b"<?xml" and b"<svg" in start:
        known = "an SVG", "export it as a PNG of the frame's size"
    if not start:
        known = "an empty file", "save the mask again"
    if start[344:347] in (b"n+1", b"ni1"):
        known = "a NIfTI file", "{nifti}"
    if known is None and start[:4] in (b"II+\0", b"MM\0+"):
        known = "a BigTIFF", "save it again as a PNG"
    if known is not None:
        what, line = known
        line = (NIFTI if line == "{nifti}" else line).format(name)
        raise InputError(f"{path} is {what}, no mask that is read here; make a PNG of it: {line}")
    if start[:1] in (b"{", b"[") or start[:5] == b"<?xml":
        raise InputError(f"{path} is JSON or XML of no tool that is known here; export the mask as a PNG")
    if start[:4] in (b"II*\0", b"MM\0*"):
        try:
            Image.open(path, formats=["TIFF"]).close()
        except Exception:  # Pillow raises whatever its decoders meet.
            raise InputError(
                f"{path} is a TIFF of pixels that Pillow does not read, such as int64 of tifffile; save it in 8 or 16"
                f" bits: tifffile.imwrite('mask.tif', tifffile.imread('{name}').astype('uint16'))"
            ) from None
    _refuse_other_formats(path)


def _refuse_other_formats(path: Path | str) -> None:
    """Raise InputError for a picture that Pillow reads and that is none of `FORMATS`, such as a TGA."""
    try:
        with Image.open(path) as image:
            kind, words = image.format, image.format_description
    except Exception:  # Pillow raises whatever its decoders meet; reading the file names the error.
        return
    if kind not in FORMATS and kind != "MPO":
        raise InputError(
            f"{path} is a picture of the kind {kind} ({words}), which is not read here; make a PNG of it:"
            f" {PILLOW.format(Path(path).name)}"
        )


def _refuse_pages(path: Path | str, image: Image.Image) -> None:
    """Raise InputError for a file of several pictures; thumbnails beside a TIFF's page count for nothing."""
    count = getattr(image, "n_frames", 1)
    if count > 1 and image.format == "TIFF":
        pages = Image.open(path)
        count = sum(not int(page.tag_v2.get(REDUCED, 0)) & 1 for page in ImageSequence.Iterator(pages))  # type: ignore
    if count > 1:
        raise InputError(
            f'{path} holds {count} pictures; give the one of this frame: python -c "import PIL.Image as i;'
            f" p = i.open('{Path(path).name}'); p.seek(0); p.save('mask.png')\" writes the first"
        )


def _picture(image: Image.Image, bits: int) -> Picture:
    """Return the `Picture` of an image; a gray PNG of 2 or 4 `bits` has the values that its file has."""
    alpha = None
    if image.mode in ("LA", "RGBA", "PA", "La", "RGBa") or "transparency" in image.info:
        alpha = np.asarray(image.convert("RGBA"))[..., 3].astype(np.int32)
        if not alpha.any() and image.format not in ("PNG", "WEBP"):
            alpha = None  # An unused fourth byte.
    if image.mode == "P":
        return _indexed(image)._replace(alpha=alpha)
    if image.mode in ("1", "L", "LA", "La"):
        gray = np.asarray(image.convert("L") if image.mode != "L" else image)
        if image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == 0:  # type: ignore[attr-defined]
            gray = 255 - gray  # Pillow shows 0 as white, as the file says: the values count, as of ImageJ's PNGs.
        if bits in (2, 4):  # Pillow spreads them over 0 to 255.
            top = 2**bits - 1
            return _gray(gray // (255 // top), top)._replace(alpha=alpha)
        return _gray(gray, 255)._replace(alpha=alpha)
    if image.mode.startswith("I"):
        return _wide(np.asarray(image).astype(np.int64))
    if image.mode == "F":
        return _real(np.asarray(image, np.float64))
    rgb = np.asarray(image.convert("RGB"))
    if (rgb == rgb[..., :1]).all():  # As OpenCV reads and writes gray files.
        return _gray(rgb[..., 0], 255)._replace(alpha=alpha)
    return _colored(rgb)._replace(alpha=alpha)


def _indexed(image: Image.Image) -> Picture:
    codes, palette = np.asarray(image), np.reshape(image.getpalette() or (), (-1, 3)).astype(int)
    palette = np.pad(palette, [(0, 256 - len(palette)), (0, 0)])
    used = present(codes)
    stored = len(image.palette.palette) // 3 if image.palette is not None and image.palette.mode == "RGB" else 256
    return Picture(_numbered(codes, used), palette[used], used, indexed=True, palette=palette[:stored])


def _gray(values: np.ndarray, top: int) -> Picture:
    """Return the `Picture` of gray values from 0 on, whole numbers (H, W)."""
    used = present(values) if values.max() <= WIDE else np.unique(values)
    return Picture(_numbered(values, used), np.repeat(used[:, None], 3, 1), used, top=top)


def _wide(values: np.ndarray) -> Picture:
    """Return the `Picture` of gray values of 16 or 32 bits; what is below 0, as a watershed's lines, becomes void."""
    values = np.where(values < 0, 255 if values.max() <= 254 else WIDE, values)
    if values.max() > 255 and not (values % 257).any() and values.max() <= WIDE:
        values = values // 257  # An 8-bit picture in 16 bits.
    return _gray(values, 255 if values.max() <= 255 else WIDE)


def _real(values: np.ndarray) -> Picture:
    if not np.isfinite(values).all():
        raise ValueError("it has values that are no numbers")
    if (values == np.round(values)).all() and np.abs(values).max() < 2**31:
        return _wide(values.astype(np.int64))
    if values.min() >= 0 and values.max() <= 1:
        return _gray(np.round(values * 255).astype(np.int64), 255)
    raise ValueError("its values are neither whole numbers nor from 0 to 1")


def _colored(rgb: np.ndarray) -> Picture:
    packed = rgb.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    used = np.unique(packed)
    colors = np.stack([used >> 16, used >> 8 & 255, used & 255], axis=1)
    return Picture(_numbered(packed, used), colors, None)


def present(values: np.ndarray) -> np.ndarray:
    """Return which whole numbers from 0 on are among the values (H, W), ascending."""
    if values.dtype == np.uint8:  # Ten times as fast as to count in 64 bits.
        return np.flatnonzero(cv2.calcHist([np.ascontiguousarray(values)], [0], None, [256], [0, 256]).ravel())
    return np.flatnonzero(np.bincount(values.ravel()))


def looked_up(table: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return `table[values]`, for whole numbers (H, W)."""
    if values.dtype == np.uint8 and table.dtype == np.uint8:
        found: np.ndarray = cv2.LUT(np.ascontiguousarray(values), np.resize(table, 256))
        return found
    return np.asarray(table[values])


def _numbered(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return which of `used`, ascending, each of `values` (H, W) is."""
    if used[-1] < 2**24:  # Of colors too: ten times as fast as to search.
        table = np.zeros(used[-1] + 1, np.int32 if len(used) > 256 else np.uint8)
        table[used] = np.arange(len(used))
        return looked_up(table, values)
    return np.searchsorted(used, values).astype(np.int32)

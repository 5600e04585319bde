"""What Pillow raises for a file that is no image, a damaged one or a hostile one: one clear line for each."""

import contextlib

from PIL import Image, UnidentifiedImageError

from osmn.errors import InputError, in_short


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

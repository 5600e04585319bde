"""A network's graphs in int8 for OpenVINO, by NNCF: the frame's is quantised, the guide's stays as it is.

The guide's graph runs once for an object, and its errors would stay for the whole video.
"""

import numpy as np

from osmn import array_guides, exporting, files, results
from osmn.data import davis
from osmn.data.types import Reference
from osmn.errors import InputError
from osmn.exported import FRAME
from osmn.guides import normalize


def samples(model, data_path, split, count, size):
    """Return the inputs of the frame's graph for frames of DAVIS 2016, with the true mask of the frame before.

    Args:
        model: `models.Model`.
        data_path: DAVIS folder.
        split: of its videos.
        count: how many frames, spread over the videos alike.
        size: (width, height) of the network's images.

    Returns:
        A list of {input: float32 array}.
    """
    engine = model.start_engine()
    videos = davis.videos(data_path, "2016", split)
    if not videos:
        raise InputError(f"{data_path} has no video in the split {split} to calibrate by")
    found = []
    for video in videos:
        masks = davis.annotations(data_path, video.name)
        usable = [
            n for n in range(1, len(video.frames)) if {video.frames[n - 1].stem, video.frames[0].stem} <= set(masks)
        ]
        wanted = max(1, round(count / len(videos)))
        reference = _mask(masks, video.frames[0])
        gammas = engine.gammas(files.read_image(video.frames[0]), reference)
        for number in usable[:: max(1, len(usable) // wanted)][:wanted]:
            image = files.read_image(video.frames[number], size)
            before = _mask(masks, video.frames[number - 1])
            before = array_guides.resized(before.astype(np.uint8), size).astype(bool)
            inputs = {
                "image": normalize(image, model.config).numpy()[None],
                "spatial_guide": array_guides.spatial_guide(before[None], model.config),
            }
            found.append(inputs | {f"gamma_{n}": gamma for n, gamma in enumerate(gammas, 1)})
    return found


def _mask(masks, frame):
    """Return the object's mask in a frame, bool (H, W)."""
    (mask,) = results.reference_masks(Reference(masks[frame.stem], (None,))).values()
    return mask


def write(graphs, inputs, folder):
    """Write `exporting.Graphs` for OpenVINO, the frame's quantised by what values occur for `inputs` of `samples`."""
    nncf = exporting.optional("nncf")
    openvino = exporting.optional("openvino")
    for name in graphs.functions:
        model = exporting.openvino_model(graphs, name)
        if name == FRAME:
            model = nncf.quantize(model, nncf.Dataset(inputs), subset_size=len(inputs))
        openvino.save_model(model, folder / f"{name}.xml", compress_to_fp16=False)

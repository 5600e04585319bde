"""What runs a network for the predictor: one class for each engine, with two functions from arrays to arrays.

`gammas(frame, mask)` is run once for an object, `segment(frame, masks, gammas)` once for a frame; their arguments are
described in `TensorFlowEngine`. An engine's `follows_weights` tells whether it computes with the weights that the
network has at the time, or with those that it had when the engine was made.
"""

from osmn.options import option

GUIDE, FRAME = "guide", "frame"  # A network's two graphs, where they are apart: what is run once for each.
ENGINES = ("tensorflow", "openvino")
PRECISIONS = ("float32", "bfloat16", "float16")  # Of their arithmetic; an exported model may be in int8 too.
ENGINE = option(
    "what segments; by default tensorflow, and openvino for a model that was exported for it", choices=ENGINES
)
PRECISION = option(
    "number format; by default bfloat16 where the hardware has units for it, float32 elsewhere and for lite",
    choices=PRECISIONS,
)

"""A checkpoint that OpenVINO segments with: `lite` is built of its weights, other networks are converted once."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osmn.config import NETWORKS, ModelConfig
from osmn.errors import InputError, argument
from osmn.models import checkpoint_files, converted_models, exported, stored_weights
from osmn.models.bundles import Bundle
from osmn.models.engines import ENGINE_KINDS, choice, click_graph, lite, processor

if TYPE_CHECKING:  # It may not be installed.
    import openvino

logger = logging.getLogger(__name__)

BUILT = {"lite": lite, "clicks": click_graph}  # The networks whose graphs are built without TensorFlow.


def has_int8(path: Path | str, config: ModelConfig) -> bool:
    """Tell whether OpenVINO's graph of a checkpoint, given by its prefix or file, can be built in int8."""
    return config.kind.int8 and Path(f"{path}.index").is_file()


@dataclasses.dataclass(frozen=True)
class OpenVinoModel(exported.ModelForOpenVino):
    """A checkpoint, to segment with OpenVINO."""

    @property
    def files(self) -> list[Path]:
        """The paths that the model is read from."""
        return checkpoint_files.model_files(self.path)

    @functools.cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the weights' file, in hex."""
        return stored_weights.fingerprint(self.path)

    def graphs(self) -> Mapping[str, openvino.Model]:
        """See `exported.ModelForOpenVino.graphs`."""
        if self.config.base_model in BUILT and Path(f"{self.path}.index").is_file():
            built = BUILT[self.config.base_model]
            reader, wanted = Bundle(self.path), built.wanted(self.config)
            weights = stored_weights.StoredWeights(reader, wanted)
            if unused := stored_weights.unused(reader, wanted):
                logger.warning(f"{self.path}: not used by this network: {stored_weights.listing(unused)}")
            return built.graphs(self.config, weights, self.precision == "int8")
        return converted_models.graphs(self.path, self.config, self.fingerprint)


def load(path: Path | str, given: Mapping[str, Any] | None = None, precision: str | None = None) -> OpenVinoModel:
    """Return the `OpenVinoModel` of a checkpoint; the arguments are those of `tensorflow_model.load`.

    `precision` None stands for what is fastest on this processor. Raises InputError if there is no such checkpoint, if
    it does not fit what is given, or for a precision that OpenVINO does not compute in.
    """
    path, config = checkpoint_files.find_model(path, given)
    known = ENGINE_KINDS[exported.OPENVINO].precisions
    if precision and precision not in known:
        computing = f"{argument('engine', exported.OPENVINO)} computes in {' or '.join(known)}, not in {precision}"
        raise InputError(f"{computing}; give another {argument('precision')}")
    if precision == "int8" and not has_int8(path, config):
        in_int8 = " and ".join(name for name, kind in NETWORKS.items() if kind.int8)
        raise InputError(
            f"{argument('precision', precision)} is for checkpoints (.index) of {in_int8}; export {path} by"
            " osmn_export.py --format openvino --precision int8, and give the export"
        )
    return OpenVinoModel(path, config, precision or choice.default_precision(processor.here())[0])

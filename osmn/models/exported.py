"""A folder that `osmn_export.py` has written for OpenVINO: a model that segments without TensorFlow."""

import dataclasses
import functools
import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osmn.config import PAD_RATIO, ModelConfig, from_values, resolve
from osmn.errors import InputError, argument
from osmn.files import sealed_json
from osmn.files.atomic import replacing, size_and_crc
from osmn.models.compiled_models import CompiledGraphs
from osmn.models.engines import APPEARANCE, ENGINE_KINDS, FRAME, GUIDE, Engine, processor
from osmn.results import manifest

if TYPE_CHECKING:  # It may not be installed.
    import openvino

logger = logging.getLogger(__name__)

DESCRIPTION = "model.json"
OPENVINO = "openvino"


@dataclasses.dataclass(frozen=True)
class ModelForOpenVino:
    """A model that OpenVINO segments with; subclasses say where its graphs and its fingerprint come from.

    Attributes:
        path: of the exported folder, or of the checkpoint, its prefix or file.
        config: ModelConfig.
        precision: of the arithmetic: "float32", "bfloat16" or "int8".
        only_size: (width, height) of the images that it was exported for alone; None for a model of any size.
    """

    path: Path
    config: ModelConfig
    precision: str
    only_size: tuple[int, int] | None = None

    engine = OPENVINO  # Of `ENGINE_KINDS`.

    @property
    def has_appearance(self) -> bool:
        """Whether its engine has features of whole frames; see `Engine.appearance`."""
        return self.config.has_appearance

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the weights, in hex."""
        raise NotImplementedError

    def graphs(self) -> "Mapping[str, openvino.Model]":
        """Return {`engines.FRAME`, ...: OpenVINO model}; InputError for a model that is damaged."""
        raise NotImplementedError

    def summary(self, im_size: tuple[int, int] | None) -> str:
        """Return a line that says what computes: model, size (width, height), precision, device.

        `im_size` None stands for frames that keep their shape.
        """
        size = "x".join(map(str, im_size)) if im_size else "frames in their own shape"
        device = ENGINE_KINDS[OPENVINO].device
        return f"{self.config.base_model} of {self.path}, {size}, {self.precision}, {device}"

    def provenance(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what makes results, for a manifest: this model and the options that change results, {name: value}."""
        all_options = {"precision": self.precision, "engine": OPENVINO, **options}
        return manifest.provenance(self.path, self.fingerprint, self.config, all_options)

    def start_engine(self, vg_pad_ratio: float = PAD_RATIO) -> Engine:
        """Return the engine that runs the model.

        `vg_pad_ratio`: each side of the visual guide's crop moves outward by this part of the crop's side.
        """
        from osmn.models.engines.openvino import OpenVinoEngine

        in_int8 = self.precision == "int8"  # Another graph; for other precisions OpenVINO's options differ.
        made_of = {"model_sha256": self.fingerprint, "config": dataclasses.asdict(self.config), "int8": in_int8}
        kept = CompiledGraphs(made_of)
        return OpenVinoEngine(self.graphs, self.config, self.precision, vg_pad_ratio, kept)


@dataclasses.dataclass(frozen=True)
class ExportedModel(ModelForOpenVino):
    """A folder that `osmn_export.py` has written for OpenVINO."""

    @property
    def files(self) -> list[Path]:
        """The paths that the model is read from: its folder."""
        return [self.path]

    @functools.cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the folder's graphs and weights, in hex."""
        digest = hashlib.sha256()
        for path in self._graphs().values():
            for part in (path, path.with_suffix(".bin")):
                digest.update(_read(part))
        return digest.hexdigest()

    @property
    def has_appearance(self) -> bool:
        """See `ModelForOpenVino.has_appearance`; exports of earlier versions have no such graph."""
        return APPEARANCE in self._graphs()

    def graphs(self) -> "Mapping[str, openvino.Model]":
        """See `ModelForOpenVino.graphs`."""
        from osmn.models.engines.openvino import read_graph

        return {name: read_graph(path) for name, path in self._graphs().items()}

    def _graphs(self) -> dict[str, Path]:
        paths = {name: self.path / f"{name}.xml" for name in graph_names(self.config)}
        return {name: path for name, path in paths.items() if name != APPEARANCE or path.is_file()}


def graph_names(config: ModelConfig) -> tuple[str, ...]:
    """Return the names of a network's graphs: `engines.FRAME`, and the others where it has a visual modulator."""
    return (FRAME, *(() if config.no_visual_modulator else (GUIDE,)), *((APPEARANCE,) if config.has_appearance else ()))


def describe(
    folder: Path | str, config: ModelConfig, precision: str, file_format: str, origin: Mapping[str, Any]
) -> None:
    """Write the description of an exported model beside its graphs.

    Args:
        folder: of the graphs.
        config: ModelConfig.
        precision: of the arithmetic.
        file_format: as `osmn_export.py` has it.
        origin: {name: value} of where the model comes from, in JSON's types.
    """
    content = _description(config, precision, file_format, origin)
    graphs = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    content["files"] = {path.relative_to(folder).as_posix(): size_and_crc(path) for path in graphs}
    with replacing(Path(folder) / DESCRIPTION) as temporary:
        temporary.write_text(sealed_json.to_json(content), encoding="utf-8")


def is_described(
    folder: Path | str, config: ModelConfig, precision: str, file_format: str, origin: Mapping[str, Any]
) -> bool:
    """Tell whether `describe` has written the same description into a folder whose files have not changed since."""
    try:
        content = sealed_json.from_json((Path(folder) / DESCRIPTION).read_text(encoding="utf-8"))
        states = dict(content.pop("files"))
    except (OSError, ValueError, TypeError, KeyError):
        return False
    same = content == json.loads(json.dumps(_description(config, precision, file_format, origin)))
    return same and all(size_and_crc(Path(folder) / name) == state for name, state in states.items())


def _description(config: ModelConfig, precision: str, file_format: str, origin: Mapping[str, Any]) -> dict[str, Any]:
    return {"format": file_format, "precision": precision, "config": dataclasses.asdict(config), **origin}


def is_exported(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is a folder that `describe` has written into."""
    return (Path(path) / DESCRIPTION).is_file()


def require_new(path: Path | str) -> None:
    """Raise InputError if there is something at the path of a folder to be made."""
    if os.path.lexists(path):  # Also a link that leads nowhere.
        raise InputError(f"{path} is there already; give another --output, or remove it")


def load(path: Path | str, given: Mapping[str, Any] | None = None, precision: str | None = None) -> ExportedModel:
    """Return the `ExportedModel` of a folder.

    Args:
        path: of the folder.
        given: {`ModelConfig` field: value} of what the caller says of the model; it may not contradict the model's own
            configuration.
        precision: None for the precision that the model is exported in. A model in int8 has no other precision, and no
            other model has int8.

    Raises:
        InputError: if the folder is damaged, or not for OpenVINO, or does not fit what is asked for.
    """
    path = Path(path)
    name = path / DESCRIPTION
    try:
        content = sealed_json.from_json(name.read_text(encoding="utf-8"))
        config, stored, file_format = from_values(content["config"]), content["precision"], content["format"]
        states = dict(content["files"])
        width, height = content.get("im_size") or (None, None)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{name} is damaged ({error}); export the model again") from None
    if file_format != OPENVINO:
        raise InputError(f"{path} is an export in the format {file_format}; give a checkpoint, or one for {OPENVINO}")
    only_size = (width, height) if width and height else None
    wanted = precision or stored
    if (wanted == "int8") != (stored == "int8") or wanted == "float16":
        asked_for = argument("precision", wanted)
        raise InputError(f"{path} is exported in {stored}, which {asked_for} contradicts; leave it out")
    for file, state in states.items():
        if size_and_crc(path / file) != state:
            raise InputError(f"{path / file} is missing, or not as it was written; export the model again")
    if wanted == "int8" and (why := processor.here().why_no_int8):
        logger.warning(f"{path} is in int8, which gains nothing on this processor: {why}")
    return ExportedModel(path, resolve(given or {}, config, name.with_suffix("")), wanted, only_size)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); export the model again") from None

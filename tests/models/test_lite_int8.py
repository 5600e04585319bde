"""`lite` in int8, built without calibration: its masks, on any processor, and where it is refused."""

import numpy as np
import openvino as ov
import pytest

from helpers import zero_networks
from osmn import Predictor
from osmn.config import ModelConfig
from osmn.errors import InputError
from osmn.inputs.guides import normalize
from osmn.inputs.guides_numpy import spatial_guide
from osmn.models import checkpoints, export, openvino_model, tensorflow_model
from osmn.models.engines import APPEARANCE, FRAME, arithmetics, processor
from osmn.models.engines.lite import INT8_BLOCKS
from osmn.models.engines.openvino import hint
from osmn.user_video.model_choice import SHIPPED

SIZE = (160, 96)


def scene(seed=0):
    """Return a frame of smooth noise, uint8 (96, 160, 3), and a rectangle, bool (1, 96, 160)."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 20, 3), np.uint8)
    masks = np.zeros((1, 96, 160), bool)
    masks[0, 24:72, 40:100] = True
    return noise.repeat(8, axis=0).repeat(8, axis=1), masks


def segmented(path, precision, frame, masks):
    engine = openvino_model.load(path, precision=precision).start_engine()
    return engine.segment(frame, masks, engine.gammas(frame, masks[0]))[0]


def test_probabilities_in_int8_are_near_those_in_float32_and_not_the_same():
    for seed in range(3):
        found, wanted = (segmented(SHIPPED, precision, *scene(seed)) for precision in ("int8", "float32"))
        assert wanted.std() > 0.1
        assert 0 < np.abs(found - wanted).mean() < 0.05


@pytest.mark.parametrize(("name", "scope"), [(FRAME, "osmn/seg"), (APPEARANCE, "osmn/modulator")])
@pytest.mark.parametrize("rest", ["f32", "bf16"])
def test_the_pointwise_convolutions_of_the_chosen_blocks_compute_in_int8(name, scope, rest):
    graph = openvino_model.load(SHIPPED, precision="int8").graphs()[name]
    channels = {each.any_name: each.partial_shape[3].get_length() for each in graph.inputs}
    sizes = {"image": (96, 160), "spatial_guide": (96, 160)}
    graph.reshape({each: [1, *sizes.get(each, (1, 1)), count] for each, count in channels.items()})
    compiled = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": rest})
    kinds = [op.get_rt_info() for op in compiled.get_runtime_model().get_ordered_ops()]
    layers = [info["runtimePrecision"].astype(str) for info in kinds if info["layerType"].astype(str) == "Convolution"]
    assert sum(each in ("i8", "u8") for each in layers) == len(INT8_BLOCKS[scope])


@pytest.mark.parametrize(("fast", "rest"), [({"avx2"}, "f32"), ({"avx2", "avx512_bf16"}, "bf16")])
def test_what_is_not_quantized_is_in_bfloat16_where_that_is_fast(fast, rest, monkeypatch):
    monkeypatch.setattr(processor, "here", lambda: processor.Processor("AuthenticAMD", frozenset(fast)))
    assert hint("int8") == rest
    assert (hint("float32"), hint("bfloat16")) == ("f32", "bf16")


def test_masks_in_int8_are_the_same_whether_the_processor_saturates_or_not(tmp_path):
    frame, masks = scene()
    model = openvino_model.load(SHIPPED, precision="int8")
    ov.save_model(model.graphs()[FRAME], tmp_path / "frame.xml", compress_to_fp16=False)
    inputs = {
        "image": normalize(frame, model.config).numpy()[None],
        "spatial_guide": spatial_guide(masks, model.config),
    }
    gammas = model.start_engine().gammas(frame, masks[0])
    inputs |= {f"gamma_{number}": gamma for number, gamma in enumerate(gammas, 1)}
    kinds = arithmetics.EXACT, arithmetics.SATURATING
    exact, saturating = (arithmetics.probabilities(tmp_path / "frame.xml", [inputs], kind)[0] for kind in kinds)
    np.testing.assert_allclose(saturating, exact, atol=0.01)


def test_an_object_is_followed_in_int8_as_in_float32():
    ground = scene()[0] // 2
    places = [slice(20 + 4 * step, 60 + 4 * step) for step in range(8)]
    frames, masks = [], []
    for place in places:
        mask = np.zeros((96, 160), bool)
        mask[30:66, place] = True
        masks.append(mask)
        frames.append(np.where(mask[..., None], np.uint8([220, 40, 40]), ground))
    followed = {}
    for precision in ("int8", "float32"):
        predictor = Predictor.from_checkpoint(SHIPPED, precision=precision, im_size=SIZE, engine="openvino")
        predictor.start(frames[0])
        predictor.add_object(1, masks[0])
        followed[precision] = [predictor.step(frame).labels() == 1 for frame in frames[1:]]
    for ours, theirs in zip(followed["int8"], followed["float32"], strict=True):
        assert theirs.sum() > 500
        assert (ours & theirs).sum() >= 0.9 * (ours | theirs).sum()


def test_a_trained_network_in_int8_computes_what_its_checkpoint_does(tmp_path):
    network = zero_networks.build(ModelConfig("lite", mean_value=(127.5, 127.5, 127.5), scale_value=0.00787))
    zero_networks.randomize(network, {"beta": 0.3})
    checkpoints.write_variables(tmp_path / "m", checkpoints.model_values(network), network.config)
    frame, masks = scene()
    engine = export.start_openvino(tensorflow_model.Model(network, "int8", None, "openvino"))
    found = engine.segment(frame, masks, engine.gammas(frame, masks[0]))[0]
    np.testing.assert_array_equal(found, segmented(tmp_path / "m", "int8", frame, masks))


def test_other_networks_and_engines_name_what_int8_is_for(tmp_path):
    network = zero_networks.build(ModelConfig("lite", no_visual_modulator=True))
    checkpoints.write_variables(tmp_path / "old", checkpoints.model_values(network), network.config, v1=True)
    with pytest.raises(InputError, match=r"is for checkpoints \(.index\) of lite; export .*old by osmn_export.py"):
        openvino_model.load(tmp_path / "old", precision="int8")
    with pytest.raises(InputError, match="computes in float32 or bfloat16 or float16, not in int8"):
        tensorflow_model.load(SHIPPED, precision="int8")

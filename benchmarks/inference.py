"""Milliseconds per frame of propagation, beside a yardstick measured in the same run: `python -m benchmarks.inference`.

The yardstick is the 13 plain convolutions of VGG16 with their ReLUs and pools, float32, on one frame of the same size.
"network" is the segmentation net alone; "end to end" reads, propagates and writes the result files of a video. Each is
the median over rounds in which all cases take turns, so that a machine's drift meets all of them.
"""

import argparse
import functools
import itertools
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from osmn import networks
from osmn.config import BASE_MODELS, ModelConfig
from osmn.data.types import Reference, Video
from osmn.files.images import write_labels
from osmn.inference import segmenting
from osmn.inference.load import load_model
from osmn.inference.predictor import Predictor
from osmn.models import tensorflow_model
from osmn.models.engines import ENGINES, PRECISIONS
from osmn.models.engines.tensorflow import TensorFlowEngine
from osmn.networks import devices
from osmn.networks.vgg import VGG16_STAGES


def yardstick(height, width):
    """Return a function that runs VGG16's plain convolutions on one frame."""
    kernels, channels_in = [], 3
    for layers, channels in VGG16_STAGES:
        for _ in range(layers):
            kernels.append((tf.Variable(he_normal((3, 3, channels_in, channels))), tf.Variable(tf.zeros(channels))))
            channels_in = channels
    frame = tf.random.normal((1, height, width, 3))

    @tf.function
    def run():
        x, layers = frame, iter(kernels)
        for stage, (count, _) in enumerate(VGG16_STAGES):
            x = tf.nn.max_pool2d(x, 2, 2, "SAME") if stage else x
            for kernel, bias in itertools.islice(layers, count):
                x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias))
        return x

    return run


def he_normal(shape):
    """Return initial weights that keep the size of activations."""
    return tf.random.normal(shape, stddev=np.sqrt(2 / np.prod(shape[:-1])))


def randomize(network):
    """Give every convolution weights that keep the size of activations: the initial 0.001 would leave only biases."""
    for name, variable in network.tf1_variables().items():
        if name.endswith("weights") and "fc8" not in name and "Conv2d_out" not in name:
            variable.assign(he_normal(tuple(variable.shape)))


def make_video(folder, objects, frames, height, width):
    """Write a video of noise with `objects` rectangles in its first annotation; return the `Video`."""
    rng = np.random.default_rng(0)
    labels = np.zeros((height, width), np.uint8)
    for i in range(objects):
        left = width * i // objects
        labels[height // 4 : height // 2, left : left + width // objects // 2] = i + 1
    annotation = folder / "first.png"
    write_labels(annotation, labels)
    base = tf.image.resize(rng.uniform(0, 255, (height // 8, width // 8, 3)), (height, width)).numpy().astype(np.uint8)
    paths = []
    for number in range(frames):
        paths.append(folder / f"{number:05d}.jpg")
        tf.io.write_file(str(paths[-1]), tf.io.encode_jpeg(np.roll(base, 2 * number, axis=1)))
    return Video("noise", tuple(paths), {0: Reference(annotation, tuple(range(1, objects + 1)))})


def engines(options, reference):
    """Yield (name, precision, engine, `tensorflow_model.Model` or `exported.ExportedModel`) of all that takes turns."""
    for engine, precision in itertools.product(options.engines, options.precisions):
        model = tensorflow_model.Model(reference, precision, engine=engine).for_inference()
        yield engine, precision, model.start_engine(), model
    for folder in options.exports:
        model = load_model(folder, {})
        yield "exported", model.precision, model.start_engine(), model


def cases(options, folder):
    """Yield (engine, precision, objects, network function, end-to-end function that returns seconds per frame)."""
    width, height = options.im_size
    execution = devices.choose_execution()
    reference = networks.build(ModelConfig(options.base_model))
    randomize(reference)
    for name, precision, engine, model in engines(options, reference):
        predictor = Predictor(engine, (width, height))
        for objects in options.objects:
            spatial = np.random.default_rng(0).random((objects, height, width, 1), np.float32)
            gammas = [tf.random.normal((objects, 1, 1, count), 1, 0.1) for count in reference.gamma_channels]
            video = make_video(folder / f"{objects}", objects, options.frames, height, width)
            network = network_alone(model, engine, (height, width), spatial, gammas, execution)

            def end_to_end(predictor=predictor, video=video):
                times = []
                segmenting.segment_video(
                    predictor, video, folder / "results", progress=lambda: times.append(time.perf_counter())
                )
                return (times[-1] - times[1]) / (len(times) - 2)

            yield name, precision, objects, network, end_to_end


def network_alone(model, engine, shape, spatial, gammas, execution):
    """Return a function that runs the segmentation net alone, on a frame of noise of `shape` (height, width)."""
    if isinstance(engine, TensorFlowEngine):
        segment = tf.function(functools.partial(model.network.segment, execution=execution))
        image = tf.random.normal((1, *shape, 3))
        return lambda: segment(image, tf.constant(spatial), gammas)
    image = np.random.default_rng(0).integers(0, 256, (1, *shape, 3), np.uint8)
    inputs = {"image": image, "spatial_guide": spatial}
    inputs |= {f"gamma_{number}": gamma.numpy() for number, gamma in enumerate(gammas, 1)}
    return lambda: engine.run_frame(inputs)


def shared_batches(options):
    """Print what it gains that the frames of several videos, of one object each, share a batch."""
    width, height = options.im_size
    reference = networks.build(ModelConfig(options.base_model))
    randomize(reference)
    print("precision  videos in a batch  network ms / frame  / 1 video")
    for precision in options.precisions:
        network = tensorflow_model.for_inference(reference, precision)
        execution = devices.choose_execution()
        segment = tf.function(functools.partial(network.segment, execution=execution))
        cases = []
        for count in options.videos:
            images, spatial = tf.random.normal((count, height, width, 3)), tf.random.uniform((count, height, width, 1))
            gammas = network.gammas(tf.random.normal((count, 224, 224, 3)), execution)
            cases.append((count, lambda s=segment, a=(images, spatial, gammas): s(*a), []))
        for _ in range(options.rounds + 1):
            for count, network_call, times in cases:
                times.append(seconds(network_call) / count)
        first = np.median(cases[0][2][1:])
        for count, _, times in cases:
            frame = np.median(times[1:])
            print(f"{precision:9}  {count:17}  {1e3 * frame:18.0f}  {frame / first:9.3f}")


def seconds(function):
    """Return how long `function` takes to give its result."""
    start = time.perf_counter()
    np.asarray(function())
    return time.perf_counter() - start


def main():
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base_model", choices=BASE_MODELS, default="osvos")
    parser.add_argument("--im_size", type=int, nargs=2, default=[854, 480], metavar=("W", "H"))
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 3, 5])
    parser.add_argument("--precisions", choices=PRECISIONS, nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--engines", choices=ENGINES, nargs="+", default=["tensorflow"])
    parser.add_argument("--exports", nargs="*", default=[], help="models exported for OpenVINO that take turns too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=8, help="of the end-to-end video")
    parser.add_argument("--gpu_id", type=int, default=0)
    parser.add_argument("--videos", type=int, nargs="+", help="instead: frames of N videos in a batch, for each N")
    options = parser.parse_args()
    devices.use_gpus([options.gpu_id])
    if options.videos:
        shared_batches(options)
        return
    plain = yardstick(options.im_size[1], options.im_size[0])
    with tempfile.TemporaryDirectory() as folder:
        rows = [(*case, [], []) for case in cases(options, Path(folder))]
        yard = []
        for turn in range(options.rounds + 1):  # the first traces and is not counted
            yard.append(seconds(plain))
            for *_, network, end_to_end, network_times, end_times in rows:
                network_times.append(seconds(network))
                end_times.append(end_to_end() if turn else 0)
    yard = np.median(yard[1:])
    print(f"{options.base_model} {options.im_size[0]}x{options.im_size[1]}, {options.rounds} rounds")
    print(f"yardstick: VGG16 convolutions, float32: {1e3 * yard:.0f} ms")
    print("engine      precision  objects  network ms  / yardstick  / 1 object  end to end ms  / network")
    first = {}
    for engine, precision, objects, _, _, network_times, end_times in rows:
        network, end = np.median(network_times[1:]), np.median(end_times[1:])
        alone = first.setdefault((engine, precision), network)
        print(
            f"{engine:10}  {precision:9}  {objects:7}  {1e3 * network:10.0f}  {network / yard:11.3f}"
            f"  {network / alone:10.2f}  {1e3 * end:13.0f}  {end / network:9.3f}"
        )


if __name__ == "__main__":
    main()

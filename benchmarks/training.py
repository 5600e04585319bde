"""Images per second of training, what a step waits for, and what its arithmetic alone would take.

Trains on DAVIS (synthetic, 854x480, unless `--davis_path` names one), each precision in turn.

"input": samples per second of the input pipeline alone, and per second of CPU time, which is what one core makes.
"step": a step on a batch that is ready; "wait": from asking for the next batch to having it, in a loop that trains.
"plain": forward and backward pass of the backbone of `keras.applications` over the same images and visual guides, in
the same precision: no modulation, no heads, no loss, no L2, no optimizer. (Keras's MobileNet is not the fastest.)
With `--replicas N`: a step on N virtual devices of the CPU, beside one device, of the same global batch.
With `--profile`: which TensorFlow operations a step's time goes to.
"""

import argparse
import collections
import contextlib
import io
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from osmn import networks
from osmn.config import BASE_MODELS, ModelConfig
from osmn.data import coco, davis, synthetic
from osmn.inputs import sources
from osmn.inputs.guides import GUIDE_SIDE
from osmn.inputs.options import PipelineOptions
from osmn.inputs.pipeline import Pipeline
from osmn.models.engines import PRECISIONS
from osmn.networks import devices, replicas
from osmn.training.trainer import Trainer
from preprocessing import preprocess_davis

BACKBONES = {"lite": keras.applications.MobileNet}  # The others have VGG16.


def davis_source(data_path):
    """Return the `sources.Source` of DAVIS's consecutive frames."""
    return sources.video_source(davis.examples(data_path, 2017, "train"))


def coco_source(data_path):
    """Return the same of COCO's instances."""
    return sources.instance_source(coco.read_instances(data_path, "train2017"))


def batches(source, options):
    """Return the batches, of one size, of more steps than are measured."""
    made = PipelineOptions(tuple(options.im_size), batch_size=options.batch_size)
    return Pipeline([source], ModelConfig(options.base_model), made, replicas.distribute).batches(0, 1000000)


def make_trainer(precision, options):
    """Return a `trainer.Trainer` of a network with initial weights."""
    return Trainer(networks.build(ModelConfig(options.base_model), devices.training_policy(precision)))


def print_input_speed(name, source, options):
    """Measure and print the speed of an input pipeline alone."""
    iterator = iter(batches(source, options))
    next(iterator)
    start, cpu_start = time.perf_counter(), time.process_time()
    for _ in range(options.input_batches):
        next(iterator)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    made = options.input_batches * options.batch_size
    print(f"input {name}: {made / seconds:.1f} samples/s, {made / cpu_seconds:.1f} per core and second")


def measure_step(precision, source, options):
    """Return (seconds of a step, seconds of waiting for a batch), medians over `options.steps` steps."""
    trainer = make_trainer(precision, options)
    made, rate = batches(source, options), tf.constant(1e-9)
    iterator = iter(made)
    steps, waits = [], []
    for number in range(options.steps + 1):
        start = time.perf_counter()
        batch = next(iterator)
        ready = time.perf_counter()
        losses, _ = trainer.train_step(batch, rate, made.element_spec)
        losses.segmentation.numpy()
        if number:  # the first traces
            waits.append(ready - start)
            steps.append(time.perf_counter() - ready)
    return np.median(steps), np.median(waits)


def measure_plain(precision, options):
    """Return the seconds of a forward and a backward pass of the plain backbones."""
    keras.config.set_dtype_policy(devices.training_policy(precision))
    make = BACKBONES.get(options.base_model, keras.applications.VGG16)
    width, height = options.im_size
    inputs = [tf.random.normal((options.batch_size, *size, 3)) for size in ((height, width), 2 * (GUIDE_SIDE,))]
    nets = [make(include_top=False, weights=None, input_shape=x.shape[1:]) for x in inputs]
    keras.config.set_dtype_policy("float32")
    variables = [v.value for net in nets for v in net.trainable_variables]

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            total = tf.add_n([tf.reduce_sum(net(x, training=True)) for net, x in zip(nets, inputs, strict=True)])
        return tape.gradient(total, variables)

    seconds = []
    for _ in range(options.steps + 1):
        start = time.perf_counter()
        run()[0].numpy()
        seconds.append(time.perf_counter() - start)
    return np.median(seconds[1:])


def compare_precisions(source, options):
    """Measure and print a table of steps, one row for each precision."""
    print("precision  step s  images/s  / first  wait ms  wait / step  plain s  step / plain")
    first = None
    for precision in options.precisions:
        step, wait = measure_step(precision, source, options)
        plain = measure_plain(precision, options)
        speed = options.batch_size / (step + wait)
        first = first or speed
        row = f"{precision:9}  {step:6.2f}  {speed:8.2f}  {speed / first:7.2f}  {1e3 * wait:7.1f}  {wait / step:11.2%}"
        print(f"{row}  {plain:7.2f}  {step / plain:12.2f}", flush=True)


def compare_replicas(source, options):
    """Measure and print a table of steps on one and on several virtual devices."""
    print("precision  devices  step s  / one device")
    cpus = [f"CPU:{number}" for number in range(options.replicas)]
    for precision in options.precisions:
        # The mirrored one first: after other functions, TensorFlow deals out the keys of its collectives otherwise.
        with tf.distribute.MirroredStrategy(cpus).scope():
            several, _ = measure_step(precision, source, options)
        one, _ = measure_step(precision, source, options)
        print(f"{precision:9}  {1:7}  {one:6.2f}  {1:12.2f}")
        print(f"{precision:9}  {options.replicas:7}  {several:6.2f}  {several / one:12.2f}", flush=True)


def profile_step(precision, source, options):
    """Print the time of a step by kind of operation, as TensorFlow's profiler tells it."""
    trainer = make_trainer(precision, options)
    made, rate = batches(source, options), tf.constant(1e-9)
    batch = next(iter(made))
    trainer.train_step(batch, rate, made.element_spec)[0].segmentation.numpy()  # traces
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(options.steps):
                trainer.train_step(batch, rate, made.element_spec)[0].segmentation.numpy()
        (path,) = Path(folder).glob("**/*.xplane.pb")
        planes = xplane_pb2.XSpace.FromString(path.read_bytes()).planes
    seconds, calls = collections.Counter(), collections.Counter()
    for plane in planes:
        for event in (event for line in plane.lines for event in line.events):
            # An operation's event is "<its name>:<its kind>"; others have no colon, or "::".
            name, colon, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if colon and not name.endswith((":", "Execute")):
                seconds[kind] += event.duration_ps / 1e12 / options.steps
                calls[kind] += 1
    print(f"{precision}: seconds of operations in a step; those that run side by side count twice")
    for kind, spent in seconds.most_common(options.profile):
        print(f"{spent:8.3f}  {spent / seconds.total():6.1%}  {calls[kind] // options.steps:5} x {kind}")


def main():
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base_model", choices=BASE_MODELS, default="osvos")
    parser.add_argument("--im_size", type=int, nargs=2, default=[400, 400], metavar=("W", "H"))
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--precisions", choices=PRECISIONS, nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--input_batches", type=int, default=16, help="batches of which the input's speed is taken")
    parser.add_argument("--davis_path", help="preprocessed DAVIS (default: a synthetic one)")
    parser.add_argument("--coco_path", help="measure the input of COCO too")
    parser.add_argument("--replicas", type=int, default=1, help="compare with this many virtual devices of the CPU")
    parser.add_argument("--profile", type=int, default=0, metavar="N", help="show the N costliest kinds of operation")
    parser.add_argument("--gpu_id", type=int, default=0)
    options = parser.parse_args()
    if options.replicas > 1:
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * options.replicas)
    devices.use_gpus([options.gpu_id])
    print(f"{options.base_model} {options.im_size[0]}x{options.im_size[1]}, batch {options.batch_size}")
    with tempfile.TemporaryDirectory() as folder:
        if options.davis_path is None:
            with contextlib.redirect_stdout(io.StringIO()):
                synthetic.make_dataset(Path(folder), 2, 1, 12, (854, 480), 0)
                preprocess_davis.main([folder])
        source = davis_source(options.davis_path or folder)
        if options.replicas > 1:
            compare_replicas(source, options)
            return
        if options.profile:
            for precision in options.precisions:
                profile_step(precision, source, options)
            return
        print_input_speed("DAVIS", source, options)
        if options.coco_path:
            print_input_speed("COCO", coco_source(options.coco_path), options)
        compare_precisions(source, options)


if __name__ == "__main__":
    main()

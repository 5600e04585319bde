"""Training on several devices or machines by tf.distribute: what the replicas of a step share.

A batch is split over the replicas. Everything that the published program computes over a batch (the counts of the loss,
batch norm's statistics, gradients) is summed over all replicas, so that their number does not change the result. Each
replica then makes the same update of its own copy of the variables.
"""

import os
from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

from osmn.errors import InputError
from osmn.networks import Part

Tensors = TypeVar("Tensors")  # A tensor, or a list of tensors.


def strategy() -> tf.distribute.Strategy:
    """Return the tf.distribute strategy: of `TF_CONFIG`'s machines, of several visible GPUs, or the default strategy.

    Call it before TensorFlow runs anything; build the network and train in its scope. `TF_CONFIG` has been checked.
    """
    if processes() > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.get_visible_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def processes() -> int:
    """Return how many processes train together, by `TF_CONFIG` in the environment."""
    if not os.environ.get("TF_CONFIG"):
        return 1
    return sum(map(len, tf.distribute.cluster_resolver.TFConfigClusterResolver().cluster_spec().as_dict().values()))


def count() -> int:
    """Return the number of replicas of the strategy in whose scope, or replica, this is called."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def total(x: Tensors) -> Tensors:
    """Return the sum over the replicas of a tensor, or of each tensor of a list. The sum is differentiable."""
    if count() == 1:
        return x
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, x)


def position() -> int:
    """Return the number of this replica, from 0."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group if count() > 1 else 0


def part() -> Part:
    """Return this replica's `Part` of a batch, for the network."""
    return Part(position(), count(), total)


def assign(variable: tf.Variable, value: tf.Tensor) -> None:
    """Assign to this replica's copy of a variable; the replicas' values must agree."""
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=tf.cast(value, variable.dtype))


def first(x: tf.Tensor) -> tf.Tensor:
    """Return the first local replica's value of what `strategy.run` or a distributed dataset gives."""
    return tf.distribute.get_strategy().experimental_local_results(x)[0]


def wait_for_all() -> None:
    """Return when every process has called this function: a worker that leaves early looks like a crashed worker."""

    def meet() -> tf.Tensor:
        return total(tf.constant(1.0))

    @tf.function
    def meet_all() -> tf.Tensor:
        return tf.distribute.get_strategy().run(meet)

    meet_all()


def is_chief() -> bool:
    """Tell whether this process writes the files."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    return resolver.task_type == "chief" or (
        resolver.task_id == 0 and "chief" not in resolver.cluster_spec().as_dict() and resolver.task_type == "worker"
    )


def distribute(
    make_dataset: Callable[[int, int, int], tf.data.Dataset], batch_size: int
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Return the dataset of `make_dataset(first position, positions, samples in a batch)`, split over the replicas.

    Raises InputError for a batch that does not divide over the replicas.
    """
    strategy = tf.distribute.get_strategy()
    if batch_size % strategy.num_replicas_in_sync:
        raise InputError(f"--batch_size {batch_size} does not divide over {strategy.num_replicas_in_sync} devices")
    if strategy.num_replicas_in_sync == 1:
        return make_dataset(0, batch_size, batch_size)

    def make_pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        share = batch_size // context.num_input_pipelines
        return make_dataset(context.input_pipeline_id * share, share, context.get_per_replica_batch_size(batch_size))

    # Prefetching to the devices would run ahead of what determines a step.
    options = tf.distribute.InputOptions(experimental_fetch_to_device=False)
    return strategy.distribute_datasets_from_function(make_pipeline, options)

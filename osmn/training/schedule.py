"""The learning rate of a step."""

import math

SCHEDULES = ("constant", "cosine")


def learning_rate(
    step: int, rate: float, schedule: str = "constant", warmup_iters: int = 0, training_iters: int = 1
) -> float:
    """Return the rate of step `step` (from 0), a pure function of the step.

    It rises linearly to `rate` over the first `warmup_iters` steps. Then it stays ("constant", as published) or falls
    as half a cosine wave, to 0 at `training_iters` ("cosine").
    """
    if step < warmup_iters:
        return rate * (step + 1) / warmup_iters
    if schedule == "constant":
        return rate
    progress = (step - warmup_iters) / max(1, training_iters - warmup_iters)
    return rate * 0.5 * (1 + math.cos(math.pi * progress))

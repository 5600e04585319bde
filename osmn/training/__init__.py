"""Training: the losses, a step, the loop, validation, one-shot fine-tuning."""

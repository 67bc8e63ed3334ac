"""Learning-rate schedules, as factors of the peak rate."""

import math


def warmup_cosine(step: int, steps: int, warmup: float, final: float) -> float:
    """Linear from 0 over the first `warmup` share of the steps, then a cosine to `final`."""
    warm = round(warmup * steps)
    if step < warm:
        return (step + 1) / warm
    progress = (step - warm) / max(1, steps - warm)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))


def linear(step: int, steps: int, final: float) -> float:
    """From 1 straight to `final`: the anneal of OLMo 2's mid-training (arXiv 2501.00656, 4)."""
    return 1 + (final - 1) * step / max(1, steps)

"""95% intervals of accuracies and of paired differences, in percent."""

import math
import random
from collections.abc import Sequence

Z = 1.959964


def wilson(correct: float, total: int) -> tuple[float, float]:
    """Wilson's score interval of a share."""
    if total == 0:
        return 0.0, 100.0
    share = correct / total
    centre = share + Z * Z / (2 * total)
    spread = Z * math.sqrt(share * (1 - share) / total + Z * Z / (4 * total * total))
    scale = 100 / (1 + Z * Z / total)
    return scale * (centre - spread), scale * (centre + spread)


def paired_difference(
    before: Sequence[float], after: Sequence[float], *, draws: int = 2000
) -> tuple[float, float, float]:
    """Mean difference over the same problems and its bootstrap interval (percentiles)."""
    differences = [b - a for a, b in zip(before, after, strict=True)]
    rng = random.Random(0)
    size = len(differences)
    means = sorted(sum(rng.choices(differences, k=size)) / size for _ in range(draws))
    low, high = means[int(0.025 * draws)], means[int(0.975 * draws)]
    return 100 * sum(differences) / size, 100 * low, 100 * high

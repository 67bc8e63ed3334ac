"""The table of families: add one here and give it a weight in a recipe."""

import random
from collections.abc import Iterator, Mapping

from training.world.comparisons import Comparisons
from training.world.dates import Dates
from training.world.letters import Letters
from training.world.problem import Family, Phrasing, Problem, Split
from training.world.products import Products
from training.world.stories import Stories
from training.world.sums import Sums

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (Letters(), Stories(), Sums(), Products(), Comparisons(), Dates())
}

DEFAULT_MIX: Mapping[str, float] = {
    "letters": 0.2,
    "stories": 0.3,
    "sums": 0.2,
    "products": 0.12,
    "comparisons": 0.08,
    "dates": 0.1,
}


def difficulty(problem: Problem) -> float:
    """0 for the easiest trained level of its family, 1 for the hardest, more beyond it."""
    levels = FAMILIES[problem.family].levels
    return (problem.level - levels.start) / (len(levels) - 1)


def draw(
    rng: random.Random,
    split: Split,
    *,
    mix: Mapping[str, float] = DEFAULT_MIX,
    phrasing: Phrasing = "seen",
    longer: bool = False,
    tilt: float = 0.0,
) -> Problem:
    """One problem of `split`, of a family drawn by weight and a level drawn evenly.

    `tilt` > 0 prefers hard levels: the weight of level i of n is 1 + tilt * i / (n - 1).
    """
    family = FAMILIES[rng.choices(list(mix), list(mix.values()))[0]]
    levels = family.longer if longer else family.levels
    weights = [1 + tilt * i / max(1, len(levels) - 1) for i in range(len(levels))]
    level = rng.choices(levels, weights)[0]
    while True:
        problem = family.draw(rng, level, phrasing)
        if problem.split == split:
            return problem


def exam(
    size: int, *, seed: int = 0, split: Split = "test", variant: str = "seen"
) -> Iterator[Problem]:
    """`size` different problems that no recipe trains on.

    variant: `seen` wordings and lengths, `unseen` wordings, or `longer` than trained on.
    """
    if variant not in ("seen", "unseen", "longer"):
        raise ValueError(f"unknown variant {variant!r}: expected seen, unseen or longer")
    rng = random.Random(f"exam:{seed}:{split}:{variant}")
    drawn: set[tuple[object, ...]] = set()
    while len(drawn) < size:
        problem = draw(
            rng,
            split,
            phrasing="unseen" if variant == "unseen" else "seen",
            longer=variant == "longer",
        )
        key = (problem.family, problem.facts)
        if key not in drawn:
            drawn.add(key)
            yield problem

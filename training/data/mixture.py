"""A stage's mix of documents, numbered: the same number is the same document, for a seed."""

import random
from collections.abc import Callable, Sequence
from functools import partial

from tokenizers import Tokenizer

from training.config import Recipe
from training.data.control import Unit, conditioned
from training.data.documents import (
    Document,
    chat,
    encode,
    encode_cut,
    plain,
    whole,
    without_thinking,
)
from training.data.lookups import from_ledger, looked_up, not_looked_up
from training.stages import Stage
from training.world import lookups
from training.world.families import draw
from training.world.problem import Problem
from training.world.trace import Habits

TWO_THINGS = 0.45
"""Of the look-ups that are learnt ask for two: they are the hard ones."""

Make = Callable[[Problem, random.Random], Document]


def documents(
    recipe: Recipe, stage: Stage, tokenizer: Tokenizer, *, assistant_only: bool
) -> Callable[[int], Document]:
    """assistant_only: of a conversation, only the assistant's part counts in the loss."""
    longest = recipe.batches.lengths[-1]
    mix, habits = stage.mix, stage.habits or recipe.habits
    families = stage.families or recipe.families

    makers: Sequence[tuple[float, Make]] = (
        (mix.ledgers, lambda _, rng: whole(from_ledger(rng), tokenizer, longest)),
        (
            mix.lookups,
            lambda _, rng: whole(
                looked_up(lookups.draw(rng, "train", two_things=TWO_THINGS), rng),
                tokenizer,
                longest,
            ),
        ),
        (
            mix.self_contained,
            lambda problem, _: whole(not_looked_up(problem), tokenizer, longest),
        ),
        (mix.plain, lambda problem, rng: encode(plain(problem, rng, habits), tokenizer, longest)),
        (
            mix.no_thinking,
            lambda problem, _: encode(
                without_thinking(problem, assistant_only=assistant_only), tokenizer, longest
            ),
        ),
    )

    def read(number: int) -> Document:
        rng = random.Random(f"{recipe.run.seed}:{stage.name}:{number}")
        problem = draw(rng, "train", mix=families, tilt=mix.hard)
        kind = rng.random()
        for share, make in makers:
            if kind < share:
                return make(problem, rng)
            kind -= share
        if stage.control is not None:
            return _controlled(problem, rng, habits, stage.control, kind < mix.cut)
        pieces = chat(problem, rng, habits, assistant_only=assistant_only)
        if kind < mix.cut:
            return encode_cut(pieces, problem.answer, rng, tokenizer, longest)
        return encode(pieces, tokenizer, longest)

    def _controlled(
        problem: Problem, rng: random.Random, habits: Habits, unit: Unit, cut: bool
    ) -> Document:
        """Of one pass to `habits.passes`, k of them by 1/k: each doubling is about as frequent."""
        passes = range(1, habits.passes + 1)
        exact = habits.of_passes(rng.choices(passes, [1 / k for k in passes])[0])
        pieces = chat(problem, rng, exact, assistant_only=assistant_only)
        finish = partial(conditioned, question=problem.question, unit=unit, tokenizer=tokenizer)
        if cut:
            return encode_cut(finish(pieces), problem.answer, rng, tokenizer, longest)
        return encode(pieces, tokenizer, longest, finish)

    return read

"""Pre-training and mid-training: next-token prediction on whole documents.

Pre-training warms up and follows a cosine; mid-training anneals linearly to its end on a curated
mix, as OLMo 2 does (arXiv 2501.00656, section 4).
"""

import random
from collections.abc import Callable
from functools import partial

from tokenizers import Tokenizer

from training.config import Recipe, Stage
from training.data.documents import Document, chat, encode, encode_cut, plain, without_thinking
from training.schedule import linear, warmup_cosine
from training.world.families import draw


def documents(
    recipe: Recipe, stage: Stage, tokenizer: Tokenizer, *, assistant_only: bool = False
) -> Callable[[int], Document]:
    """Document number -> document of the stage's mix, the same for the same seed."""
    longest = recipe.batches.lengths[-1]
    mix, habits = stage.mix, recipe.habits

    def read(number: int) -> Document:
        rng = random.Random(f"{recipe.run.seed}:{stage.name}:{number}")
        problem = draw(rng, "train", mix=recipe.families, tilt=mix.hard)
        kind = rng.random()
        if kind < mix.plain:
            return encode(plain(problem, rng, habits), tokenizer, longest)
        kind -= mix.plain
        if kind < mix.no_thinking:
            pieces = without_thinking(problem, assistant_only=assistant_only)
            return encode(pieces, tokenizer, longest)
        kind -= mix.no_thinking
        pieces = chat(problem, rng, habits, assistant_only=assistant_only)
        if kind < mix.cut:
            return encode_cut(pieces, problem.answer, rng, tokenizer, longest)
        return encode(pieces, tokenizer, longest)

    return read


def schedule(stage: Stage) -> Callable[[int, int], float]:
    if stage.kind == "midtrain":
        return partial(linear, final=stage.final)
    return partial(warmup_cosine, warmup=stage.warmup, final=stage.final)

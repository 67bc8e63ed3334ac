"""A stage's mix of documents, numbered: the same number is the same document, for a seed."""

import random
from collections.abc import Callable

from tokenizers import Tokenizer

from training.config import Recipe, Stage
from training.data.documents import Document, chat, encode, encode_cut, plain, without_thinking
from training.world.families import draw


def documents(
    recipe: Recipe, stage: Stage, tokenizer: Tokenizer, *, assistant_only: bool
) -> Callable[[int], Document]:
    """assistant_only: of a conversation, only the assistant's part counts in the loss."""
    longest = recipe.batches.lengths[-1]
    mix, habits = stage.mix, stage.habits or recipe.habits
    families = stage.families or recipe.families

    def read(number: int) -> Document:
        rng = random.Random(f"{recipe.run.seed}:{stage.name}:{number}")
        problem = draw(rng, "train", mix=families, tilt=mix.hard)
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

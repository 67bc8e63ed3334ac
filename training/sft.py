"""Supervised fine-tuning on thinking traces, as s1 does (arXiv 2501.19393, section 4 and D).

The loss is on the assistant's part alone; warm-up, then a cosine to 0.
"""

from collections.abc import Callable
from functools import partial

from tokenizers import Tokenizer

from training.config import Recipe
from training.data.documents import Document
from training.data.mixture import documents as mixture
from training.schedule import warmup_cosine
from training.stages import Stage


def documents(recipe: Recipe, stage: Stage, tokenizer: Tokenizer) -> Callable[[int], Document]:
    return mixture(recipe, stage, tokenizer, assistant_only=True)


def schedule(stage: Stage) -> Callable[[int, int], float]:
    return partial(warmup_cosine, warmup=stage.warmup, final=stage.final)

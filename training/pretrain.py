"""Pre-training and mid-training: next-token prediction on whole documents.

Pre-training warms up and follows a cosine; mid-training anneals linearly to its end on a curated
mix, as OLMo 2 does (arXiv 2501.00656, section 4).
"""

from collections.abc import Callable
from functools import partial

from tokenizers import Tokenizer

from training.config import Recipe
from training.data.documents import Document
from training.data.mixture import documents as mixture
from training.schedule import linear, warmup_cosine
from training.stages import Stage


def documents(recipe: Recipe, stage: Stage, tokenizer: Tokenizer) -> Callable[[int], Document]:
    return mixture(recipe, stage, tokenizer, assistant_only=False)


def schedule(stage: Stage) -> Callable[[int, int], float]:
    if stage.kind == "midtrain":
        return partial(linear, final=stage.final)
    return partial(warmup_cosine, warmup=stage.warmup, final=stage.final)

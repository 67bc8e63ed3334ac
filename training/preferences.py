"""Pairs of a better and a worse completion of one prompt, from a file or from the base itself."""

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from training.config import PreferenceStage, Recipe
from training.registry import Registry
from training.rollouts.questions import Practice, Questions
from training.rollouts.rollouts import Rollout, Rollouts
from training.rollouts.servers import serving
from training.verifiers import Verifier, named

AT_ONCE = 128
"""Questions that are asked together."""


class PairError(ValueError):
    """A line that is no pair; the message names file, line and what would be right."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Token ids; the completions go on where the prompt ends."""

    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]

    @property
    def longest(self) -> int:
        """Tokens of the prompt and the longer completion."""
        return len(self.prompt_ids) + max(len(self.chosen_ids), len(self.rejected_ids))


def pairs_of(
    recipe: Recipe, stage: PreferenceStage, base: Path, folder: Path, tokenizer: Any
) -> list[Pair]:
    """The stage's pairs. Those drawn are kept in folder/pairs.jsonl, and drawn but once.

    Raises PairError and BideError.
    """
    if stage.pairs is not None:
        return list(read(stage.pairs, tokenizer))
    kept = folder / "pairs.jsonl"
    if not kept.exists():
        found = asyncio.run(draw(recipe, stage, base, folder))
        if not found:
            raise PairError(
                f"{stage.name}: no question was answered both ways: more prompts, or more samples"
            )
        unfinished = kept.with_suffix(".unfinished")
        rows = (json.dumps(asdict(pair), separators=(",", ":")) for pair in found)
        unfinished.write_text("".join(f"{row}\n" for row in rows))
        unfinished.replace(kept)
    return [Pair(**json.loads(line)) for line in kept.read_text().splitlines()]


def read(path: Path, tokenizer: PreTrainedTokenizerFast) -> Iterator[Pair]:
    """Of JSONL: prompt, a text or messages, and chosen and rejected, which are texts.

    Every line is looked at before the first is learnt from. Raises PairError.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise PairError(f"{path}: {error.strerror}") from error
    rows = [(at, line) for at, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise PairError(f"{path}: there are no pairs in it")
    for at, line in rows:
        yield _pair(f"{path}:{at}", line, tokenizer)


def _pair(place: str, line: str, tokenizer: Any) -> Pair:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise PairError(f"{place}: not JSON: {error}") from error
    if not isinstance(row, dict):
        raise PairError(f"{place}: should be an object with prompt, chosen and rejected")
    for field in ("chosen", "rejected"):
        if not isinstance(row.get(field), str) or not row[field]:
            raise PairError(f"{place}: {field}: should be a text")
    if row["chosen"] == row["rejected"]:
        raise PairError(f"{place}: chosen and rejected are the same text")
    prompt = row.get("prompt")
    if isinstance(prompt, str) and prompt:
        prompt = [{"role": "user", "content": prompt}]
    if not isinstance(prompt, list) or not prompt:
        raise PairError(f"{place}: prompt: should be a text, or a list of messages")
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)

    def ids(said: str) -> list[int]:
        return list(tokenizer.encode(said, add_special_tokens=False))

    end = [int(tokenizer.eos_token_id)]
    return Pair(ids(text), ids(row["chosen"]) + end, ids(row["rejected"]) + end)


async def draw(recipe: Recipe, stage: PreferenceStage, base: Path, folder: Path) -> list[Pair]:
    """A right and a wrong completion of each question that the base answers in both ways."""
    verifier, questions = named(stage.verifier), Questions(recipe, stage)
    registry = Registry(stage.registry or folder / "registry")
    version = registry.publish(base, f"{recipe.name}-{stage.name}-base-seed{recipe.run.seed}")
    options = {"temperature": stage.temperature, "max_tokens": stage.max_tokens}
    thinking = {"thinking": stage.thinking} if stage.thinking else {}
    rng = random.Random(f"{recipe.run.seed}:{stage.name}:pairs")
    found: list[Pair] = []
    async with serving(stage.servers, registry.root, version) as urls:
        servers = Rollouts(urls, {**options, **thinking}, at_once=AT_ONCE)
        try:
            await servers.load(version.name, version.id)
            for start in range(0, stage.prompts, AT_ONCE):
                some = questions.some(start, min(AT_ONCE, stage.prompts - start))
                texts = [question.text for question in some]
                seed = (recipe.run.seed + 1) * 1_000_003 + start
                groups = await servers.groups(texts, stage.samples, version=str(version), seed=seed)
                found += paired(some, groups, verifier, rng)
        finally:
            await servers.close()
    return found


def paired(
    questions: Sequence[Practice],
    groups: Sequence[Sequence[Rollout]],
    verifier: Verifier,
    rng: random.Random,
) -> Iterator[Pair]:
    for question, group in zip(questions, groups, strict=True):
        right: list[Rollout] = []
        wrong: list[Rollout] = []
        for each in group:
            good = each.ended and verifier.verify(each.text, question.label).score >= 1
            (right if good else wrong).append(each)
        if right and wrong:
            chosen, rejected = rng.choice(right), rng.choice(wrong)
            yield Pair(list(chosen.prompt), list(chosen.completion), list(rejected.completion))

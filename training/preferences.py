"""Pairs of a better and a worse completion of one prompt, from a file or from the base itself."""

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from training.config import Recipe
from training.data.conversations import end_of_turn
from training.data.sources import Row, RowError, rows, usable
from training.processes import joined
from training.registry import Registry
from training.rollouts.questions import Practice, Questions
from training.rollouts.rollouts import Rollout, Rollouts
from training.rollouts.servers import serving
from training.stages import PreferenceStage, Source
from training.verifiers import named

AT_ONCE = 128
"""Questions that are asked together."""


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

    Raises RowError and BideError.
    """
    if stage.pairs:
        return read(stage.pairs, recipe.run.seed, tokenizer)
    kept = folder / "pairs.jsonl"
    if joined().is_first and not kept.exists():
        found = asyncio.run(draw(recipe, stage, base, folder))
        if not found:
            raise RowError(
                f"{stage.name}: no question was answered both ways: more prompts, or more samples"
            )
        unfinished = kept.with_suffix(".unfinished")
        rows = (json.dumps(asdict(pair), separators=(",", ":")) for pair in found)
        unfinished.write_text("".join(f"{row}\n" for row in rows))
        unfinished.replace(kept)
    joined().wait()
    return [Pair(**json.loads(line)) for line in kept.read_text().splitlines()]


def read(sources: Sequence[Source], seed: int, tokenizer: PreTrainedTokenizerFast) -> list[Pair]:
    """Of rows: prompt, a text or messages, and chosen and rejected, which are texts, or
    conversations that end with the assistant's text. Raises RowError."""
    return list(usable(rows(sources, seed), lambda row: _pair(row, tokenizer)))


def _pair(row: Row, tokenizer: Any) -> Pair:
    prompt, chosen, rejected = texts_of(row)
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)

    def ids(said: str) -> list[int]:
        return list(tokenizer.encode(said, add_special_tokens=False))

    end = end_of_turn(tokenizer)
    return Pair(ids(text), ids(chosen) + end, ids(rejected) + end)


def texts_of(row: Row) -> tuple[list[Any], str, str]:
    """The prompt's messages, and what is better and worse. Raises RowError."""
    chosen, rejected = _said(row, "chosen"), _said(row, "rejected")
    if chosen == rejected:
        raise RowError(f"{row.place}: chosen and rejected are the same text")
    prompt = row.values.get("prompt")
    if isinstance(row.values.get("chosen"), list):
        prompt = row.values["chosen"][:-1]
    elif isinstance(prompt, str) and prompt:
        prompt = [{"role": "user", "content": prompt}]
    if not isinstance(prompt, list) or not prompt:
        raise RowError(f"{row.place}: prompt: should be a text, or a list of messages")
    return prompt, chosen, rejected


def _said(row: Row, column: str) -> str:
    value = row.values.get(column)
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        value = value[-1].get("content")
    if not isinstance(value, str) or not value:
        raise RowError(f"{row.place}: {column}: should be a text")
    return value


async def draw(recipe: Recipe, stage: PreferenceStage, base: Path, folder: Path) -> list[Pair]:
    """A right and a wrong completion of each question that the base answers in both ways."""
    questions = Questions(recipe, stage)
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
                found += paired(some, groups, stage.verifier, rng)
        finally:
            await servers.close()
    return found


def paired(
    questions: Sequence[Practice],
    groups: Sequence[Sequence[Rollout]],
    verifier: str,
    rng: random.Random,
) -> Iterator[Pair]:
    """verifier: of questions that do not name their own."""
    verifiers = cache(named)
    for question, group in zip(questions, groups, strict=True):
        right: list[Rollout] = []
        wrong: list[Rollout] = []
        judge = verifiers(question.verifier or verifier)
        for each in group:
            good = each.ended and judge.verify(each.text, question.label).score >= 1
            (right if good else wrong).append(each)
        if right and wrong:
            chosen, rejected = rng.choice(right), rng.choice(wrong)
            yield Pair(list(chosen.prompt), list(chosen.completion), list(rejected.completion))


def fitting(pairs: Sequence[Pair], stage: PreferenceStage) -> list[Pair]:
    """Those that are not longer than the stage's longest: half a completion teaches its half.

    Raises RowError where none is left.
    """
    found = [pair for pair in pairs if pair.longest <= stage.longest]
    if not found:
        raise RowError(f"{stage.name}: all {len(pairs)} pairs are over {stage.longest} tokens")
    return found

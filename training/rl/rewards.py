"""What a completion is worth: what its verifier says, or a control that should teach nothing.

The controls are those of "Spurious Rewards" (arXiv 2506.10947): where a model learns from them as
well as from the truth, it is not the truth that it learnt from.
"""

import random
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache

import torch
from torch import Tensor

from decoding.answers import extract
from training.rollouts.questions import Practice
from training.rollouts.rollouts import Rollout
from training.stages import RlStage
from training.verifiers import named

JUDGED = 4096
"""Verdicts that are remembered: those of a step."""


class Rewards:
    """Scores [G, N] of groups of completions, by the stage's verifier or a question's own."""

    def __init__(self, stage: RlStage) -> None:
        """Raises UnknownVerifier."""
        self._stage = stage
        verifier = cache(named)
        verifier(stage.verifier)

        # The log asks what the reward has asked, and completions of a group often say the same.
        @lru_cache(maxsize=JUDGED)
        def score(completion: str, label: str, name: str | None) -> float:
            return verifier(name or stage.verifier).verify(completion, label).score

        self.score = score

    def __call__(
        self, questions: Sequence[Practice], groups: Sequence[Sequence[Rollout]], seed: str
    ) -> Tensor:
        """seed: of what is drawn."""
        rng = random.Random(seed)
        labels = self._labels(questions, groups, rng)
        rows = zip(questions, labels, groups, strict=True)
        return torch.tensor(
            [
                [self._of(each, label, question.verifier, rng) for each in row]
                for question, label, row in rows
            ]
        )

    def verified(
        self, questions: Sequence[Practice], groups: Sequence[Sequence[Rollout]]
    ) -> Tensor:
        """What the verifier says, whatever is rewarded: for the log. [G, N]"""
        return torch.tensor(
            [
                [self.score(each.text, question.label, question.verifier) for each in row]
                for question, row in zip(questions, groups, strict=True)
            ]
        )

    def _of(
        self, rollout: Rollout, label: str | None, verifier: str | None, rng: random.Random
    ) -> float:
        if not rollout.ended:
            return self._stage.unended
        return self._stage.scale * self._raw(rollout, label, verifier, rng)

    def _raw(
        self, rollout: Rollout, label: str | None, verifier: str | None, rng: random.Random
    ) -> float:
        if self._stage.reward == "random":
            return float(rng.random() < 0.5)
        if self._stage.reward == "format":
            return float(extract(rollout.text) is not None)
        return 0.0 if label is None else self.score(rollout.text, label, verifier)

    def _labels(
        self,
        questions: Sequence[Practice],
        groups: Sequence[Sequence[Rollout]],
        rng: random.Random,
    ) -> list[str | None]:
        if self._stage.reward == "majority":
            return [_majority(row) for row in groups]
        labels: list[str | None] = [question.label for question in questions]
        if self._stage.reward != "wrong-label":
            return labels
        return [_another(label, labels, rng) for label in labels]


def _majority(row: Sequence[Rollout]) -> str | None:
    """The answer that most of a group give; None where nobody gives any."""
    counts = Counter(answer for each in row if (answer := extract(each.text)) is not None)
    return counts.most_common(1)[0][0] if counts else None


def _another(label: str | None, labels: Sequence[str | None], rng: random.Random) -> str | None:
    others = [each for each in labels if each != label]
    return rng.choice(others) if others else None

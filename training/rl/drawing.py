"""A step's batch: groups of completions that teach something, as far as the refills go."""

import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.rl import advantages
from training.rl.rewards import Rewards
from training.rollouts.questions import Questions
from training.rollouts.rollouts import Rollout, Rollouts
from training.stages import RlStage

SEEDS = 1 << 20
"""Between the seeds of two steps."""


@dataclass
class Batch:
    """What is learnt from, and figures of all that was drawn for it.

    verified: what the verifier says of it, whatever was rewarded; useful: groups that are learnt
    from, of those that were asked for; seconds: that it took.
    """

    rollouts: list[Rollout] = field(default_factory=list)
    scored: list[Tensor] = field(default_factory=list)
    asked: int = 0
    useful: int = 0
    completions: int = 0
    tokens: int = 0
    verified: float = 0.0
    rewarded: float = 0.0
    seconds: float = 0.0

    @property
    def scores(self) -> Tensor:
        """[G, N], in the order of the rollouts."""
        return torch.stack(self.scored) if self.scored else torch.zeros(0, 1)

    def figures(self) -> dict[str, float]:
        """For the log."""
        kept, drawn = max(1, len(self.rollouts)), max(1, self.completions)
        return {
            "reward": self.rewarded / drawn,
            "verified": self.verified / drawn,
            "informative": self.useful / max(1, self.asked),
            "drawn_tokens": self.tokens,
            "completion_tokens": sum(len(each.completion) for each in self.rollouts) / kept,
            "ended": sum(each.ended for each in self.rollouts) / kept,
            "drawing_seconds": self.seconds,
        }


class Drawing:
    """Of a stage: its questions, judged by its rewards."""

    def __init__(self, stage: RlStage, questions: Questions, rewards: Rewards, seed: int) -> None:
        self._stage, self._questions, self._rewards = stage, questions, rewards
        self._seed = seed

    async def batch(self, servers: Rollouts, version: str, step: int) -> Batch:
        """Of `prompts` groups, unless too many of those asked for teach nothing."""
        began, found, most = time.perf_counter(), Batch(), self._stage.prompts
        for _ in range(1 + self._stage.refills):
            await self._add(found, servers, version, step, most - found.useful)
            if found.useful == most:
                break
        found.seconds = time.perf_counter() - began
        return found

    async def _add(
        self, batch: Batch, servers: Rollouts, version: str, step: int, wanted: int
    ) -> None:
        stage = self._stage
        start = step * stage.prompts * (1 + stage.refills) + batch.asked
        questions = self._questions.some(start, wanted)
        seed = (self._seed + 1) * SEEDS * 1024 + step * SEEDS + batch.asked * 64
        texts = [question.text for question in questions]
        groups = await servers.groups(texts, stage.group, version=version, seed=seed)
        scores = self._rewards(questions, groups, f"{self._seed}:{step}:{batch.asked}")
        everything = torch.ones(len(groups), dtype=torch.bool)
        kept = advantages.informative(scores) if stage.algorithm == "grpo" else everything
        batch.asked += wanted
        batch.useful += int(kept.sum())
        batch.completions += scores.numel()
        batch.tokens += sum(len(each.completion) for group in groups for each in group)
        batch.verified += float(self._rewards.verified(questions, groups).sum())
        batch.rewarded += float(scores.sum())
        for group, scored, is_kept in zip(groups, scores, kept.tolist(), strict=True):
            if is_kept:
                batch.rollouts += group
                batch.scored.append(scored)

"""The policy that learns, and what it needs beside it: values, a reference, its optimisers."""

import copy
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.func import functional_call
from transformers import Qwen3ForCausalLM, Qwen3ForSequenceClassification

from training.config import Recipe
from training.rl import advantages, losses
from training.rl.batches import Micro, micros
from training.rollouts.rollouts import Rollout
from training.stages import RlStage

Compiled = Callable[..., Tensor]


@dataclass
class Prepared:
    """A piece of a batch with what its loss needs, all [R, L]."""

    micro: Micro
    behaviour: Tensor
    advantages: Tensor
    weights: Tensor
    reference: Tensor | None = None
    values: Tensor | None = None
    returns: Tensor | None = None


@dataclass
class Report:
    """Means over a step's updates, for the log."""

    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def add(self, **figures: float) -> None:
        self.count += 1
        for name, figure in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + figure

    def means(self) -> dict[str, float]:
        return {name: total / max(1, self.count) for name, total in self.sums.items()}


class Values(nn.Module):
    """What a completion is still worth at each token: the policy's body with a head of its own."""

    def __init__(self, body: nn.Module, hidden: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(hidden, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor) -> Tensor:
        """ids [R, L] -> values [R, L]."""
        hidden = self.body(input_ids=ids, use_cache=False).last_hidden_state
        values: Tensor = self.head(hidden).squeeze(-1)
        return values


class Learner:
    """drawer: the weights that drew the next batch, one update behind where batches overlap."""

    def __init__(
        self,
        recipe: Recipe,
        stage: RlStage,
        model: Qwen3ForCausalLM,
        pad: int,
        judge: Qwen3ForSequenceClassification | None = None,
    ) -> None:
        """judge: a reward model, from which PPO's values start; else they start from the policy."""
        self.recipe, self.stage, self.model, self._pad = recipe, stage, model.eval(), pad
        self.step = 0
        self.drawer = copy.deepcopy(model)
        self.base = copy.deepcopy(model) if stage.kl else None
        self.values: Values | None = None
        if stage.algorithm == "ppo":
            self.values = Values(copy.deepcopy((judge or model).model), model.config.hidden_size)
            if judge is not None:
                self.values.head.weight.data.copy_(judge.score.weight.data)
        self.optimisers = list(self._optimisers())
        ready = recipe.run.compile and shutil.which("g++") is not None
        self._logprobs: Compiled = torch.compile(_logprobs, dynamic=False) if ready else _logprobs
        self._valued: Compiled = torch.compile(_valued, dynamic=False) if ready else _valued
        # A graph for each of `batches.lengths`.
        torch._dynamo.config.recompile_limit = 2 * len(recipe.batches.lengths)

    def _optimisers(self) -> Iterator[torch.optim.AdamW]:
        stage, betas = self.stage, (0.9, 0.95)
        decay = stage.weight_decay
        rate = stage.learning_rate
        yield torch.optim.AdamW(self.model.parameters(), lr=rate, betas=betas, weight_decay=decay)
        if self.values is not None:
            rate = stage.value_learning_rate
            parameters = self.values.parameters()
            yield torch.optim.AdamW(parameters, lr=rate, betas=betas, weight_decay=decay)

    def learn(self, rollouts: Sequence[Rollout], scores: Tensor) -> dict[str, float]:
        """One step on a batch that the drawer's weights drew. scores: [G, N], in its order."""
        prepared = self._prepared(rollouts, scores)
        if self.stage.overlap:  # the next batch is being drawn with the weights of this moment
            self._draws_with_these()
        report, whole = Report(), _weight(prepared)
        for _ in range(self.stage.epochs):
            for start in range(self.stage.minibatches):
                share = prepared[start :: self.stage.minibatches]
                if _weight(share):
                    self._update(share, whole / _weight(share), report)
        self.step += 1
        if not self.stage.overlap:
            self._draws_with_these()
        return report.means()

    def _draws_with_these(self) -> None:
        """The next batch is of the weights as they are now."""
        self.drawer.load_state_dict(self.model.state_dict())

    def state(self) -> dict[str, Any]:
        """Of which a killed run can go on."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "drawer": self.drawer.state_dict(),
            "values": None if self.values is None else self.values.state_dict(),
            "optimisers": [each.state_dict() for each in self.optimisers],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.drawer.load_state_dict(state["drawer"])
        if self.values is not None:
            self.values.load_state_dict(state["values"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)

    def _prepared(self, rollouts: Sequence[Rollout], scores: Tensor) -> list[Prepared]:
        drawn = torch.tensor([float(sum(each.drawn)) for each in rollouts])
        of_row = losses.weights(drawn, self.stage.aggregation, longest=self.stage.max_tokens)
        pieces = [
            self._piece(micro, _spread(of_row, micro))
            for micro in micros(rollouts, self.recipe.batches, self._pad)
        ]
        if self.values is None:
            found = advantages.grouped(scores, divide_by_std=self.stage.divide_by_std).flatten()
            for piece in pieces:
                piece.advantages = _spread(found, piece.micro)
        else:
            self._estimate(pieces, scores.flatten())
        return pieces

    def _piece(self, micro: Micro, weights: Tensor) -> Prepared:
        behaviour = self._told(self.drawer, micro).detach()
        reference = None if self.base is None else self._told(self.base, micro).detach()
        return Prepared(micro, behaviour, torch.zeros_like(behaviour), weights, reference)

    def _told(self, weights: nn.Module, micro: Micro) -> Tensor:
        """Of any weights by the same graph: compiled for each, it would be compiled for minutes."""
        parameters = dict(weights.named_parameters())
        ids, targets = micro.ids, micro.targets
        return self._logprobs(self.model, parameters, ids, targets, self.stage.temperature)

    def _estimate(self, pieces: Sequence[Prepared], scores: Tensor) -> None:
        """PPO's advantages, whitened over the whole batch, and the returns that values learn."""
        for piece in pieces:
            mask, rows = piece.micro.mask, piece.micro.rows
            of_rows = torch.zeros(len(mask))
            of_rows[: len(rows)] = scores[rows]
            in_reward = self.stage.kl_in == "reward" and piece.reference is not None
            kl = piece.behaviour - piece.reference if in_reward else None  # type: ignore[operator]
            rewards = advantages.per_token(of_rows, mask, kl, coefficient=self.stage.kl)
            piece.values = self._valued(self.values, piece.micro.ids).detach()
            piece.advantages, piece.returns = advantages.gae(
                rewards * (mask.sum(dim=1, keepdim=True) > 0),
                piece.values,
                mask,
                discount=self.stage.discount,
                smoothing=self.stage.smoothing,
            )
        whole = torch.cat([piece.advantages.flatten() for piece in pieces])
        masks = torch.cat([piece.micro.mask.flatten() for piece in pieces])
        whitened = advantages.whiten(whole, masks)
        sizes = [piece.advantages.numel() for piece in pieces]
        for piece, part in zip(pieces, whitened.split(sizes), strict=True):
            piece.advantages = part.view_as(piece.advantages)

    def _update(self, pieces: Sequence[Prepared], scale: float, report: Report) -> None:
        """scale: by which the pieces' weights are those of a whole batch."""
        policy_learns = self.values is None or self.step >= self.stage.value_warmup
        with self._stepping():
            for piece in pieces:
                figures = self._policy_figures(piece, scale) if policy_learns else {}
                report.add(**figures, **self._value_figures(piece, scale))

    def _policy_figures(self, piece: Prepared, scale: float) -> dict[str, float]:
        in_loss = self.stage.kl_in == "loss"
        found = losses.policy(
            self._told(self.model, piece.micro),
            piece.behaviour,
            piece.advantages,
            piece.micro.mask,
            clipping=losses.Clipping(self.stage.clip_low, self.stage.clip_high),
            weights=piece.weights * scale,
            reference=piece.reference,
            kl_coefficient=self.stage.kl if in_loss else 0.0,
        )
        found.loss.backward()
        figures = {"kl": float(found.kl)} if piece.reference is not None else {}
        entropy = -float((piece.behaviour * piece.micro.mask).sum() / piece.micro.mask.sum())
        return {
            "loss": float(found.loss.detach()),
            "clipped": float(found.clipped),
            "ratio": float(found.ratio),
            "entropy": entropy,
            **figures,
        }

    def _value_figures(self, piece: Prepared, scale: float) -> dict[str, float]:
        if self.values is None:
            return {}
        assert piece.values is not None
        assert piece.returns is not None
        loss = losses.value(
            self._valued(self.values, piece.micro.ids),
            piece.values,
            piece.returns,
            clip=self.stage.value_clip * self.stage.scale,
            weights=piece.micro.mask * piece.weights * scale,
        )
        loss.backward()
        return {"value_loss": float(loss.detach())}

    @contextmanager
    def _stepping(self) -> Iterator[None]:
        factor = min(1.0, (self.step + 1) / max(1, self.stage.warmup_steps))
        if self.stage.schedule == "linear":
            factor *= 1 - self.step / self.stage.steps
        rates = (self.stage.learning_rate, self.stage.value_learning_rate)
        for optimiser, rate in zip(self.optimisers, rates, strict=False):
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
        yield
        for optimiser in self.optimisers:
            parameters = [each for group in optimiser.param_groups for each in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self.stage.clip)
            optimiser.step()


def _logprobs(
    network: nn.Module,
    parameters: Mapping[str, Tensor],
    ids: Tensor,
    targets: Tensor,
    temperature: float,
) -> Tensor:
    """Of the targets, [R, L], as a server with these parameters draws them."""
    inputs = {"input_ids": ids, "use_cache": False}
    with torch.autocast(ids.device.type, torch.bfloat16):
        logits = functional_call(network, dict(parameters), (), inputs).logits
    flat = logits.flatten(0, 1).float() / temperature
    found = -functional.cross_entropy(flat, targets.flatten(), reduction="none")
    return found.view_as(targets)


def _valued(values: nn.Module, ids: Tensor) -> Tensor:
    with torch.autocast(ids.device.type, torch.bfloat16):
        found: Tensor = values(ids)
    return found.float()


def _spread(of_row: Tensor, micro: Micro) -> Tensor:
    """A figure a rollout to its tokens' places, [R, L]; 0 elsewhere."""
    rows = torch.zeros(len(micro.mask))
    rows[: len(micro.rows)] = of_row[micro.rows]
    return rows[:, None] * micro.mask


def _weight(pieces: Sequence[Prepared]) -> float:
    return float(sum(piece.weights.sum() for piece in pieces))

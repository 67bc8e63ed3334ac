"""The policy that learns, and what it needs beside it: values, a reference, its optimisers."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.func import functional_call

from training.config import Recipe
from training.processes import Processes, can_compile, joined
from training.rl import advantages, losses
from training.rl.batches import Micro, micros, shared
from training.rollouts.rollouts import Rollout
from training.saves import Saves, put_back, tensors_of
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
    """Of a step, for the log: losses, summed over a batch, a mean over updates; and figures, means
    over drawn tokens."""

    sums: dict[str, float] = field(default_factory=dict)
    losses: set[str] = field(default_factory=set)
    tokens: float = 0.0
    updates: int = 0

    def add(self, tokens: float, losses: Mapping[str, float], figures: Mapping[str, float]) -> None:
        self.tokens += tokens
        self.losses |= losses.keys()
        for name, value in [*losses.items(), *((k, v * tokens) for k, v in figures.items())]:
            self.sums[name] = self.sums.get(name, 0.0) + value

    def means(self, processes: Processes) -> dict[str, float]:
        """Over all processes, which have added the same names."""
        names = sorted(self.sums)
        own = torch.tensor([self.tokens, *(self.sums[name] for name in names)], dtype=torch.double)
        tokens, *sums = processes.total(own.to(processes.device)).tolist()
        return {
            name: total / max(1.0, self.updates if name in self.losses else tokens)
            for name, total in zip(names, sums, strict=True)
        }


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
        return values.clone()  # FSDP2 hooks what is returned, which may not be a view


def _values(start: Any) -> Values:
    """From a policy's body, or a reward model's, whose head is a value's already."""
    made = Values(copy.deepcopy(start.model), start.config.hidden_size)
    if hasattr(start, "score"):
        made.head.weight.data.copy_(start.score.weight.data)
    return made


class Learner:
    """On one process or on many that share it, each with a part of every batch.

    drawer: the weights that drew the next batch, one update behind where batches overlap."""

    def __init__(
        self,
        recipe: Recipe,
        stage: RlStage,
        model: Any,
        pad: int,
        judge: Any = None,
    ) -> None:
        """judge: a reward model, from which PPO's values start; else they start from the policy."""
        self.recipe, self.stage, self.model, self._pad = recipe, stage, model.eval(), pad
        self.step = 0
        self.drawer = copy.deepcopy(model)
        self.base = copy.deepcopy(model) if stage.kl else None
        self.values = _values(judge or model) if stage.algorithm == "ppo" else None
        self._processes = joined()
        for each in (self.model, self.drawer, self.base):
            if each is not None:
                self._processes.share(each)
        if self.values is not None:
            self._processes.share(self.values, "body.layers")
        self.optimisers = list(self._optimisers())
        if self._processes.device.type != "cpu":
            # Layers are computed again in the backward pass, which transformers does of a model in
            # training alone; the policy is drawn without dropout.
            for each in filter(None, (self.model, self.values and self.values.body)):
                each.train().gradient_checkpointing_enable()
        alone = self._processes.count == 1
        ready = alone and recipe.run.compile and can_compile(self._processes.device)
        self._logprobs: Compiled = torch.compile(_logprobs, dynamic=False) if ready else _logprobs
        self._valued: Compiled = torch.compile(_valued, dynamic=False) if ready else _valued
        # A graph for each of `batches.lengths`.
        torch._dynamo.config.recompile_limit = 2 * len(recipe.batches.lengths)

    def _optimisers(self) -> Iterator[torch.optim.AdamW]:
        stage, betas = self.stage, (0.9, self.stage.beta2)
        decay = stage.weight_decay
        rate = stage.learning_rate
        yield torch.optim.AdamW(self.model.parameters(), lr=rate, betas=betas, weight_decay=decay)
        if self.values is not None:
            rate = stage.value_learning_rate
            parameters = self.values.parameters()
            yield torch.optim.AdamW(parameters, lr=rate, betas=betas, weight_decay=decay)

    def learn(self, rollouts: Sequence[Rollout], scores: Tensor) -> dict[str, float]:
        """One step on a batch that the drawer's weights drew. scores: [G, N], in its order."""
        shares = self._prepared(rollouts, scores)
        if self.stage.overlap:  # the next batch is being drawn with the weights of this moment
            self._draws_with_these()
        report, weights = Report(), [self._weight(share) for share in shares]
        for _ in range(self.stage.epochs):
            for share, weight in zip(shares, weights, strict=True):
                if weight:
                    self._update(share, sum(weights) / weight, report)
        self.step += 1
        if not self.stage.overlap:
            self._draws_with_these()
        return report.means(self._processes)

    def _weight(self, pieces: Sequence[Prepared]) -> float:
        """Of all processes' pieces in the loss."""
        own = sum((piece.weights.sum() for piece in pieces), torch.zeros(()))
        return float(self._processes.total(own.to(self._processes.device)))

    def _draws_with_these(self) -> None:
        """The next batch is of the weights as they are now."""
        self.drawer.load_state_dict(self.model.state_dict())

    def weights(self) -> dict[str, Any]:
        """The policy's, on the first process."""
        return self._processes.gathered(self.model)

    def save(self, saves: Saves, own: dict[str, Any]) -> None:
        """With whatever else the stage wants to know again."""
        saves.write(self.step, self._tensors(), {**own, "step": self.step})

    def restore(self, saves: Saves) -> dict[str, Any] | None:
        """From the last save; returns what else it has, None where there is none."""
        if not saves:
            return None
        tensors = self._tensors()
        own = saves.read(tensors)
        put_back(tensors["policy"], self.model, self.optimisers[0])
        put_back(tensors["drawer"], self.drawer)
        if self.values is not None:
            put_back(tensors["values"], self.values, self.optimisers[1])
        self.step = own["step"]
        return own

    def _tensors(self) -> dict[str, Any]:
        found = {
            "policy": tensors_of(self.model, self.optimisers[0]),
            "drawer": tensors_of(self.drawer),
        }
        if self.values is not None:
            found["values"] = tensors_of(self.values, self.optimisers[1])
        return found

    def _prepared(self, rollouts: Sequence[Rollout], scores: Tensor) -> list[list[Prepared]]:
        """This process's pieces of each minibatch, which are the same for any number of them."""
        drawn = torch.tensor([float(sum(each.drawn)) for each in rollouts])
        of_row = losses.weights(drawn, self.stage.aggregation, longest=self.stage.max_tokens)
        whole, count = (
            list(micros(rollouts, self.recipe.batches, self._pad)),
            self.stage.minibatches,
        )
        processes = self._processes
        shares = [
            [
                self._piece(micro.to(processes.device), of_row)
                for micro in shared(whole[start::count], processes.rank, processes.count)
            ]
            for start in range(min(count, len(whole)))
        ]
        pieces = [piece for share in shares for piece in share]
        if self.values is None:
            found = advantages.grouped(scores, divide_by_std=self.stage.divide_by_std).flatten()
            for piece in pieces:
                piece.advantages = _spread(found, piece.micro)
        elif pieces:
            self._estimate(pieces, scores.flatten())
        return shares

    def _piece(self, micro: Micro, of_row: Tensor) -> Prepared:
        # With gradients where one graph serves policy and drawer alike, and is compiled once.
        with torch.set_grad_enabled(self._processes.count == 1):
            behaviour = self._told(self.drawer, micro).detach()
            reference = None if self.base is None else self._told(self.base, micro).detach()
        return Prepared(
            micro, behaviour, torch.zeros_like(behaviour), _spread(of_row, micro), reference
        )

    def _told(self, weights: nn.Module, micro: Micro) -> Tensor:
        """Of any weights by the same graph: compiled for each, it would be compiled for minutes.
        Weights that are shared between processes are gathered by their own module alone."""
        if self._processes.count > 1:
            return _logprobs(weights, None, micro.ids, micro.targets, self.stage.temperature)
        parameters = dict(weights.named_parameters())
        ids, targets = micro.ids, micro.targets
        return self._logprobs(self.model, parameters, ids, targets, self.stage.temperature)

    def _estimate(self, pieces: Sequence[Prepared], scores: Tensor) -> None:
        """PPO's advantages, whitened over the whole batch, and the returns that values learn."""
        for piece in pieces:
            mask, rows = piece.micro.mask, piece.micro.rows
            of_rows = torch.zeros(len(mask), device=mask.device)
            of_rows[: len(rows)] = scores[rows].to(mask.device)
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
        whitened = advantages.whiten(whole, masks, self._processes.total)
        sizes = [piece.advantages.numel() for piece in pieces]
        for piece, part in zip(pieces, whitened.split(sizes), strict=True):
            piece.advantages = part.view_as(piece.advantages)

    def _update(self, pieces: Sequence[Prepared], scale: float, report: Report) -> None:
        """scale: by which the pieces' weights are those of a whole batch."""
        policy_learns = self.values is None or self.step >= self.stage.value_warmup
        report.updates += 1
        with self._stepping():
            for piece in pieces:
                told, figures = self._policy_loss(piece, scale) if policy_learns else ({}, {})
                told = told | self._value_loss(piece, scale)
                report.add(float(piece.micro.mask.sum()), told, figures)

    def _policy_loss(
        self, piece: Prepared, scale: float
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Adds to the gradients; the loss, and figures for the log."""
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
        (found.loss * self._processes.count).backward()  # gradients are averaged over processes
        drawn = piece.micro.mask.sum().clamp(min=1)
        figures = {
            "clipped": float(found.clipped),
            "ratio": float(found.ratio),
            "entropy": -float((piece.behaviour * piece.micro.mask).sum() / drawn),
            **({"kl": float(found.kl)} if piece.reference is not None else {}),
        }
        return {"loss": float(found.loss.detach())}, figures

    def _value_loss(self, piece: Prepared, scale: float) -> dict[str, float]:
        """Adds to the gradients; the loss, where there are values."""
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
        (loss * self._processes.count).backward()
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
    parameters: Mapping[str, Tensor] | None,
    ids: Tensor,
    targets: Tensor,
    temperature: float,
) -> Tensor:
    """Of the targets, [R, L], as a server with these parameters draws them; None: its own."""
    inputs = {"input_ids": ids, "use_cache": False}
    with torch.autocast(ids.device.type, torch.bfloat16):
        given = None if parameters is None else dict(parameters)
        found = network(**inputs) if given is None else functional_call(network, given, (), inputs)
        logits = found.logits
    flat = logits.flatten(0, 1).float() / temperature
    told = -functional.cross_entropy(flat, targets.flatten(), reduction="none")
    return told.view_as(targets)


def _valued(values: nn.Module, ids: Tensor) -> Tensor:
    with torch.autocast(ids.device.type, torch.bfloat16):
        found: Tensor = values(ids)
    return found.float()


def _spread(of_row: Tensor, micro: Micro) -> Tensor:
    """A figure a rollout to its tokens' places, [R, L]; 0 elsewhere."""
    rows = torch.zeros(len(micro.mask), device=micro.mask.device)
    rows[: len(micro.rows)] = of_row[micro.rows].to(micro.mask.device)
    return rows[:, None] * micro.mask

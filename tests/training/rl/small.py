"""A policy small enough to learn in a test, and stages for it."""

from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from training.config import Recipe
from training.rollouts.rollouts import Rollout
from training.stages import RlStage

END, RIGHT, WRONG = 9, 5, 6


def model(seed: int = 0) -> Qwen3ForCausalLM:
    torch.manual_seed(seed)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "head_dim": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    config = Qwen3Config(vocab_size=700, pad_token_id=0, **shape, **heads)
    config._attn_implementation = "eager"
    return Qwen3ForCausalLM(config)


def recipe(**stage: Any) -> tuple[Recipe, RlStage]:
    made = Recipe.model_validate(
        {
            "name": "small",
            "base": ".",
            "run": {"compile": False},
            "batches": {"tokens": 64, "lengths": [8, 16]},
            "stages": [
                {"name": "rlvr", "kind": "rlvr", "steps": 3, "learning_rate": 1e-2}
                | {"group": 4, "prompts": 2, "held_out": 4, "max_tokens": 8}
                | stage
            ],
        }
    )
    (only,) = made.stages
    assert isinstance(only, RlStage)
    return made, only


def rollout(*completion: int, text: str = "", ended: bool = True) -> Rollout:
    return Rollout((1, 2, 3), completion, (True,) * len(completion), text, ended)

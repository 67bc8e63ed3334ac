"""A model of a recipe's shape, in an architecture that transformers and vLLM both know."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from training.config import ModelShape


def new_model(shape: ModelShape, tokenizer: Any, seed: int) -> Any:
    """Fresh fp32 weights, the same for the same seed."""
    torch.manual_seed(seed)
    config = config_of(
        shape,
        len(tokenizer),
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def teach(tokenizer: Any, model: Any, tokens: Sequence[str]) -> None:
    """Add tokens that it does not have yet: each begins as the mean of those that are there."""
    known = len(tokenizer)
    if not tokenizer.add_tokens([each for each in tokens if each not in tokenizer.get_vocab()]):
        return
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        for embedding in (model.get_input_embeddings(), model.get_output_embeddings()):
            embedding.weight[known:] = embedding.weight[:known].mean(dim=0)


def config_of(shape: ModelShape, vocabulary: int = 0, **tokens: int | None) -> Any:
    """vocabulary: the tokenizer's; tokens: as transformers names special ones."""
    return AutoConfig.for_model(
        shape.architecture,
        vocab_size=shape.vocabulary or vocabulary,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_size,
        max_position_embeddings=shape.context,
        tie_word_embeddings=shape.tied,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        rms_norm_eps=shape.norm_eps,
        attn_implementation=attention(),
        **tokens,
    )


def attention() -> str:
    """At small sizes on CPU, compiled plain attention is several times as fast as SDPA."""
    return "sdpa" if torch.cuda.is_available() else "eager"

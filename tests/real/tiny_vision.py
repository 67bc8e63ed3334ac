"""A model that sees, with random weights: what it says means nothing, what it is shown does."""

import copy
from pathlib import Path

import torch
from transformers import (
    AddedToken,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
)

from tests.tokenizer import small_tokenizer

TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|' ~ message.role ~ '|>\\n' }}"
    "{%- for part in message.content -%}"
    "{{ '<image>' if part.type == 'image' else part.text }}"
    "{%- endfor -%}"
    "{{ '\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>\\n' }}{%- endif -%}"
)
IMAGE_TOKENS = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
PATCHES = 4
"""Tokens of an image: 4 x 4 patches, of which the connector makes one each four."""


def save(folder: Path) -> None:
    """A checkpoint folder as the Hugging Face hub would have it."""
    tokenizer = copy.deepcopy(small_tokenizer())
    extra = [AddedToken(token, special=True, normalized=False) for token in IMAGE_TOKENS]
    tokenizer.add_tokens(extra, special_tokens=True)
    tokenizer.chat_template = TEMPLATE
    image = tokenizer.convert_tokens_to_ids("<image>")
    torch.manual_seed(0)
    config = Idefics3Config(
        image_token_id=image,
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "max_position_embeddings": 1024,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
    )
    model = Idefics3ForConditionalGeneration(config)
    # Else random attention hardly minds what it is shown.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8)
    model.save_pretrained(folder)
    pixels = Idefics3ImageProcessorPil(
        do_image_splitting=False,
        size={"longest_edge": 32},
        max_image_size={"longest_edge": 32},
    )
    Idefics3Processor(
        pixels, tokenizer, image_seq_len=PATCHES, chat_template=TEMPLATE
    ).save_pretrained(folder)

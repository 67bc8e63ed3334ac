"""The small model's tokenizer: every word of its world, and bytes for all the rest.

A word of the vocabulary is one token; any other is spelled out in bytes, so that the letters of
"raspberry" are there to be counted, and every text can be encoded. Digits are one token each.
"""

import random
from collections import Counter

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from training.world.families import DEFAULT_MIX, draw
from training.world.letters import REAL_WORDS
from training.world.trace import Habits, think

USER, ASSISTANT, SYSTEM, END = "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"
THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
SPECIAL = (END, USER, ASSISTANT, SYSTEM, THINK_OPEN, THINK_CLOSE)
EMPTY_THINKING = f"{THINK_OPEN}\n{THINK_CLOSE}\n"

WORD = r" ?[A-Za-z]+|\d|\n|[^\S\n]+|[^\sA-Za-z\d]"
"""What may become one token: a word with the space before it, a digit, a line end, a sign."""

CHAT_TEMPLATE = (
    "{%- set first = messages[0] if tools and messages[0].role == 'system' else none -%}"
    "{%- if tools -%}"
    "{{ '<|system|>\\n' ~ (first.content ~ '\\n' if first else '') }}"
    "{{ 'These functions may be called:\\n<tools>\\n' }}"
    "{%- for tool in tools -%}{{ tool | tojson ~ '\\n' }}{%- endfor -%}"
    "{{ '</tools>\\nA call is written so:\\n<tool_call>\\n' }}"
    """{{ '{"name": …, "arguments": {…}}\\n</tool_call>\\n' }}"""
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- if message.role not in ['system', 'user', 'assistant', 'tool'] -%}"
    "{{ raise_exception('unknown role ' ~ message.role) }}{%- endif -%}"
    "{%- if message.role == 'tool' -%}"
    "{{ '<|user|>\\n<tool_response>\\n' ~ message.content ~ '\\n</tool_response>\\n' }}"
    "{%- elif not (first and loop.first) -%}"
    "{{ '<|' ~ message.role ~ '|>\\n' ~ message.content }}"
    "{%- for call in message.tool_calls or [] -%}"
    "{{ '\\n' if message.content or not loop.first }}"
    """{{ '<tool_call>\\n{"name": ' ~ call.function.name | tojson }}"""
    """{{ ', "arguments": ' ~ call.function.arguments | tojson ~ '}\\n</tool_call>' }}"""
    "{%- endfor -%}"
    "{{ '<|end|>' if message.role == 'assistant' }}{{ '\\n' }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}"
    "{{ '<|assistant|>\\n' }}"
    "{{ '<think>\\n</think>\\n' if enable_thinking is defined and not enable_thinking"
    " else '<think>\\n' }}"
    "{%- endif -%}"
)
"""Without tools, what training reads. Tools are written as Hermes does it; the model has never
seen any, so that requests with tools can be tried on it, but not answered well."""


def prompt_text(question: str, *, thinking: bool = True) -> str:
    """What the chat template renders for one question, up to where the model goes on."""
    opening = f"{THINK_OPEN}\n" if thinking else EMPTY_THINKING
    return f"{USER}\n{question}\n{ASSISTANT}\n{opening}"


def lexicon(documents: int = 8_000, at_least: int = 8) -> list[str]:
    """The words of the world, most frequent first; words that are there to be spelled are not."""
    rng = random.Random("lexicon")
    spelled = {*REAL_WORDS, *(f" {word}" for word in REAL_WORDS)}
    split = pre_tokenizers.Split(Regex(WORD), "isolated")
    counts: Counter[str] = Counter()
    for _ in range(documents):
        problem = draw(rng, "train", mix=DEFAULT_MIX)
        trace = "".join(piece.text for piece in think(problem, rng, Habits()))
        text = f"{problem.question}\n{trace}The answer is {problem.answer}."
        words = {word for word, _ in split.pre_tokenize_str(text)}
        counts.update(word for word in words if len(word.strip()) > 1 and word not in spelled)
    frequent = [(-count, word) for word, count in counts.items() if count >= at_least]
    return [word for _, word in sorted(frequent)]


def build() -> PreTrainedTokenizerFast:
    """The tokenizer, with its chat template, ready to be saved beside a model."""
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [to_bytes.pre_tokenize_str(word)[0][0] for word in lexicon()]
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *alphabet, *words])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(WORD), "isolated"), to_bytes]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL]
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)
    fast.chat_template = CHAT_TEMPLATE
    return fast

"""Programs whose answers rest on passages, as a model can follow them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from decoding.critic import Ask, Asked, Critic, Reflecting
from decoding.engine import Engine
from decoding.passages import Neutral, Neutralizer, Retriever
from decoding.policies import Scholar, ScholarConfig, SelfRag, SelfRagConfig
from decoding.prompted_writer import PromptedWriter
from decoding.reflective_writer import ReflectiveWriter
from decoding.segments import Writer
from decoding.types import Sampling
from server.engine.model import Model

FRAMES = ("<passage>", "</passage>", "<passages>", "</passages>")
"""What prompts set passages between."""

AT_ONCE = 16
"""Engine calls of one answer: it is not to fill the engine."""

Messages = Sequence[Mapping[str, Any]]


def self_rag(
    model: Model,
    config: SelfRagConfig,
    retriever: Retriever,
    question: str,
    ask: Ask,
    converse: Ask,
) -> SelfRag:
    """ask, converse: a message by itself, and in the place of the chat's last one."""

    clean = harmless(model)

    def writer(engine: Engine, prompt: Sequence[int], sampling: Sampling) -> Writer:
        places = asyncio.Semaphore(AT_ONCE)
        told = (
            *(engine, tuple(prompt), sampling, model.codec, model.turn_ends),
            *(model.max_model_len, config.weights, places),
        )
        if model.reflection is not None:
            return ReflectiveWriter(*told, model.reflection)
        critic = Asked(
            *(engine, model.codec, ask, sampling, model.max_model_len, places),
            clean.text,
        )
        return PromptedWriter(*told, question, converse, critic)

    return SelfRag(config, model.codec, Neutral(retriever, clean), question, writer)


def scholar(
    model: Model,
    config: ScholarConfig,
    retriever: Retriever,
    question: str,
    ask: Ask,
    converse: Ask,
) -> Scholar:
    """ask, converse: a message by itself, and in the place of the chat's last one."""

    def critic(engine: Engine, sampling: Sampling) -> Critic:
        places = asyncio.Semaphore(AT_ONCE)
        told = engine, model.codec, ask, sampling, model.max_model_len, places, clean.text
        return Asked(*told) if model.reflection is None else Reflecting(*told, model.reflection)

    clean = harmless(model)
    return Scholar(
        config,
        model.codec,
        model.turn_ends,
        Neutral(retriever, clean),
        question,
        ask,
        converse,
        critic,
        model.max_model_len,
        clean,
    )


def harmless(model: Model) -> Neutralizer:
    return Neutralizer(model.codec, (*model.controls, *FRAMES), model.control_ids)


def asking(model: Model, messages: Messages, template_arguments: Mapping[str, Any]) -> Ask:
    """What renders a user's message, in the place of the last one of a conversation."""
    last = max((i for i, each in enumerate(messages) if each["role"] == "user"), default=0)

    def ask(text: str) -> Sequence[int]:
        said = [*messages[:last], {"role": "user", "content": text}, *messages[last + 1 :]]
        return model.render(said, thinking=False, template_arguments=template_arguments)

    return ask

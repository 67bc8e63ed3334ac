"""Programs whose answers rest on passages, as a model can follow them."""

from collections.abc import Mapping, Sequence
from typing import Any

from decoding.critic import Ask, Asked, Critic, Reflecting
from decoding.engine import Engine, Policy
from decoding.passages import Neutral, Retriever
from decoding.policies import Scholar, ScholarConfig, SelfRag, SelfRagConfig
from decoding.types import Sampling
from server.engine.model import Model
from server.errors import InvalidRequest

Messages = Sequence[Mapping[str, Any]]


def self_rag(model: Model, config: SelfRagConfig, retriever: Retriever, question: str) -> Policy:
    """Raises InvalidRequest for a model that was not taught to criticise what it writes."""
    if model.reflection is None:
        message = "this model has no reflection tokens"
        raise InvalidRequest(f"self_rag: {message}", "self_rag")
    return SelfRag(
        config,
        model.reflection,
        model.codec,
        model.turn_ends,
        harmless(model, retriever),
        question,
        model.max_model_len,
    )


def scholar(
    model: Model,
    config: ScholarConfig,
    retriever: Retriever,
    question: str,
    messages: Messages,
    template_arguments: Mapping[str, Any],
) -> Policy:
    ask = asking(model, (), template_arguments)

    def critic(engine: Engine, sampling: Sampling) -> Critic:
        told = (engine, model.codec, ask, sampling, model.max_model_len)
        return Asked(*told) if model.reflection is None else Reflecting(*told, model.reflection)

    return Scholar(
        config,
        model.codec,
        model.turn_ends,
        harmless(model, retriever),
        question,
        ask,
        asking(model, messages, template_arguments),
        critic,
        model.max_model_len,
    )


def harmless(model: Model, retriever: Retriever) -> Retriever:
    return Neutral(retriever, model.codec, model.controls, model.control_ids)


def asking(model: Model, messages: Messages, template_arguments: Mapping[str, Any]) -> Ask:
    """What renders a user's message, in the place of the last one of a conversation."""
    last = max((i for i, each in enumerate(messages) if each["role"] == "user"), default=0)

    def ask(text: str) -> Sequence[int]:
        said = [*messages[:last], {"role": "user", "content": text}]
        return model.render(said, thinking=False, template_arguments=template_arguments)

    return ask

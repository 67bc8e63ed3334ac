"""From raw prompts to the program that continues them."""

from collections.abc import Sequence

from fastapi import Request

from decoding.controls import instruction
from server.admission import Ticket
from server.asking import Asked, begin, reduced
from server.engine.model import Model
from server.errors import InvalidRequest
from server.schema.completions import CompletionsRequest
from server.state import State


async def complete(request: Request, body: CompletionsRequest, ticket: Ticket) -> Asked:
    """What a response may begin with: the first of its places is had.

    Raises ApiError for what cannot be done, and Disconnected where the client leaves the queue.
    """
    asked = _resolved(State.of(request), body, ticket)
    await begin(request, asked, ticket)
    return asked


def _resolved(state: State, body: CompletionsRequest, ticket: Ticket) -> Asked:
    body.refuse_impossible(state.settings.max_n)
    model = state.bound(body.model, ticket)
    prompts = [_tokens(model, prompt, body.add_special_tokens) for prompt in body.prompts]
    sampling = body.sampling(min(map(model.room, prompts)), model.vocabulary)
    config = body.thinking_config(model.settings)
    if config is None:
        policy = state.programs.admitted(model.continuation(scores=body.scores), ticket)
        return Asked(model, model.engine, prompts, policy, sampling, body.n)
    _refuse_closed(model, prompts)
    fields = body.control(body.temperature)
    control = fields.config() if fields else None
    if control and instruction(control):
        raise InvalidRequest(
            "thinking.control: is asked for in a user message, and a raw prompt has none",
            "thinking.control",
        )
    config, reduced_from = reduced(state, model, config, control, sampling.max_tokens)
    policy = state.programs.admitted(model.policy(config, sampling.max_tokens, control), ticket)
    return Asked(model, model.engine, prompts, policy, sampling, body.n, fields, reduced_from)


def _tokens(model: Model, prompt: str | list[int], special_tokens: bool) -> list[int]:
    if not isinstance(prompt, str):
        model.check_tokens(prompt, "prompt")
        return prompt
    tokens = model.encode(prompt, special_tokens=special_tokens)
    if not tokens:
        raise InvalidRequest("prompt: should have a token at least", "prompt")
    return tokens


def _refuse_closed(model: Model, prompts: Sequence[list[int]]) -> None:
    if model.markers is not None and not all(map(model.thinks_in, prompts)):
        start = model.markers.profile.start
        raise InvalidRequest(f"prompt: should end in {start} where thinking is asked for", "prompt")

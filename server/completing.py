"""From raw prompts to the program that continues them."""

from collections.abc import Sequence

from decoding.controls import instruction
from server.asking import Asked
from server.engine.model import Model
from server.errors import InvalidRequest
from server.schema.completions import CompletionsRequest
from server.state import State


def complete(state: State, body: CompletionsRequest) -> Asked:
    """Raises ApiError for what cannot be done."""
    body.refuse_impossible(state.settings.max_n)
    model = state.model(body.model)
    prompts = [_tokens(model, prompt, body.add_special_tokens) for prompt in body.prompts]
    sampling = body.sampling(min(map(model.room, prompts)), model.vocabulary)
    config = body.thinking_config(state.settings)
    if config is None:
        policy, fields = model.continuation(scores=body.scores), None
    else:
        _refuse_closed(model, prompts)
        fields = body.control(body.temperature)
        control = fields.config() if fields else None
        if control and instruction(control):
            raise InvalidRequest(
                "thinking.control: is asked for in a user message, and a raw prompt has none",
                "thinking.control",
            )
        policy = model.policy(config, sampling.max_tokens, control)
    return Asked(prompts, state.programs.admitted(policy), sampling, body.n, fields)


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

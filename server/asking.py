"""From a request to the program that answers it: what all APIs share.

Every API but plain completions is said as a `ChatRequest` first, so that a field means the same
whichever API it came by.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from decoding.engine import Policy
from decoding.policies import Vote
from decoding.tool_calls import ToolCalling, ToolReader
from decoding.types import Grammar, Sampling
from server.engine.model import Model
from server.outcome import Events
from server.schema.chat import ChatRequest
from server.schema.controls import ControlFields
from server.schema.messages import for_template
from server.schema.response_format import Binding
from server.schema.tools import Forced
from server.state import State


@dataclass(frozen=True, slots=True)
class Asked:
    """count: choices a prompt that there will be for certain; a vote may have more."""

    prompts: Sequence[Sequence[int]]
    policy: Policy
    sampling: Sampling
    count: int
    control: ControlFields | None = None

    def events(self, state: State) -> Events:
        return state.programs.run(self.policy, self.prompts, self.sampling, self.count)


def rendered(state: State, body: ChatRequest, *, add_generation_prompt: bool = True) -> list[int]:
    """The prompt, however long it is. Raises InvalidRequest for what cannot be said in one."""
    fields = body.control(body.temperature)
    return state.model(body.model).render(
        for_template(body.messages),
        thinking=body.thinks,
        template_arguments=body.template_arguments,
        control=fields.config() if fields else None,
        tools=body.offered,
        add_generation_prompt=add_generation_prompt,
    )


def ask(state: State, body: ChatRequest) -> Asked:
    """Raises ApiError for what cannot be done."""
    model = state.model(body.model)
    body.refuse_more(state.settings.max_n)
    forced = body.forced()
    grammar = _grammar(model, body.binding(forced))
    read_calls = _reader(model, body, forced)
    prompt = rendered(state, body)
    fields = body.control(body.temperature)
    control = fields.config() if fields else None
    sampling = body.sampling(model.room(prompt), model.vocabulary, grammar)
    thinking = body.config(
        state.settings, body.completion_limit, sampling.max_tokens, bound=grammar is not None
    )
    policy = state.programs.admitted(model.policy(thinking, sampling.max_tokens, control))
    if read_calls is not None:
        parallel = body.parallel_tool_calls is not False
        policy = ToolCalling(policy, read_calls, parallel=parallel)
    if body.vote is None:
        return Asked([prompt], policy, sampling, body.n, fields)
    config = body.vote.config(body.n, body.temperature)
    messages = for_template(body.messages)
    verifier = body.vote.verifier(state.settings, messages, state.http)
    vote = Vote(policy, config, body.vote.reader(state.maths, grammar), verifier)
    return Asked([prompt], vote, sampling, 1, fields)


def _grammar(model: Model, binding: Binding | None) -> Grammar | None:
    if binding is None:
        return None
    model.check_grammar(binding.grammar, binding.field)
    return binding.grammar


def _reader(
    model: Model, body: ChatRequest, forced: Forced | None
) -> Callable[[], ToolReader] | None:
    """What reads the calls of an answer that may make any."""
    if forced is not None:
        return forced.reader
    if not body.may_call:
        return None
    body.refuse_unbound()
    return model.reader_of_calls(body.offered, streamed=body.in_pieces)

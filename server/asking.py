"""From a request to the program that answers it: what all APIs share.

Every API but plain completions is said as a `ChatRequest` first, so that a field means the same
whichever API it came by.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fastapi import Request

from decoding.controls import Control
from decoding.engine import Engine, Policy
from decoding.passages import Retriever
from decoding.policies import ThinkingConfig, Vote
from decoding.tool_calls import ToolCalling, ToolReader
from decoding.types import Grammar, Sampling
from server.admission import Ticket
from server.engine import grounding
from server.engine.model import Model
from server.entrance import first_place
from server.errors import InvalidRequest
from server.gathering import chunk_tokens
from server.headers import note
from server.outcome import Events
from server.schema.chat import ChatRequest
from server.schema.controls import ControlFields
from server.schema.messages import for_template, images_of, last_question
from server.schema.response_format import Binding
from server.schema.sources import SourceFields
from server.schema.thinking import longest_thought
from server.schema.tools import Forced
from server.state import State


@dataclass(frozen=True, slots=True)
class Asked:
    """count: choices a prompt that there will be for certain; a vote may have more.

    engine: that continues the prompts: the model's own, or one that shows them their images.
    reduced_from: the thinking budget that it would have had, had the server not been busy.
    """

    model: Model
    engine: Engine
    prompts: Sequence[Sequence[int]]
    policy: Policy
    sampling: Sampling
    count: int
    control: ControlFields | None = None
    reduced_from: int | None = None

    def events(self, state: State) -> Events:
        sampling = self.sampling
        if sampling.chunk_tokens == 1:
            gathered = chunk_tokens(state.admission, state.settings.max_chunk_tokens)
            sampling = replace(sampling, chunk_tokens=gathered)
        return state.programs.run(self.policy, self.engine, self.prompts, sampling, self.count)


async def rendered(
    model: Model, body: ChatRequest, *, add_generation_prompt: bool = True
) -> tuple[list[int], Engine]:
    """The prompt, however long it is, and the engine that continues it.

    Raises InvalidRequest for what cannot be said in one.
    """
    fields = body.control(body.temperature)
    prompt = model.render(
        for_template(body.messages),
        thinking=body.thinks,
        template_arguments=body.template_arguments,
        control=fields.config() if fields else None,
        tools=body.offered,
        add_generation_prompt=add_generation_prompt,
    )
    return await model.shown(prompt, images_of(body.messages))


async def ask(request: Request, body: ChatRequest, ticket: Ticket) -> Asked:
    """What a response may begin with: the first of its places is had.

    Raises ApiError for what cannot be done, and Disconnected where the client leaves the queue.
    """
    state = State.of(request)
    model = state.bound(body.model, ticket)
    retriever = await _retriever(state, body.self_rag or body.scholar)
    prompt, engine = await rendered(model, body)
    asked = _resolved(state, model, engine, body, ticket, prompt, retriever)
    await begin(request, asked, ticket)
    return asked


async def begin(request: Request, asked: Asked, ticket: Ticket) -> None:
    """Wait for the first place. Raises QueueTimeout, or Disconnected where the client leaves."""
    if asked.reduced_from is not None:
        note(request, {"x-bide-brownout": "1"})
    await first_place(request, ticket)
    note(request, {"x-bide-checkpoint": asked.model.checkpoint})


async def _retriever(state: State, fields: SourceFields | None) -> Retriever | None:
    """Raises UnknownIndex."""
    if fields is None or fields.index is None:
        return None if fields is None else fields.given()
    return await state.retriever(fields.index)


def _grounded(model: Model, body: ChatRequest, retriever: Retriever) -> Policy | None:
    """What rests on passages; None for what rests on none."""
    if body.self_rag is None and body.scholar is None:
        return None
    if images_of(body.messages):
        raise InvalidRequest("messages: images cannot be together with passages", "messages")
    told = (
        *(retriever, last_question(body.messages)),
        grounding.asking(model, (), body.template_arguments),
        grounding.asking(model, for_template(body.messages), body.template_arguments),
    )
    if body.self_rag is not None:
        return grounding.self_rag(model, body.self_rag.config(), *told)
    assert body.scholar is not None
    return grounding.scholar(model, body.scholar.config(), *told)


def _resolved(
    state: State,
    model: Model,
    engine: Engine,
    body: ChatRequest,
    ticket: Ticket,
    prompt: list[int],
    retriever: Retriever | None,
) -> Asked:
    body.refuse_more(state.settings.max_n)
    body.refuse_streamed_ids()
    forced = body.forced()
    bound = _bound(model, body.binding(forced))
    read_calls = _reader(model, body, forced)
    fields = body.control(body.temperature)
    control = fields.config() if fields else None
    grammar = bound or _strict(model, body)
    sampling = body.sampling(model.room(prompt), model.vocabulary, grammar)
    thinking = body.config(
        model.settings, body.completion_limit, sampling.max_tokens, bound=bound is not None
    )
    thinking, reduced_from = reduced(state, model, thinking, control, sampling.max_tokens)
    grounded = _grounded(model, body, retriever) if retriever is not None else None
    policy = grounded or model.policy(thinking, sampling.max_tokens, control)
    policy = state.programs.admitted(policy, ticket)
    if read_calls is not None:
        parallel = body.parallel_tool_calls is not False
        policy = ToolCalling(policy, read_calls, parallel=parallel)
    if body.vote is None:
        return Asked(model, engine, [prompt], policy, sampling, body.n, fields, reduced_from)
    config = body.vote.config(body.n, body.temperature)
    messages = for_template(body.messages)
    verifier = body.vote.verifier(state.settings, messages, state.http)
    vote = Vote(policy, config, body.vote.reader(state.maths, bound), verifier)
    return Asked(model, engine, [prompt], vote, sampling, 1, fields, reduced_from)


def reduced(
    state: State,
    model: Model,
    thinking: ThinkingConfig,
    control: Control | None,
    max_tokens: int,
) -> tuple[ThinkingConfig, int | None]:
    """What is left of `thinking` under the pressure of now, and its budget before if less is."""
    if model.markers is None:
        return thinking, None
    most = longest_thought(model.settings, max_tokens)
    return state.brownout.reduced(thinking, control, state.admission.pressure, most)


def _bound(model: Model, binding: Binding | None) -> Grammar | None:
    if binding is None:
        return None
    model.check_grammar(binding.grammar, binding.field)
    return binding.grammar


def _strict(model: Model, body: ChatRequest) -> Grammar | None:
    """What binds calls, and nothing else, of an answer that may make some."""
    if not body.may_call or not body.strict:
        return None
    return model.grammar_of_calls(body.bound_functions, body.strict)


def _reader(
    model: Model, body: ChatRequest, forced: Forced | None
) -> Callable[[], ToolReader] | None:
    """What reads the calls of an answer that may make any."""
    if forced is not None:
        return forced.reader
    if not body.may_call:
        return None
    return model.reader_of_calls(body.offered, streamed=body.in_pieces)

"""From a request to the program that answers it: what all APIs share.

Every API but plain completions is said as a `ChatRequest` first, so that a field means the same
whichever API it came by.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from decoding.engine import Policy
from decoding.policies import Vote
from decoding.types import Sampling
from server.admission import Ticket
from server.entrance import first_place
from server.headers import note
from server.outcome import Events
from server.schema.chat import ChatRequest
from server.schema.controls import ControlFields
from server.schema.thinking import longest_thought
from server.state import State


@dataclass(frozen=True, slots=True)
class Asked:
    """count: choices that there will be for certain; a vote may have more.

    reduced_from: the thinking budget that it would have had, had the server not been busy.
    """

    prompt: Sequence[int]
    policy: Policy
    sampling: Sampling
    count: int
    control: ControlFields | None = None
    reduced_from: int | None = None

    def events(self, state: State) -> Events:
        return state.programs.run(self.policy, self.prompt, self.sampling, self.count)


async def ask(request: Request, body: ChatRequest, ticket: Ticket) -> Asked:
    """What a response may begin with: the first of its places is had.

    Raises ApiError for what cannot be done, and Disconnected where the client leaves the queue.
    """
    asked = _resolved(State.of(request), body, ticket)
    if asked.reduced_from is not None:
        note(request, {"x-bide-brownout": "1"})
    await first_place(request, ticket)
    return asked


def _resolved(state: State, body: ChatRequest, ticket: Ticket) -> Asked:
    model = state.model(body.model)
    messages = [message.for_template() for message in body.messages]
    thinks, fields = body.thinks, body.control(body.temperature)
    control = fields.config() if fields else None
    prompt = model.render(
        messages,
        thinking=thinks,
        template_arguments=body.template_arguments,
        control=control,
    )
    sampling = body.sampling(model.room(prompt), model.vocabulary)
    thinking = body.config(state.settings, body.completion_limit, sampling.max_tokens)
    body.refuse_more(state.settings.max_n)
    reduced_from = None
    if model.markers is not None:
        most = longest_thought(state.settings, sampling.max_tokens)
        pressure = state.admission.pressure
        thinking, reduced_from = state.brownout.reduced(thinking, control, pressure, most)
    policy = model.policy(thinking, sampling.max_tokens, control)
    policy = state.programs.admitted(policy, ticket)
    if body.vote is None:
        return Asked(prompt, policy, sampling, body.n, fields, reduced_from)
    config = body.vote.config(body.n, body.temperature)
    verifier = body.vote.verifier(state.settings, messages, state.http)
    vote = Vote(policy, config, body.vote.reader(state.maths), verifier)
    return Asked(prompt, vote, sampling, 1, fields, reduced_from)

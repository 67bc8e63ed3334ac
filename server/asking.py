"""From a request to the program that answers it: what all APIs share.

Every API but plain completions is said as a `ChatRequest` first, so that a field means the same
whichever API it came by.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from decoding.engine import Policy
from decoding.policies import Vote
from decoding.types import Sampling
from server.outcome import Events
from server.schema.chat import ChatRequest
from server.schema.controls import ControlFields
from server.state import State


@dataclass(frozen=True, slots=True)
class Asked:
    """count: choices that there will be for certain; a vote may have more."""

    prompt: Sequence[int]
    policy: Policy
    sampling: Sampling
    count: int
    control: ControlFields | None = None

    def events(self, state: State) -> Events:
        return state.programs.run(self.policy, self.prompt, self.sampling, self.count)


def ask(state: State, body: ChatRequest) -> Asked:
    """Raises ApiError for what cannot be done."""
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
    policy = state.programs.admitted(model.policy(thinking, sampling.max_tokens, control))
    body.refuse_more(state.settings.max_n)
    if body.vote is None:
        return Asked(prompt, policy, sampling, body.n, fields)
    config = body.vote.config(body.n, body.temperature)
    verifier = body.vote.verifier(state.settings, messages, state.http)
    vote = Vote(policy, config, body.vote.reader(state.maths), verifier)
    return Asked(prompt, vote, sampling, 1, fields)

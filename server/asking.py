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
        [message.for_template() for message in body.messages],
        thinking=body.thinks,
        template_arguments=body.template_arguments,
        control=fields.config() if fields else None,
        add_generation_prompt=add_generation_prompt,
    )


def ask(state: State, body: ChatRequest) -> Asked:
    """Raises ApiError for what cannot be done."""
    model = state.model(body.model)
    prompt = rendered(state, body)
    fields = body.control(body.temperature)
    control = fields.config() if fields else None
    sampling = body.sampling(model.room(prompt), model.vocabulary)
    thinking = body.config(state.settings, body.completion_limit, sampling.max_tokens)
    policy = state.programs.admitted(model.policy(thinking, sampling.max_tokens, control))
    if body.vote is None:
        return Asked([prompt], policy, sampling, body.n, fields)
    config = body.vote.config(body.n, body.temperature)
    messages = [message.for_template() for message in body.messages]
    verifier = body.vote.verifier(state.settings, messages, state.http)
    vote = Vote(policy, config, body.vote.reader(state.maths), verifier)
    return Asked([prompt], vote, sampling, 1, fields)

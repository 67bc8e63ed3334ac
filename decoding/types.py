"""The vocabulary of a request: what is asked, what the engine says, what the caller hears."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Phase = Literal["reasoning", "content"]
End = Literal["natural", "budget", "certain", "disabled"]
Finish = Literal["stop", "length", "tool_calls"]
"""The last is an answer's alone; no engine call ends so."""
Stop = Literal["all", "unbeatable", "confident"]


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer must be written in, by the names that vLLM gives the kinds.

    value: a JSON schema as JSON, a regular expression, a JSON list of texts, EBNF, or a structural
    tag as JSON, which binds parts of a text that is free otherwise.
    """

    kind: Literal["json", "regex", "choice", "grammar", "structural_tag"]
    value: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one engine call draws its tokens. `max_tokens` bounds what this call may generate.

    A token of `stop_token_ids` ends the call and is reported apart; with `ignore_eos`
    the model's own end of sequence ends it only if it is among them.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    chunk_tokens: int = 1
    """Tokens that the engine may gather before it says them; more of them cost it less."""
    top_logprobs: int = 0
    """Most likely tokens at each position whose log-probabilities make up its confidence; 0 for
    no confidences."""
    grammar: Grammar | None = None
    """Binds the answer alone: a transcript takes it out of all other calls."""
    logprobs: int | None = None
    """Most likely tokens that are told beside each token of the answer; None for no `logprobs`."""
    prompt_logprobs: int | None = None
    """As many beside each token of the prompt; None for no `prompt_logprobs`."""
    told_ids: tuple[int, ...] = ()
    """Tokens whose log-probabilities are told at each position, whatever is drawn there."""
    aside: bool = False
    """Whether the call is none of the answer's, but asks something of a fork of it."""
    on_abort: Callable[[int], None] | None = field(default=None, compare=False)
    """Told of an aborted call how many tokens it had generated and not said."""


@dataclass(frozen=True, slots=True)
class Likely:
    """A token that could have been. Its bytes may be part of a character, which text cannot say."""

    token_id: int
    text: str
    bytes: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token that was drawn, and the most likely ones in its place, the likeliest first."""

    drawn: Likely
    top: tuple[Likely, ...]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`arguments` is JSON, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """The next piece of an answer's call number `index`, from 0.

    The first piece of a call alone has its id and name.
    """

    index: int
    arguments: str
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens from the engine. `finish` is set on a call's last chunk alone.

    `token_ids` and `text` leave out the token that stopped the call; `stop_token` is that token,
    None where a stop string, which is `stop_text`, or the length ended it. `confidences`, if asked
    for, are one a token: minus the mean log-probability of the most likely ones, in nats; the
    surer, the higher.
    `logprobs`, if asked for, are one a token. So are `prompt_logprobs`, which come with a call's
    first chunk, but for the prompt's first token, which follows nothing.
    `told`, if asked for, are one a generated token, the one that stopped the call among them: of
    each of `told_ids`, and of the drawn one; an engine may leave out what is most unlikely.
    """

    token_ids: tuple[int, ...]
    text: str
    finish: Finish | None = None
    stop_token: int | None = None
    confidences: tuple[float, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    stop_text: str | None = None
    prompt_logprobs: tuple[TokenLogprob, ...] = ()
    told: tuple[Mapping[int, float], ...] = ()

    @property
    def generated(self) -> int:
        """Tokens that the engine generated for it, the one that stopped the call among them."""
        return len(self.token_ids) + (self.stop_token is not None)


@dataclass(frozen=True, slots=True)
class Injection:
    """Text that the program wrote. `position` counts completion tokens, from 0."""

    position: int
    text: str
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """The answer so far, asked of a fork of a thought; None for none, or one in doubt.

    position: thinking tokens before the fork; tokens: what it generated, all of it discarded.
    """

    position: int
    answer: str | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Thinking:
    """How the thinking went. `tokens` counts what stands between the markers, injected or not.

    attempts: thoughts that rejection sampling drew for this one; None without it.
    """

    tokens: int
    waits: int
    end: End
    budget_tokens: int | None
    injected: tuple[Injection, ...]
    probes: tuple[Probe, ...] = ()
    attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer.

    Always: completion == generated - discarded + injected, where `generated` is what the engine
    produced and `discarded` what the program replaced (end markers, mostly) or rejected.
    """

    prompt: int
    completion: int
    reasoning: int
    injected: int
    generated: int
    discarded: int


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of an answer, in order. `choice` numbers the answers of one program.

    `token_ids` may be text that comes with a later delta, or pieces of tool calls. `logprobs`, if
    asked for, are those of the drawn tokens of the content.
    """

    phase: Phase
    text: str
    token_ids: tuple[int, ...]
    injected: bool = False
    choice: int = 0
    tool_calls: tuple[ToolCallDelta, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """How likely the model finds each token of the prompt, from the second on."""

    logprobs: tuple[TokenLogprob, ...]
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Ballot:
    """A sample of a vote has finished. `answer` is None for an abstention."""

    sample: int
    answer: str | None
    weight: float
    generated: int
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Election:
    """How a vote went. `counts` and `weights` are by answer, the winner first.

    started == finished + aborted; finished == the sum of `counts` + abstained; `filtered` ones are
    among the aborted. `tokens` is what the engine generated for all samples.
    """

    answer: str | None
    counts: Mapping[str, int]
    weights: Mapping[str, float]
    started: int
    finished: int
    aborted: int
    filtered: int
    abstained: int
    tokens: int
    stopped_by: Stop


@dataclass(frozen=True, slots=True)
class Citation:
    """That a passage stands behind the content from `start` to `end`, in characters.

    number: by which the content names it; relevance, support: from 0 to 1, as the model sees them;
    None where it did not say.
    """

    start: int
    end: int
    number: int
    document_id: str
    relevance: float | None
    support: float | None


@dataclass(frozen=True, slots=True)
class Trial:
    """A segment that was tried: on which passage, with what score, and whether it is in the answer.

    parent: the trial that it goes on from, by its place in the list.
    """

    parent: int | None
    document_id: str | None
    text: str
    score: float
    relevance: float | None
    support: float | None
    utility: float | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer rests on. retrievals: searches for passages; passages: that were read."""

    citations: tuple[Citation, ...]
    utility: float | None
    retrievals: int
    passages: int
    trials: tuple[Trial, ...]


Stage = Literal["retrieve", "rerank", "write", "verify", "feedback", "revise", "repair"]


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of a researched answer is over. round: how many revisions were begun before it.

    outcome: "done", or what went wrong with it; generated: tokens; count: what it came to, be it
    passages found, passages judged, statements written, points of feedback or statements checked.
    """

    stage: Stage
    round: int
    outcome: str
    count: int
    generated: int
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that was found. relevance: from 0 to 1, None where it was not judged; read: whether
    the answer was written on it, and could cite it."""

    number: int
    document_id: str
    title: str
    relevance: float | None
    read: bool


@dataclass(frozen=True, slots=True)
class Point:
    """Of feedback on a draft. query: for passages that it lacks, empty for none.

    accepted: whether the draft that was revised after it took the place of the one before.
    """

    comment: str
    query: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class Grounding:
    """How a text stands on its passages.

    statements: that say something; supported: those that a passage they cite supports; citations:
    and right: those that support what they stand behind.
    """

    statements: int
    supported: int
    citations: int
    right: int

    @property
    def precision(self) -> float | None:
        """None where nothing is cited."""
        return self.right / self.citations if self.citations else None

    @property
    def recall(self) -> float | None:
        """None where nothing is said."""
        return self.supported / self.statements if self.statements else None


@dataclass(frozen=True, slots=True)
class Study:
    """What a researched answer rests on. written, final: as it stood before its citations were
    verified, and as it is."""

    citations: tuple[Citation, ...]
    sources: tuple[Source, ...]
    feedback: tuple[Point, ...]
    written: Grounding
    final: Grounding
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Final:
    """The last event of an answer. `token_ids` is the whole completion, markers included.

    stop_text: the one of the request's texts that ended it, if one did.
    """

    finish: Finish
    usage: Usage
    token_ids: tuple[int, ...]
    thinking: Thinking | None = None
    vote: Election | None = None
    choice: int = 0
    stop_text: str | None = None
    evidence: Evidence | None = None
    study: Study | None = None


Event = Score | Delta | Ballot | Step | Final

"""The methods of test-time scaling: what each puts into a request, and how replies are scored.

One class a method, one table `AnyMethod`. Tokens and their cost are counted alike for all, from
what a reply says of its usage. After s1 (arXiv 2501.19393, section 3).
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from training.evaluate.settings import MAIN, Options, Proof, Request, Setting, Tally
from training.stages import Section

Many = Field(min_length=1)
Caps = Annotated[tuple[NonNegativeInt, ...], Many]
Counts = Annotated[tuple[PositiveInt, ...], Many]
Share = Annotated[float, Field(gt=0, lt=1)]


class Method(Section):
    """What all methods may say. `name` tells a method apart that a sweep lists twice."""

    method: str
    name: str | None = None
    server: str = MAIN
    temperature: NonNegativeFloat = 0.0

    def settings(self, common: Options) -> Iterator[Setting]:
        """common: the fields that every request to this server has."""
        raise NotImplementedError

    def _named(self, text: str) -> str:
        return f"{self.name}: {text}" if self.name else text

    def _request(
        self, name: str, common: Options, proof: Proof | None = "thinking", **fields: Any
    ) -> Request:
        options = {**common, "temperature": self.temperature, **fields}
        return Request(self._named(name), self.method, options, self.server, proof)

    def _thinking(
        self, name: str, common: Options, thinking: Options, *, most: float = float("inf")
    ) -> Setting:
        """One reply to each question, with this in its field `thinking`."""
        request = self._request(name, common, thinking=thinking)
        return Setting(request.name, self._named(self.method), request, most=most)


class Own(Method):
    """As long as the model likes."""

    method: Literal["own"]

    def settings(self, common: Options) -> Iterator[Setting]:
        request = self._request("own length", common, None)
        yield Setting(request.name, self._named(self.method), request)


class Budget(Method):
    """Budget forcing: thinking ends at a cap."""

    method: Literal["budget"]
    limits: Caps

    def settings(self, common: Options) -> Iterator[Setting]:
        for limit in self.limits:
            thinking = {"budget_tokens": limit}
            yield self._thinking(f"budget {limit}", common, thinking, most=limit)


class Waits(Method):
    """Budget forcing the other way: ends of thinking are replaced by "Wait"."""

    method: Literal["waits"]
    waits: Counts

    def settings(self, common: Options) -> Iterator[Setting]:
        for waits in self.waits:
            yield self._thinking(f"waits {waits}", common, {"waits": waits})


class _Sampled(Method):
    """Replies drawn by seed and kept each by itself. Majority and any share them."""

    samples: PositiveInt = Field(le=1000)
    temperature: Annotated[float, Field(gt=0)] = 1.0

    def _setting(self, name: str, common: Options, samples: int, tally: Tally) -> Setting:
        request = self._request("sampled", common, None)
        method = self._named(self.method)
        return Setting(self._named(name), method, request, samples, tally, parallel=True)


class Majority(_Sampled):
    """Of samples of any server, tallied here: the first 1, 2, 4, … of the same ones."""

    method: Literal["majority"]

    def settings(self, common: Options) -> Iterator[Setting]:
        single = f"one sample at T = {self.temperature:g}"
        yield self._setting(single, common, self.samples, "single")
        doublings = {2**power for power in range(1, self.samples.bit_length())}
        for votes in sorted((doublings | {self.samples}) - {1}):
            yield self._setting(f"majority of {votes}", common, votes, "majority")


class Any_(_Sampled):  # noqa: N801 - it is not typing's
    """pass@n: whether any of n samples is right, the ceiling of every vote over them."""

    method: Literal["any"]

    def settings(self, common: Options) -> Iterator[Setting]:
        yield self._setting(f"any of {self.samples}", common, self.samples, "any")


class Vote(Method):
    """The server's own vote, which may end before all samples are drawn."""

    method: Literal["vote"]
    n: Counts
    stops: Annotated[tuple[Literal["never", "unbeatable", "confident"], ...], Many] = ("confident",)
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    min_samples: PositiveInt = 3
    weight: Literal["count", "confidence"] = "count"
    answer: str | dict[str, Any] = "auto"
    temperature: Annotated[float, Field(gt=0)] = 1.0

    def settings(self, common: Options) -> Iterator[Setting]:
        for stop in self.stops:
            method = self._named(f"vote, {stop}")
            for n in self.n:
                vote: Options = {"n": n, "stop": stop, "weight": self.weight, "answer": self.answer}
                if stop == "confident":
                    vote |= {"confidence": self.confidence, "min_samples": self.min_samples}
                request = self._request(f"vote of {n}, {stop}", common, "vote", vote=vote)
                yield Setting(request.name, method, request, parallel=True)


class _Conditional(Method):
    """A limit that the prompt tells a model trained to heed it; then also as a cap (+ BF)."""

    limits: Counts
    forced: bool = Field(True, description="each limit again, with a budget that enforces it")

    def _limited(self, common: Options, tokens: int) -> Iterator[Setting]:
        """tokens: thinking tokens that a limit of 1 stands for."""
        for forced in (False, True)[: 1 + self.forced]:
            kind = f"{self.method} + budget" if forced else self.method
            for limit in self.limits:
                most = limit * tokens
                control = {"method": self.method, "limit": limit}
                thinking = {"control": control, **({"budget_tokens": most} if forced else {})}
                request = self._request(f"{kind} {limit}", common, thinking=thinking)
                yield Setting(request.name, self._named(kind), request, most=most)


class Tokens(_Conditional):
    """Token-conditional control (TCC)."""

    method: Literal["tokens"]

    def settings(self, common: Options) -> Iterator[Setting]:
        yield from self._limited(common, 1)


class Steps(_Conditional):
    """Step-conditional control (SCC); a step is taken to be `step_tokens` long."""

    method: Literal["steps"]
    step_tokens: PositiveInt

    def settings(self, common: Options) -> Iterator[Setting]:
        yield from self._limited(common, self.step_tokens)


class Class(Method):
    """Class-conditional control (CCC): a short thought is asked for, or a long one.

    budgets: caps by class; each gives a further setting.
    """

    method: Literal["class"]
    lengths: Annotated[tuple[Literal["short", "long"], ...], Many] = ("short", "long")
    budgets: dict[Literal["short", "long"], NonNegativeInt] = Field({})

    def settings(self, common: Options) -> Iterator[Setting]:
        for length in self.lengths:
            control = {"method": "class", "length": length}
            yield self._thinking(f"class {length}", common, {"control": control})
        for length, limit in self.budgets.items():
            control = {"method": "class", "length": length}
            thinking = {"control": control, "budget_tokens": limit}
            request = self._request(f"class {length} + budget {limit}", common, thinking=thinking)
            yield Setting(request.name, self._named("class + budget"), request, most=limit)


class Rejection(Method):
    """Samples are drawn again until one thinks within the limit (RS)."""

    method: Literal["rejection"]
    limits: Counts
    attempts: PositiveInt = 16
    temperature: Annotated[float, Field(gt=0)] = 1.0

    def settings(self, common: Options) -> Iterator[Setting]:
        for limit in self.limits:
            control = {"method": "rejection", "limit": limit, "attempts": self.attempts}
            yield self._thinking(f"rejection {limit}", common, {"control": control}, most=limit)


class Adaptive(Method):
    """Thinking ends when the answer so far, asked for every so many tokens, stays the same.

    waits: end attempts that are replaced as long as it does not; `probe_every` "wait" asks at each
    of these alone.
    """

    method: Literal["adaptive"]
    waits: NonNegativeInt = 0
    confidences: Annotated[tuple[Share, ...], Many]
    probe_every: Annotated[tuple[PositiveInt | Literal["wait"], ...], Many] = (32,)

    def settings(self, common: Options) -> Iterator[Setting]:
        for every in self.probe_every:
            for confidence in self.confidences:
                thinking = {"type": "adaptive", "confidence": confidence, "probe_every": every}
                name = f"adaptive {confidence:g}, every {every}"
                if self.waits:
                    thinking["waits"] = self.waits
                    name = f"{name}, waits {self.waits}"
                yield self._thinking(name, common, thinking)


AnyMethod = Annotated[
    Own | Budget | Waits | Majority | Any_ | Vote | Tokens | Steps | Class | Rejection | Adaptive,
    Field(discriminator="method"),
]

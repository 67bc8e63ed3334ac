"""Every name under which clients send a thinking budget, resolved into one config.

Explicit tokens come before an effort, an effort before the server's default; the server's ceiling
is over all. What contradicts itself is a 400 that names the fields.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from decoding.policies import (
    AdaptiveConfig,
    BudgetConfig,
    Disabled,
    ThinkingConfig,
    answer_share,
)
from server.config import NO_CAP, Settings
from server.errors import InvalidRequest
from server.schema.controls import AnyControl, RejectionFields

Value = TypeVar("Value", bool, int, str)

EffortName = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def longest_thought(settings: Settings, room: int) -> int:
    """Tokens that a thought without a cap has of the `room` of its completion."""
    return _under_ceiling(settings, max(0, room - answer_share(room, settings.answer_reserve)))


def _under_ceiling(settings: Settings, tokens: int) -> int:
    ceiling = settings.thinking_ceiling
    return tokens if ceiling == NO_CAP else min(tokens, ceiling)


class ThinkingFields(Strict):
    """Bide's own field, the whole of budget forcing. Anthropic's forms are a part of it."""

    type: Literal["enabled", "disabled", "adaptive"] = "enabled"
    budget_tokens: int | None = Field(None, ge=NO_CAP, strict=True)
    min_tokens: int = Field(0, ge=0, strict=True)
    waits: int = Field(0, ge=0, le=64, strict=True)
    wait: str | list[str] = "Wait"
    end_text: str = Field("", max_length=4096)
    answer_prefix: str | None = Field(None, max_length=4096)
    soft_window: int = Field(0, ge=0, strict=True)
    confidence: float | None = Field(None, gt=0, lt=1)
    probe_every: Annotated[int, Field(ge=1, strict=True)] | Literal["wait"] | None = None
    control: AnyControl | None = None

    def adapted(self, budget: BudgetConfig) -> BudgetConfig | AdaptiveConfig:
        """Raises InvalidRequest for what belongs to adaptive thinking alone."""
        if self.type == "adaptive":
            return self._adaptive(budget)
        for name in ("confidence", "probe_every"):
            if (value := getattr(self, name)) is not None:
                field = f"thinking.{name}"
                raise InvalidRequest(
                    f'{field}: {value}, but thinking.type is {self.type!r}, not "adaptive"', field
                )
        return budget

    def _adaptive(self, budget: BudgetConfig) -> AdaptiveConfig:
        """Waits that are asked for are what the probes decide on, unless tokens are named.

        Two whole passes that agree say more than two moments of one.
        """
        if self.probe_every == "wait" or (self.probe_every is None and self.waits):
            return AdaptiveConfig(budget, self.confidence or 0.5, None)
        return AdaptiveConfig(budget, self.confidence or 0.9, self.probe_every or 64)


class ReasoningFields(Strict):
    """OpenRouter's `reasoning`."""

    effort: EffortName | None = None
    max_tokens: int | None = Field(None, ge=NO_CAP, strict=True)
    exclude: bool = False
    enabled: bool | None = None


class CustomParams(Strict):
    """SGLang's `custom_params`."""

    thinking_budget: int | None = Field(None, ge=NO_CAP, strict=True)


class ThinkingAliases(Strict):
    """The fields of a chat request that speak of thinking."""

    thinking: ThinkingFields | None = None
    reasoning_effort: EffortName | None = None
    reasoning: ReasoningFields | None = None
    thinking_token_budget: int | None = Field(None, ge=NO_CAP, strict=True)
    thinking_budget_tokens: int | None = Field(None, ge=NO_CAP, strict=True)
    reasoning_budget_tokens: int | None = Field(None, ge=NO_CAP, strict=True)
    thinking_budget: int | None = Field(None, ge=NO_CAP, strict=True)
    thinkingBudget: int | None = Field(None, ge=NO_CAP, strict=True)  # noqa: N815 - Gemini's name
    custom_params: CustomParams | None = None
    enable_thinking: bool | None = None
    chat_template_kwargs: dict[str, Any] = {}

    @property
    def template_arguments(self) -> dict[str, Any]:
        """What is left of `chat_template_kwargs` for the template itself."""
        ours = ("enable_thinking", "thinking", "thinking_budget")
        arguments = {k: v for k, v in self.chat_template_kwargs.items() if k not in ours}
        effort = self.reasoning_effort or (self.reasoning.effort if self.reasoning else None)
        return {"reasoning_effort": effort, **arguments} if effort else arguments

    @property
    def exclude_reasoning(self) -> bool:
        return self.reasoning is not None and self.reasoning.exclude

    @property
    def speak(self) -> bool:
        """Whether any of them says something, for APIs whose default is not to think."""
        claims = (*self._budgets().values(), *self._switches().values(), *self._efforts().values())
        return any(claim is not None for claim in claims)

    @property
    def thinks(self) -> bool:
        """Whether to think at all. Raises InvalidRequest where fields disagree on it."""
        switches = self._switches()
        if self._agree(self._efforts(), "the effort") == "none":
            switches[_named(self._efforts())] = False
        if self._agree(switches, "whether to think") is not False:
            return True
        self._refuse_thoughts()
        return False

    def config(
        self, settings: Settings, max_tokens: int | None, room: int, *, bound: bool = False
    ) -> ThinkingConfig:
        """The one config that all fields together mean.

        max_tokens: what the request says of its whole completion; room: the most it may be;
        bound: whether a grammar binds the answer, which then has no prefix.
        Raises InvalidRequest where fields contradict each other.
        """
        if not self.thinks:
            return Disabled()
        own = self.thinking or ThinkingFields()
        if bound and own.answer_prefix:
            field = "thinking.answer_prefix"
            raise InvalidRequest(f"{field}: a bound answer has nothing before it", field)
        budget = BudgetConfig(
            budget_tokens=self._budget(settings, max_tokens, room),
            min_tokens=own.min_tokens,
            waits=own.waits,
            wait=(own.wait,) if isinstance(own.wait, str) else tuple(own.wait),
            end_text=own.end_text,
            answer_prefix="" if bound else own.answer_prefix,
            soft_window=own.soft_window,
        )
        return own.adapted(budget)

    def control(self, temperature: float) -> AnyControl | None:
        """What else is to control the thinking. Raises InvalidRequest where it could not."""
        control = self.thinking.control if self.thinking else None
        if not isinstance(control, RejectionFields):
            return control
        if temperature == 0:
            raise InvalidRequest(
                "temperature: rejection needs one above 0; at 0 every attempt is the same",
                "temperature",
            )
        budget = self._agree(self._budgets(), "the thinking budget")
        if budget is not None and NO_CAP < budget <= control.limit:
            raise InvalidRequest(
                f"thinking.control.limit: {control.limit} rejects nothing; it should be less than "
                f"{_named(self._budgets())}, {budget}",
                "thinking.control.limit",
            )
        return control

    def _budget(self, settings: Settings, max_tokens: int | None, room: int) -> int | None:
        """The cap in tokens, None for none."""
        explicit = self._agree(self._budgets(), "the thinking budget")
        effort = self._agree(self._efforts(), "the effort")
        most = longest_thought(settings, room)
        if explicit is None:
            budget = settings.efforts[effort] if effort else settings.thinking_budget  # type: ignore[index]
        elif max_tokens is not None and explicit >= max_tokens:
            field = _named(self._budgets())
            raise InvalidRequest(
                f"{field}: {explicit} must be less than max_tokens, {max_tokens}", field
            )
        else:
            budget = explicit
        if budget == NO_CAP:
            return None if settings.thinking_ceiling == NO_CAP else most
        # A budget beside an explicit max_tokens is taken at its word; else the context bounds it.
        if explicit is None or max_tokens is None:
            return min(budget, most)
        return _under_ceiling(settings, budget)

    def _budgets(self) -> dict[str, int | None]:
        own, router, custom = self.thinking, self.reasoning, self.custom_params
        inner = self.chat_template_kwargs.get("thinking_budget")
        if inner is not None and (type(inner) is not int or inner < NO_CAP):
            name = "chat_template_kwargs.thinking_budget"
            raise InvalidRequest(f"{name}: should be a whole number of at least -1", name)
        return {
            "thinking.budget_tokens": own.budget_tokens if own else None,
            "reasoning.max_tokens": router.max_tokens if router else None,
            "thinking_token_budget": self.thinking_token_budget,
            "thinking_budget_tokens": self.thinking_budget_tokens,
            "reasoning_budget_tokens": self.reasoning_budget_tokens,
            "thinking_budget": self.thinking_budget,
            "thinkingBudget": self.thinkingBudget,
            "custom_params.thinking_budget": custom.thinking_budget if custom else None,
            "chat_template_kwargs.thinking_budget": inner,
        }

    def _switches(self) -> dict[str, bool | None]:
        switches: dict[str, bool | None] = {
            "thinking.type": self.thinking.type != "disabled" if self.thinking else None,
            "reasoning.enabled": self.reasoning.enabled if self.reasoning else None,
            "enable_thinking": self.enable_thinking,
        }
        for key in ("enable_thinking", "thinking"):
            name = f"chat_template_kwargs.{key}"
            value = self.chat_template_kwargs.get(key)
            if value is not None and not isinstance(value, bool):
                raise InvalidRequest(f"{name}: should be true or false", name)
            switches[name] = value
        return switches

    def _efforts(self) -> dict[str, str | None]:
        return {
            "reasoning_effort": self.reasoning_effort,
            "reasoning.effort": self.reasoning.effort if self.reasoning else None,
        }

    @staticmethod
    def _agree(claims: dict[str, Value | None], subject: str) -> Value | None:
        """The one value that is claimed; raises where two fields claim different ones."""
        made = {name: value for name, value in claims.items() if value is not None}
        if len(set(made.values())) > 1:
            one, a = next(iter(made.items()))
            other, b = next((name, value) for name, value in made.items() if value != a)
            raise InvalidRequest(
                f"{one} and {other} contradict each other on {subject}: {a} and {b}", other
            )
        return next(iter(made.values()), None)

    def _refuse_thoughts(self) -> None:
        """With thinking off, nothing may ask for some."""
        own = self.thinking or ThinkingFields()
        explicit = self._agree(self._budgets(), "the thinking budget")
        if explicit not in (None, 0):
            field = _named(self._budgets())
            raise InvalidRequest(f"{field}: {explicit}, but thinking is off", field)
        for name in sorted(own.model_fields_set - {"type", "budget_tokens"}):
            if getattr(own, name):
                field = f"thinking.{name}"
                raise InvalidRequest(f"{field} is given, but thinking is off", field)


def _named(claims: dict[str, Any]) -> str:
    """The first field that claims anything."""
    return next(name for name, value in claims.items() if value is not None)

"""Every alias of a thinking budget means what its users think it means."""

from contextlib import nullcontext
from typing import Any

import pytest

from decoding.controls import ClassControl, Control, RejectionControl, StepControl, TokenControl
from decoding.policies import AdaptiveConfig, BudgetConfig, Disabled
from server.config import Settings
from server.errors import InvalidRequest
from server.schema.thinking import ThinkingAliases

SETTINGS = Settings(answer_reserve=64)
ROOM = 100_000


def config(
    fields: dict[str, Any],
    settings: Settings = SETTINGS,
    max_tokens: int | None = None,
    room: int = ROOM,
) -> Any:
    return ThinkingAliases.model_validate(fields).config(settings, max_tokens, room)


@pytest.mark.parametrize(
    "fields",
    [
        {"thinking": {"type": "enabled", "budget_tokens": 300}},
        {"reasoning": {"max_tokens": 300}},
        {"thinking_token_budget": 300},
        {"thinking_budget_tokens": 300},
        {"reasoning_budget_tokens": 300},
        {"thinking_budget": 300},
        {"thinkingBudget": 300},
        {"custom_params": {"thinking_budget": 300}},
        {"chat_template_kwargs": {"thinking_budget": 300}},
        {"thinking_budget": 300, "thinkingBudget": 300},
        {"thinking_budget": 300, "reasoning_effort": "high"},
    ],
)
def test_a_budget_by_any_name(fields: dict[str, Any]) -> None:
    assert config(fields) == BudgetConfig(budget_tokens=300)


@pytest.mark.parametrize(
    "fields",
    [
        {"thinking": {"type": "disabled"}},
        {"reasoning_effort": "none"},
        {"reasoning": {"effort": "none"}},
        {"reasoning": {"enabled": False}},
        {"enable_thinking": False},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"chat_template_kwargs": {"thinking": False}},
        {"enable_thinking": False, "thinking_budget": 0},
    ],
)
def test_off_by_any_name(fields: dict[str, Any]) -> None:
    assert config(fields) == Disabled()


def test_nothing_said_is_the_servers_default() -> None:
    assert config({}) == BudgetConfig()
    assert config({}, Settings(thinking_budget=50)) == BudgetConfig(budget_tokens=50)


def test_minus_one_is_no_cap_and_nought_ends_at_once() -> None:
    settings = Settings(thinking_budget=50)
    assert config({"thinking_budget": -1}, settings) == BudgetConfig(budget_tokens=None)
    assert config({"thinking_budget": 0}, settings) == BudgetConfig(budget_tokens=0)


@pytest.mark.parametrize(("effort", "tokens"), [("low", 1024), ("medium", 8192), ("high", 24576)])
def test_efforts_are_budgets(effort: str, tokens: int) -> None:
    assert config({"reasoning_effort": effort}).budget_tokens == tokens
    assert config({"reasoning": {"effort": effort}}).budget_tokens == tokens


def test_an_effort_leaves_room_for_the_answer() -> None:
    assert config({"reasoning_effort": "high"}, room=1000).budget_tokens == 1000 - 64


def test_the_ceiling_is_over_all() -> None:
    settings = Settings(thinking_ceiling=100)
    for fields in (
        {},
        {"thinking_budget": 300},
        {"thinking_budget": -1},
        {"reasoning_effort": "max"},
    ):
        assert config(fields, settings).budget_tokens == 100
    assert config({"thinking_budget": 70}, settings).budget_tokens == 70


def test_a_ceiling_over_a_short_completion_leaves_room_for_the_answer() -> None:
    settings = Settings(thinking_ceiling=1000, answer_reserve=64)
    assert config({}, settings, max_tokens=100, room=100).budget_tokens == 50
    assert config({}, settings, max_tokens=300, room=300).budget_tokens == 300 - 64


def test_all_of_budget_forcing() -> None:
    fields = {
        "budget_tokens": 99,
        "min_tokens": 5,
        "waits": 2,
        "wait": ["Wait", "Hmm"],
        "end_text": " Enough.",
        "answer_prefix": "Final Answer:",
        "soft_window": 9,
    }
    expected = BudgetConfig(99, 5, 2, ("Wait", "Hmm"), " Enough.", "Final Answer:", 9)
    assert config({"thinking": fields}) == expected


def test_adaptive_thinking_is_within_a_budget_by_any_name() -> None:
    adaptive = {"type": "adaptive", "confidence": 0.75, "probe_every": 16, "min_tokens": 5}
    expected = AdaptiveConfig(BudgetConfig(budget_tokens=300, min_tokens=5), 0.75, 16)
    assert config({"thinking": adaptive, "thinking_budget": 300}) == expected
    assert config({"thinking": {"type": "adaptive"}}) == AdaptiveConfig()
    assert config({"thinking": {"type": "adaptive"}, "reasoning_effort": "low"}) == AdaptiveConfig(
        BudgetConfig(budget_tokens=1024)
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"thinking": {"type": "adaptive"}, "enable_thinking": False}, "enable_thinking"),
        ({"thinking": {"confidence": 0.5}}, "thinking.confidence"),
        ({"thinking_budget": 1, "thinkingBudget": 2}, "thinkingBudget"),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "reasoning.effort"),
        ({"enable_thinking": True, "reasoning_effort": "none"}, "reasoning_effort"),
        ({"enable_thinking": False, "thinking": {"type": "enabled"}}, "enable_thinking"),
        ({"enable_thinking": False, "thinking_budget": 5}, "thinking_budget"),
        (
            {"enable_thinking": False, "chat_template_kwargs": {"enable_thinking": True}},
            "chat_template_kwargs.enable_thinking",
        ),
        (
            {"chat_template_kwargs": {"thinking_budget": "9"}},
            "chat_template_kwargs.thinking_budget",
        ),
        ({"chat_template_kwargs": {"enable_thinking": 1}}, "chat_template_kwargs.enable_thinking"),
    ],
)
def test_contradictions_name_a_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        config(fields)
    assert raised.value.param == param


def test_the_template_gets_its_own_arguments_and_the_effort() -> None:
    aliases = ThinkingAliases.model_validate(
        {
            "reasoning_effort": "low",
            "chat_template_kwargs": {"enable_thinking": True, "tone": "dry"},
        }
    )
    assert aliases.template_arguments == {"reasoning_effort": "low", "tone": "dry"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"method": "tokens", "limit": 256}, TokenControl(256)),
        ({"method": "steps", "limit": 8}, StepControl(8)),
        ({"method": "class", "length": "long"}, ClassControl("long")),
        ({"method": "rejection", "limit": 64}, RejectionControl(64, 16)),
        ({"method": "rejection", "limit": 64, "attempts": 2}, RejectionControl(64, 2)),
    ],
)
def test_controls(fields: dict[str, Any], expected: Control) -> None:
    aliases = ThinkingAliases.model_validate({"thinking": {"control": fields}})
    control = aliases.control(temperature=1.0)
    assert control is not None
    assert control.config() == expected
    assert aliases.config(SETTINGS, None, ROOM) == BudgetConfig()


def test_no_control_unless_asked_for() -> None:
    for fields in ({}, {"thinking": {"waits": 1}}, {"reasoning_effort": "low"}):
        assert ThinkingAliases.model_validate(fields).control(temperature=0) is None


def test_an_instruction_goes_with_greedy_decoding_and_any_budget() -> None:
    fields = {"budget_tokens": 128, "control": {"method": "tokens", "limit": 128}}
    aliases = ThinkingAliases.model_validate({"thinking": fields})
    control = aliases.control(temperature=0)
    assert control is not None
    assert control.config() == TokenControl(128)
    assert aliases.config(SETTINGS, None, ROOM) == BudgetConfig(budget_tokens=128)


def test_a_budget_must_leave_rejection_something_to_reject() -> None:
    rejection = {"thinking": {"control": {"method": "rejection", "limit": 64}}}
    for budget, refused in ((64, True), (0, True), (65, False), (-1, False)):
        aliases = ThinkingAliases.model_validate({**rejection, "thinking_budget": budget})
        with pytest.raises(InvalidRequest) if refused else nullcontext() as raised:
            aliases.control(temperature=1.0)
        if raised is not None:
            assert raised.value.param == "thinking.control.limit"
            assert f"thinking_budget, {budget}" in raised.value.message

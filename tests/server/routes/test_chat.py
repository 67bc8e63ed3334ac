"""Chat completions with the official client, over a scripted engine."""

import asyncio
import json
from typing import Any

import pytest
from httpx import Response
from openai import APIStatusError, BadRequestError, NotFoundError

from decoding.seeds import derived
from server.errors import EngineUnavailable
from tests.scripted import ScriptedEngine, hashed
from tests.server.serving import CHAT_SCOPE, Served, saying, served, small_family

QUESTION: Any = [{"role": "user", "content": "How many r in raspberry?"}]
THOUGHT = "r r\nSo it's 2.\n</think>"
SECOND = ", let me spell it.\nr1,a,s,p,b,e,r2,r3,y\nI had 2, now 3. So it's 3.\n</think>"
ANSWER = "\nThe answer is 3.<|end|>"


def parts_of(response: Response) -> list[Any]:
    lines = response.text.strip().split("\n\n")[:-1]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def thinking_of(response: Response, stream: bool) -> Any:
    if not stream:
        return response.json()["choices"][0]["thinking"]
    choices = [choice for part in parts_of(response) for choice in part["choices"]]
    return choices[-1]["thinking"]


async def test_a_forced_answer_with_the_details_of_its_thinking() -> None:
    async with served(saying(THOUGHT, SECOND, ANSWER)) as server:
        reply = await server.openai.chat.completions.create(
            model="small", messages=QUESTION, extra_body={"thinking": {"waits": 1}}
        )
    choice: Any = reply.choices[0]
    assert choice.message.content == "The answer is 3."
    assert choice.message.reasoning == choice.message.reasoning_content
    assert choice.message.reasoning.startswith("r r\nSo it's 2.\nWait, let me spell it.")
    assert choice.finish_reason == "stop"
    assert choice.thinking["waits"] == 1
    assert choice.thinking["end"] == "natural"
    assert [each["text"] for each in choice.thinking["injected"]] == ["Wait"]
    usage: Any = reply.usage
    details = usage.completion_tokens_details
    assert details.reasoning_tokens == choice.thinking["tokens"]
    assert (details.injected_tokens, details.discarded_tokens) == (1, 1)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert server.state.admission.running == 0


async def test_a_stream_says_the_same_in_pieces() -> None:
    async with served(saying(THOUGHT, SECOND, ANSWER)) as server:
        stream = await server.openai.chat.completions.create(
            model="small",
            messages=QUESTION,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"thinking": {"waits": 1}},
        )
        chunks: list[Any] = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    reasoning = "".join(getattr(delta, "reasoning", None) or "" for delta in deltas)
    content = "".join(delta.content or "" for delta in deltas)
    assert reasoning.endswith("So it's 3.\n")
    assert "think>" not in reasoning + content
    assert content == "The answer is 3."
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-2].choices[0].thinking["waits"] == 1
    assert chunks[-1].usage.completion_tokens_details.injected_tokens == 1


async def test_the_thinking_is_off() -> None:
    engine = saying("The answer is 3.<|end|>")
    async with served(engine) as server:
        response = await server.chat(thinking={"type": "disabled"})
    choice = response.json()["choices"][0]
    assert choice["message"]["content"] == "The answer is 3."
    assert choice["message"]["reasoning"] is None
    assert choice["thinking"]["end"] == "disabled"
    prompt = small_family().codec.decode(engine.calls[0].token_ids)
    assert prompt.endswith("<|assistant|>\n<think>\n</think>\n")


async def test_a_budget_of_nothing_writes_what_the_template_does_for_no_thinking() -> None:
    off, nothing = saying("The answer is 3.<|end|>"), saying("The answer is 3.<|end|>")
    async with served(off) as one, served(nothing) as other:
        await one.chat(thinking={"type": "disabled"})
        await other.chat(thinking={"budget_tokens": 0})
    assert off.calls[0].token_ids == nothing.calls[0].token_ids


async def test_excluded_reasoning_is_counted_but_not_shown() -> None:
    async with served(saying(THOUGHT, ANSWER)) as server:
        body = (await server.chat(reasoning={"exclude": True})).json()
    assert body["choices"][0]["message"]["reasoning"] is None
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0


@pytest.mark.parametrize(
    ("control", "sentence"),
    [
        ({"method": "tokens", "limit": 256}, "Think for up to 256 tokens."),
        ({"method": "steps", "limit": 8}, "Think for up to 8 steps."),
        ({"method": "class", "length": "short"}, "Think for a short amount of time."),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_length_is_asked_for_in_the_prompt(
    control: dict[str, Any], sentence: str, stream: bool
) -> None:
    engine = saying(THOUGHT, ANSWER)
    async with served(engine) as server:
        response = await server.chat(thinking={"control": control}, stream=stream)
    prompt = small_family().codec.decode(engine.calls[0].token_ids)
    assert prompt == f"<|user|>\nHow many r in raspberry?\n{sentence}\n<|assistant|>\n<think>\n"
    assert "Think for" not in response.text
    assert thinking_of(response, stream)["control"] == control


@pytest.mark.parametrize("stream", [False, True])
async def test_a_thought_over_its_limit_is_drawn_again(stream: bool) -> None:
    engine = saying(SECOND, THOUGHT, ANSWER)
    control = {"method": "rejection", "limit": 12, "attempts": 3}
    options = {"include_usage": True} if stream else None
    async with served(engine) as server:
        response = await server.chat(
            thinking={"control": control}, stream=stream, stream_options=options, seed=3
        )
    thinking = thinking_of(response, stream)
    assert thinking["control"] == {**control, "attempts_used": 2}
    assert (thinking["end"], thinking["tokens"]) == ("natural", len(engine.calls[1].produced) - 1)
    assert "spell" not in response.text
    body = parts_of(response)[-1] if stream else response.json()
    usage = body["usage"]
    assert len(engine.calls[0].produced) == 13
    assert usage["completion_tokens_details"]["discarded_tokens"] == 13
    drawn = sum(len(call.produced) for call in engine.calls)
    assert usage["completion_tokens"] + 13 == drawn


async def test_a_thought_that_never_fits_is_cut_and_says_so() -> None:
    control = {"method": "rejection", "limit": 12, "attempts": 2}
    async with served(saying(SECOND, SECOND, ANSWER)) as server:
        body = (await server.chat(thinking={"control": control})).json()
    thinking = body["choices"][0]["thinking"]
    assert thinking["control"] == {**control, "attempts_used": 2}
    assert (thinking["end"], thinking["tokens"], thinking["budget_tokens"]) == ("budget", 12, 12)
    assert body["choices"][0]["message"]["content"] == "The answer is 3."


async def test_the_last_user_message_is_the_one_that_asks() -> None:
    engine = saying(THOUGHT, ANSWER)
    messages = [*QUESTION, {"role": "assistant", "content": "3"}, *QUESTION]
    body = {"messages": messages, "thinking": {"control": {"method": "tokens", "limit": 64}}}
    async with served(engine) as server:
        await server.http.post("/v1/chat/completions", json=body)
    prompt = small_family().codec.decode(engine.calls[0].token_ids)
    assert prompt.count("Think for") == 1
    assert prompt.endswith("raspberry?\nThink for up to 64 tokens.\n<|assistant|>\n<think>\n")


async def test_an_instruction_needs_a_user_message() -> None:
    messages = [{"role": "system", "content": "Hi"}]
    body = {"messages": messages, "thinking": {"control": {"method": "tokens", "limit": 64}}}
    async with served(saying()) as server:
        response = await server.http.post("/v1/chat/completions", json=body)
    assert response.status_code == 400
    assert "there is none" in response.json()["error"]["message"]


async def test_choices_have_seeds_of_their_own() -> None:
    family = small_family()
    engine = ScriptedEngine(family, hashed(family.codec.encode("abc </think><|end|>")))
    async with served(engine) as server:
        body = (await server.chat(n=3, seed=7, max_tokens=200)).json()
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert {derived(7, "choice", i) for i in range(3)} <= {c.sampling.seed for c in engine.calls}
    total = sum(len(call.produced) for call in engine.calls)
    usage = body["usage"]
    details = usage["completion_tokens_details"]
    generated = usage["completion_tokens"] - details["injected_tokens"]
    assert generated + details["discarded_tokens"] == total


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"thinkin": 3}, "thinkin", "unknown field"),
        ({"thinking": {"budget": 3}}, "thinking.budget", "unknown field"),
        ({"thinking": {"budget_tokens": -2}}, "thinking.budget_tokens", "greater than or equal"),
        ({"thinking": {"budget_tokens": 5, "min_tokens": 9}}, "thinking.min_tokens", "budget of 5"),
        ({"thinking": {"wait": ""}}, "thinking.wait", "none of them empty"),
        ({"thinking": {"type": "disabled", "waits": 1}}, "thinking.waits", "thinking is off"),
        (
            {"max_tokens": 9, "thinking": {"budget_tokens": 9}},
            "thinking.budget_tokens",
            "must be less than max_tokens",
        ),
        ({"thinking": {"control": {}}}, "thinking.control", "tokens, steps, class, rejection"),
        ({"thinking": {"control": {"method": "magic"}}}, "thinking.control", "tokens, steps"),
        ({"thinking": {"control": "tokens"}}, "thinking.control", "tokens, steps"),
        (
            {"thinking": {"control": {"method": "tokens", "limit": 0}}},
            "thinking.control.limit",
            "greater than or equal to 1",
        ),
        (
            {"thinking": {"control": {"method": "steps", "limit": "8"}}},
            "thinking.control.limit",
            "valid integer",
        ),
        (
            {"thinking": {"control": {"method": "class", "length": "medium"}}},
            "thinking.control.length",
            "'short' or 'long'",
        ),
        (
            {"thinking": {"control": {"method": "tokens", "limit": 8, "attempts": 2}}},
            "thinking.control.attempts",
            "unknown field",
        ),
        (
            {"thinking": {"control": {"method": "rejection", "limit": 8}}, "temperature": 0},
            "temperature",
            "above 0",
        ),
        (
            {"thinking": {"control": {"method": "rejection", "limit": 90}}, "max_tokens": 90},
            "thinking.control.limit",
            "needs max_tokens of at least",
        ),
        (
            {"thinking": {"control": {"method": "rejection", "limit": 8}, "budget_tokens": 8}},
            "thinking.control.limit",
            "less than thinking.budget_tokens, 8",
        ),
        (
            {"thinking": {"control": {"method": "rejection", "limit": 8}, "min_tokens": 9}},
            "thinking.min_tokens",
            "which control.limit sets",
        ),
        (
            {"thinking": {"type": "disabled", "control": {"method": "tokens", "limit": 8}}},
            "thinking.control",
            "thinking is off",
        ),
        ({"max_tokens": 9, "max_completion_tokens": 8}, "max_completion_tokens", "contradict"),
        ({"max_tokens": 5000}, "max_tokens", "than the"),
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"logit_bias": {"99999": 1}}, "logit_bias", "no token 99999"),
        ({"top_logprobs": 3}, "top_logprobs", "needs logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "less than or equal to 20"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": [{"role": "wizard", "content": ""}]}, "messages[0].role", "'user'"),
        ({"stop": [""]}, "stop", "none of them empty"),
    ],
)
async def test_what_is_wrong_is_named(body: dict[str, Any], param: str, says: str) -> None:
    async with served(saying()) as server:
        response = await server.chat(**body)
    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert says in error["message"]


async def test_a_body_that_is_no_json() -> None:
    async with served(saying()) as server:
        json_type = {"Content-Type": "application/json"}
        response = await server.http.post("/v1/chat/completions", content="{", headers=json_type)
    assert response.status_code == 400
    assert "not JSON" in response.json()["error"]["message"]


async def test_the_clients_own_exceptions() -> None:
    async with served(saying()) as server:
        create = server.openai.chat.completions.create
        with pytest.raises(BadRequestError, match="waits"):
            await create(
                model="small",
                messages=QUESTION,
                extra_body={"thinking": {"type": "disabled", "waits": 2}},
            )
        with pytest.raises(NotFoundError, match="there is no 'gpt'"):
            await create(model="gpt", messages=QUESTION)


class DyingEngine(ScriptedEngine):
    async def generate(self, *arguments: Any) -> Any:
        async for chunk in super().generate(*arguments):
            yield chunk
            raise EngineUnavailable("the engine has stopped")


async def test_an_engine_that_dies_is_a_clean_error() -> None:
    family = small_family()
    engine = DyingEngine(family, hashed(family.codec.encode("ab")))
    async with served(engine) as server:
        with pytest.raises(APIStatusError) as raised:
            await server.openai.chat.completions.create(model="small", messages=QUESTION)
        assert raised.value.status_code == 503
        assert raised.value.code == "engine_unavailable"
        assert int(raised.value.response.headers["retry-after"]) > 0
        voted = await server.chat(vote={"n": 4, "max_concurrency": 2})
        assert voted.status_code == 503
        streamed = await server.chat(stream=True)
        assert server.state.admission.running == 0
    last = streamed.text.strip().split("\n\n")[-1]
    assert json.loads(last.removeprefix("data: "))["error"]["message"] == "the engine has stopped"


async def leave_midway(server: Served, body: dict[str, Any], after_messages: int) -> None:
    """Call the app as a server would, and disconnect once it has sent that many messages."""
    sent = asyncio.Semaphore(0)
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            content = json.dumps({"messages": QUESTION, **body}).encode()
            return {"type": "http.request", "body": content, "more_body": False}
        for _ in range(after_messages):
            await sent.acquire()
        async with asyncio.timeout(5):
            await server.engine.called.wait()
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        sent.release()

    async with asyncio.timeout(5):
        await server.app(dict(CHAT_SCOPE), receive, send)


@pytest.mark.parametrize(("stream", "after"), [(True, 3), (False, 0)])
async def test_a_client_that_leaves_aborts_its_engine_call(stream: bool, after: int) -> None:
    async with served(saying(THOUGHT, stalls=True)) as server:
        await leave_midway(server, {"stream": stream}, after)
        assert [call.aborted for call in server.engine.calls] == [True]
        assert server.state.admission.running == 0


async def test_a_reply_can_be_sent_back_as_it_came() -> None:
    engine = saying(THOUGHT, ANSWER, THOUGHT, ANSWER)
    async with served(engine) as server:
        create = server.openai.chat.completions.create
        reply = await create(model="small", messages=QUESTION)
        echoed: Any = [*QUESTION, reply.choices[0].message.model_dump(), *QUESTION]
        again = await create(model="small", messages=echoed)
    assert again.choices[0].message.content == "The answer is 3."
    prompt = small_family().codec.decode(engine.calls[2].token_ids)
    assert "<|assistant|>\nThe answer is 3.<|end|>\n<|user|>\n" in prompt

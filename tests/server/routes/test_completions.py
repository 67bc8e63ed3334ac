"""Completions of raw prompts with the official client, over a scripted engine."""

from typing import Any

import pytest

from decoding.seeds import derived
from tests.scripted import ScriptedEngine, hashed
from tests.server.routes.test_chat import parts_of
from tests.server.serving import saying, served, small_family

PROMPT = "1+1="


def ids(text: str) -> list[int]:
    return small_family().codec.encode(text)


def told(choice: Any) -> tuple[str, str]:
    return choice.text, choice.finish_reason


async def test_a_raw_prompt_is_continued() -> None:
    engine = saying("<think>\nr</think>\n2<|end|>")
    async with served(engine) as server:
        reply = await server.openai.completions.create(model="small", prompt=PROMPT)
    assert told(reply.choices[0]) == ("<think>\nr</think>\n2", "stop")
    assert engine.calls[0].token_ids == tuple(ids(PROMPT))
    assert engine.calls[0].sampling.max_tokens == 16
    assert reply.usage is not None
    assert reply.usage.total_tokens == len(ids(PROMPT)) + len(engine.calls[0].produced)


async def test_each_prompt_is_answered() -> None:
    async with served(saying("2<|end|>", "4<|end|>")) as server:
        reply = await server.openai.completions.create(model="small", prompt=["1+1=", "2+2="])
    assert [(choice.index, choice.text) for choice in reply.choices] == [(0, "2"), (1, "4")]


@pytest.mark.parametrize("stream", [False, True])
async def test_each_prompt_has_its_own_choices(stream: bool) -> None:
    family = small_family()
    engine = ScriptedEngine(family, hashed(family.codec.encode("abc")))
    prompts = [ids("a"), ids("bc")]
    async with served(engine) as server:
        options: Any = {"include_usage": True} if stream else None
        reply: Any = await server.openai.completions.create(
            model="small",
            prompt=prompts,
            n=2,
            seed=7,
            max_tokens=4,
            stream=stream,
            stream_options=options,
        )
        if stream:
            chunks = [chunk async for chunk in reply]
            usage = chunks[-1].usage
            texts = ["", "", "", ""]
            for chunk in chunks[:-1]:
                texts[chunk.choices[0].index] += chunk.choices[0].text
        else:
            usage, texts = reply.usage, [choice.text for choice in reply.choices]
    asked = [(list(call.token_ids), call.sampling.seed) for call in engine.calls]
    seeds = [derived(derived(7, "choice", i), "call", 0) for i in (0, 1)]
    assert asked == [(prompt, seed) for prompt in prompts for seed in seeds]
    assert [len(ids(text)) for text in texts] == [4, 4, 4, 4]
    assert texts == [family.codec.decode(call.produced) for call in engine.calls]
    assert (usage.prompt_tokens, usage.completion_tokens) == (3, 16)


async def test_log_probabilities_of_what_was_drawn() -> None:
    async with served(saying("2<|end|>")) as server:
        reply: Any = await server.openai.completions.create(
            model="small", prompt=PROMPT, logprobs=2
        )
    logprobs = reply.choices[0].logprobs
    assert logprobs.tokens == ["2"]
    assert logprobs.token_logprobs == [-1.0]
    assert logprobs.top_logprobs == [{"2": -1.0, "?": -2.0}]
    assert logprobs.text_offset == [0]


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("said", ["2", "<|end|>"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_is_scored_as_lm_eval_asks_for_it(
    more: int, said: str, stream: bool
) -> None:
    body = {
        "prompt": [ids(PROMPT)],
        "temperature": 0,
        "max_tokens": more,
        "logprobs": 1,
        "seed": 1234,
        "echo": True,
        "stream": stream,
    }
    async with served(saying(said)) as server:
        response = await server.http.post("/v1/completions", json=body)
    choices = (
        [part["choices"][0] for part in parts_of(response)]
        if stream
        else response.json()["choices"]
    )
    lists = [choice["logprobs"] for choice in choices]
    scores = [each for told in lists for each in told["token_logprobs"]]
    tops = [each for told in lists for each in told["top_logprobs"]]
    pieces = [each for told in lists for each in told["tokens"]]
    assert len(scores) == len(tops) == len(pieces) == len(ids(PROMPT)) + more
    assert (scores[0], tops[0]) == (None, None)
    assert all(score == max(top.values()) for score, top in zip(scores[1:], tops[1:], strict=True))
    assert "".join(pieces) == "".join(choice["text"] for choice in choices) == PROMPT + said * more
    assert choices[-1]["finish_reason"] == ("stop" if said * more == "<|end|>" else "length")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_is_said_again(stream: bool) -> None:
    async with served(saying("2<|end|>")) as server:
        body = {"prompt": PROMPT, "echo": True, "stream": stream}
        response = await server.http.post("/v1/completions", json=body)
    parts = parts_of(response) if stream else [response.json()]
    assert "".join(part["choices"][0]["text"] for part in parts) == "1+1=2"


async def test_nothing_but_the_prompt_needs_no_engine() -> None:
    engine = saying()
    async with served(engine) as server:
        reply = await server.openai.completions.create(
            model="small", prompt=PROMPT, echo=True, max_tokens=0
        )
    assert told(reply.choices[0]) == (PROMPT, "length")
    assert not engine.calls


@pytest.mark.parametrize("stream", [False, True])
async def test_a_thought_that_the_prompt_opened_has_a_budget(stream: bool) -> None:
    engine = saying("r1, r2, r3", "\n3<|end|>")
    async with served(engine) as server:
        body = {
            "prompt": "How many r in raspberry?\n<think>\n",
            "max_tokens": 30,
            "thinking": {"budget_tokens": 4},
            "stream": stream,
        }
        response = await server.http.post("/v1/completions", json=body)
    parts = parts_of(response) if stream else [response.json()]
    choices = [part["choices"][0] for part in parts]
    assert "".join(choice["text"] for choice in choices) == "3"
    assert len(ids("".join(choice.get("reasoning", "") for choice in choices))) == 4
    assert choices[-1]["thinking"]["end"] == "budget"


async def test_the_server_bounds_the_choices() -> None:
    async with served(saying(), max_n=2) as server:
        response = await server.http.post("/v1/completions", json={"prompt": PROMPT, "n": 3})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "n")


async def test_the_client_reads_an_error() -> None:
    async with served(saying()) as server:
        response = await server.http.post("/v1/completions", json={"prompt": PROMPT, "model": "x"})
    assert (response.status_code, response.json()["error"]["param"]) == (404, "model")


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({"best_of": 3}, "best_of", "should be n, 1"),
        ({"suffix": "x"}, "suffix", "None"),
        ({"max_tokens": 0}, "max_tokens", "without echo"),
        ({"max_tokens": 5000}, "max_tokens", "than the"),
        ({"echo": True, "logprobs": 1}, "max_tokens", "0 or 1"),
        ({"logprobs": 6}, "logprobs", "less than or equal to 5"),
        ({"prompt": ""}, "prompt", "a token at least"),
        ({"prompt": [99999]}, "prompt", "no token 99999"),
        ({"prompt": "r" * 9000}, "prompt", "prompt: "),
        ({"prompt": []}, "prompt", "at least 1"),
        ({"thinking": {"budget_tokens": 3}}, "prompt", "end in <think>"),
        ({"prompt": "<think>", "echo": True, "thinking": {}}, "echo", "thinking"),
        (
            {"prompt": "<think>", "thinking": {"control": {"method": "steps", "limit": 2}}},
            "thinking.control",
            "has none",
        ),
        ({"prompt": "<think>", "thinking_budget": 16}, "thinking_budget", "less than max_tokens"),
        ({"enable_thinking": False, "thinking_budget": 9}, "thinking_budget", "thinking is off"),
        ({"chat_template_kwargs": {"a": 1}}, "chat_template_kwargs", "no template"),
        ({"vote": {"n": 2}}, "vote", "unknown field"),
    ],
)
async def test_what_is_wrong_is_named(body: dict[str, Any], param: str, says: str) -> None:
    async with served(saying()) as server:
        response = await server.http.post("/v1/completions", json={"prompt": PROMPT, **body})
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, param)
    assert says in error["message"]

"""The clients that people have, unchanged, against the shipped checkpoint."""

import json
import math
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel, Field

from tests.real.conftest import RealServer

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("default"),  # theirs are not ours to mend
]

QUESTION = "How many r in raspberry?"
MESSAGES: Any = [{"role": "user", "content": QUESTION}]
BUDGET = 256
"""Thinking tokens, said by each API under a name of its own."""
LIMIT = 400


class Count(BaseModel):
    number: int = Field(ge=0, le=9)
    sure: bool


class spell(BaseModel):  # noqa: N801 - a function's name
    """Spell a word."""

    word: str = Field(max_length=12)


PARAMETERS: Any = {
    "type": "object",
    "properties": {"word": {"type": "string", "enum": ["raspberry", "plum"]}},
    "required": ["word"],
    "additionalProperties": False,
}
TOOL: Any = {"type": "function", "function": {"name": "spell", "parameters": PARAMETERS}}
NAMED: Any = {"type": "function", "function": {"name": "spell"}}


@pytest.fixture(scope="module")
def claude(server: RealServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def answer(server: RealServer) -> str:
    """What a chat says to the question, greedily."""
    reply = server.openai.chat.completions.create(
        model=server.model.name,
        messages=MESSAGES,
        temperature=0,
        max_completion_tokens=LIMIT,
        extra_body={"thinking_token_budget": BUDGET},
    )
    text = reply.choices[0].message.content
    assert text
    return text


def is_a_word(arguments: str) -> bool:
    found = json.loads(arguments)
    return found.keys() == {"word"} and found["word"] in ("raspberry", "plum")


class TestOpenAI:
    def test_a_chat_streamed(self, server: RealServer, answer: str) -> None:
        with server.openai.chat.completions.stream(
            model=server.model.name,
            messages=MESSAGES,
            temperature=0,
            max_completion_tokens=LIMIT,
            stream_options={"include_usage": True},
            extra_body={"thinking_token_budget": BUDGET},
        ) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        assert final.choices[0].message.content == answer
        assert final.usage is not None
        assert final.usage.completion_tokens > 0

    async def test_a_chat_from_an_event_loop(self, server: RealServer, answer: str) -> None:
        async with server.async_openai as client:
            stream = await client.chat.completions.create(
                model=server.model.name,
                messages=MESSAGES,
                temperature=0,
                max_completion_tokens=LIMIT,
                stream=True,
                extra_body={"thinking_token_budget": BUDGET},
            )
            said = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(said) == answer

    def test_a_completion_of_the_chats_own_prompt(self, server: RealServer, answer: str) -> None:
        tokens = server.openai.post(
            f"{server.url}/tokenize", body={"messages": MESSAGES}, cast_to=dict[str, Any]
        )["tokens"]
        asked: Any = {
            "model": server.model.name,
            "prompt": tokens,
            "temperature": 0,
            "max_tokens": LIMIT,
            "extra_body": {"thinking_token_budget": BUDGET},
        }
        assert server.openai.completions.create(**asked).choices[0].text == answer
        stream = server.openai.completions.create(**asked, stream=True)
        assert "".join(chunk.choices[0].text for chunk in stream) == answer

    def test_a_response(self, server: RealServer, answer: str) -> None:
        reply = server.openai.responses.create(
            model=server.model.name,
            input=QUESTION,
            temperature=0,
            max_output_tokens=LIMIT,
            store=False,
            include=["reasoning.encrypted_content"],
            extra_body={"thinking_token_budget": BUDGET},
        )
        assert reply.output_text == answer
        assert [item.type for item in reply.output] == ["reasoning", "message"]

    async def test_a_response_streamed(self, server: RealServer, answer: str) -> None:
        async with (
            server.async_openai as client,
            client.responses.stream(
                model=server.model.name,
                input=QUESTION,
                temperature=0,
                max_output_tokens=LIMIT,
                extra_body={"thinking_token_budget": BUDGET},
            ) as stream,
        ):
            said = [e.delta async for e in stream if e.type == "response.output_text.delta"]
            final = await stream.get_final_response()
        assert "".join(said) == final.output_text == answer

    def test_a_response_is_sent_back(self, server: RealServer) -> None:
        create = server.openai.responses.create
        asked: Any = {"model": server.model.name, "max_output_tokens": 300}
        first = create(**asked, input=QUESTION)
        turns: Any = [*MESSAGES, *first.output, {"role": "user", "content": "And in plum?"}]
        assert create(**asked, input=turns).output

    def test_a_parsed_chat(self, server: RealServer) -> None:
        reply = server.openai.chat.completions.parse(
            model=server.model.name, messages=MESSAGES, response_format=Count
        )
        assert isinstance(reply.choices[0].message.parsed, Count)

    def test_a_parsed_response(self, server: RealServer) -> None:
        reply = server.openai.responses.parse(
            model=server.model.name, input=QUESTION, text_format=Count
        )
        assert isinstance(reply.output_parsed, Count)

    def test_a_strict_tool_is_called(self, server: RealServer) -> None:
        """As `parse` makes it of a class: `strict` is true."""
        reply = server.openai.chat.completions.parse(
            model=server.model.name,
            messages=MESSAGES,
            tools=[openai.pydantic_function_tool(spell)],
            tool_choice="required",
            parallel_tool_calls=False,
        )
        calls = reply.choices[0].message.tool_calls or []
        assert all(isinstance(call.function.parsed_arguments, spell) for call in calls)
        assert calls

    def test_a_strict_tool_that_may_be_called(self, server: RealServer) -> None:
        """What is written as a call is one that parses, however unlikely the model finds it."""
        opening = server.openai.post(
            f"{server.url}/tokenize",
            body={"prompt": "<tool_call>", "add_special_tokens": False},
            cast_to=dict[str, Any],
        )["tokens"]
        reply = server.openai.chat.completions.create(
            model=server.model.name,
            messages=MESSAGES,
            tools=[{**TOOL, "function": {**TOOL["function"], "strict": True}}],
            max_tokens=300,
            logit_bias={str(token): 12 for token in opening},
            extra_body={"enable_thinking": False},
        )
        for call in reply.choices[0].message.tool_calls or []:
            assert call.type == "function"
            assert is_a_word(call.function.arguments)

    def test_a_named_tool_of_a_response(self, server: RealServer) -> None:
        with server.openai.responses.stream(
            model=server.model.name,
            input=QUESTION,
            tools=[{"type": "function", "name": "spell", "parameters": PARAMETERS, "strict": True}],
            tool_choice={"type": "function", "name": "spell"},
        ) as stream:
            for _ in stream:
                pass
            final = stream.get_final_response()
        (call,) = [item for item in final.output if item.type == "function_call"]
        assert is_a_word(call.arguments)

    def test_errors_are_the_clients_own(self, server: RealServer) -> None:
        with pytest.raises(openai.NotFoundError):
            server.openai.chat.completions.create(model="another", messages=MESSAGES)
        with pytest.raises(openai.BadRequestError):
            server.openai.responses.create(model=server.model.name, input=[])

    def test_models(self, server: RealServer) -> None:
        (model,) = server.openai.models.list()
        assert server.openai.models.retrieve(model.id) == model


class TestAnthropic:
    def test_a_message(self, server: RealServer, claude: anthropic.Anthropic, answer: str) -> None:
        reply = claude.messages.create(
            model=server.model.name,
            messages=MESSAGES,
            max_tokens=LIMIT,
            extra_body={"temperature": 0, "thinking_token_budget": BUDGET},
        )
        thought, text = reply.content
        assert thought.type == "thinking"
        assert text.type == "text"
        assert text.text == answer
        assert reply.stop_reason == "end_turn"

    def test_a_message_streamed(
        self, server: RealServer, claude: anthropic.Anthropic, answer: str
    ) -> None:
        with claude.messages.stream(
            model=server.model.name,
            messages=MESSAGES,
            max_tokens=1200,
            thinking={"type": "enabled", "budget_tokens": 1024},
            extra_body={"temperature": 0},
        ) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        assert text == final.content[-1].text  # type: ignore[union-attr]
        assert [block.type for block in final.content] == ["thinking", "text"]
        assert final.usage.output_tokens > 0

    def test_a_stop_sequence_is_named(
        self, server: RealServer, claude: anthropic.Anthropic, answer: str
    ) -> None:
        words = answer.split()
        reply = claude.messages.create(
            model=server.model.name,
            messages=MESSAGES,
            max_tokens=LIMIT,
            stop_sequences=["never said", words[1]],
            extra_body={"temperature": 0, "thinking_token_budget": BUDGET},
        )
        assert (reply.stop_reason, reply.stop_sequence) == ("stop_sequence", words[1])
        assert reply.content[-1].text == answer[: answer.index(words[1])]  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        "choice",
        [{"type": "any", "disable_parallel_tool_use": True}, {"type": "tool", "name": "spell"}],
    )
    def test_a_tool_and_its_result(
        self, server: RealServer, claude: anthropic.Anthropic, choice: Any
    ) -> None:
        tools: Any = [{"name": "spell", "input_schema": PARAMETERS}]
        asked: Any = {"model": server.model.name, "max_tokens": LIMIT, "tools": tools}
        with claude.messages.stream(**asked, messages=MESSAGES, tool_choice=choice) as stream:
            called = stream.get_final_message()
        assert called.stop_reason == "tool_use"
        block = next(each for each in called.content if each.type == "tool_use")
        assert is_a_word(json.dumps(block.input))
        result = {"type": "tool_result", "tool_use_id": block.id, "content": "p l u m"}
        turns: Any = [
            *MESSAGES,
            {"role": "assistant", "content": called.content},
            {"role": "user", "content": [result]},
        ]
        assert claude.messages.create(**asked, messages=turns).content

    def test_tokens_are_counted(self, server: RealServer, claude: anthropic.Anthropic) -> None:
        counted = claude.messages.count_tokens(model=server.model.name, messages=MESSAGES)
        reply = claude.messages.create(model=server.model.name, messages=MESSAGES, max_tokens=LIMIT)
        assert counted.input_tokens == reply.usage.input_tokens


class TestLangChain:
    def chat(self, server: RealServer, **fields: Any) -> Any:
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(
            model=server.model.name,
            base_url=f"{server.url}/v1",
            api_key="none",
            temperature=0,
            max_retries=0,
            max_tokens=LIMIT,
            extra_body={"thinking_token_budget": BUDGET},
            **fields,
        )

    @pytest.mark.parametrize("responses", [False, True])
    def test_it_asks_and_streams(self, server: RealServer, answer: str, responses: bool) -> None:
        chat = self.chat(server, use_responses_api=responses)
        assert chat.invoke(QUESTION).text == answer
        assert "".join(chunk.text for chunk in chat.stream(QUESTION)) == answer

    @pytest.mark.parametrize("responses", [False, True])
    @pytest.mark.parametrize("method", ["json_schema", "function_calling"])
    def test_structured_output(self, server: RealServer, method: str, responses: bool) -> None:
        chat = self.chat(server, use_responses_api=responses)
        assert isinstance(chat.with_structured_output(Count, method=method).invoke(QUESTION), Count)

    @pytest.mark.parametrize("responses", [False, True])
    @pytest.mark.parametrize("choice", ["required", "spell"])
    @pytest.mark.parametrize("strict", [None, True])
    def test_tools(
        self, server: RealServer, choice: str, responses: bool, strict: bool | None
    ) -> None:
        chat = self.chat(server, use_responses_api=responses)
        bound = chat.bind_tools([spell], tool_choice=choice, strict=strict)
        calls = bound.invoke(QUESTION).tool_calls
        assert {call["name"] for call in calls} == {"spell"}
        assert all(isinstance(call["args"]["word"], str) for call in calls)

    def test_tools_that_may_be_called(self, server: RealServer) -> None:
        for strict in (None, True):
            assert self.chat(server).bind_tools([spell], strict=strict).invoke(QUESTION)


@pytest.fixture(scope="module")
def litellm() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it asks the network
        import litellm

        yield litellm


class TestLiteLLM:
    @pytest.mark.parametrize(("provider", "base"), [("openai", "/v1"), ("anthropic", "")])
    @pytest.mark.parametrize("stream", [False, True])
    def test_it_asks_and_streams(
        self,
        server: RealServer,
        litellm: Any,
        answer: str,
        provider: str,
        base: str,
        stream: bool,
    ) -> None:
        reply = litellm.completion(
            f"{provider}/{server.model.name}",
            messages=MESSAGES,
            api_base=f"{server.url}{base}",
            api_key="none",
            temperature=0,
            max_tokens=LIMIT,
            stream=stream,
            thinking_token_budget=BUDGET,
        )
        if stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in reply)
        else:
            text = reply.choices[0].message.content
        assert text == answer

    @pytest.mark.parametrize(("provider", "base"), [("openai", "/v1"), ("anthropic", "")])
    def test_tools(self, server: RealServer, litellm: Any, provider: str, base: str) -> None:
        reply = litellm.completion(
            f"{provider}/{server.model.name}",
            messages=MESSAGES,
            api_base=f"{server.url}{base}",
            api_key="none",
            max_tokens=LIMIT,
            tools=[TOOL],
            tool_choice=NAMED,
        )
        (call,) = reply.choices[0].message.tool_calls
        assert is_a_word(call.function.arguments)


PROBLEMS = [("How many r in raspberry?", "3"), ("How many p in apple?", "2")]
"""A few, said here: lm-eval's own tasks come from the network."""


class TestLmEval:
    """Its models, asked as its tasks ask them."""

    def instances(self, kind: str, arguments: list[Any]) -> list[Any]:
        from lm_eval.api.instance import Instance

        return [Instance(kind, {}, each, number) for number, each in enumerate(arguments)]

    def completions(self, server: RealServer, **fields: Any) -> Any:
        from lm_eval.models.openai_completions import LocalCompletionsAPI

        return LocalCompletionsAPI(
            model=server.model.name,
            base_url=f"{server.url}/v1/completions",
            tokenizer=server.state.settings.model,
            max_retries=1,
            **fields,
        )

    def test_chats(self, server: RealServer) -> None:
        from lm_eval.models.openai_completions import LocalChatCompletion

        model = LocalChatCompletion(
            model=server.model.name,
            base_url=f"{server.url}/v1/chat/completions",
            max_retries=1,
            num_concurrent=2,
        )
        prompts = [
            model.apply_chat_template([{"role": "user", "content": question}])
            for question, _ in PROBLEMS
        ]
        asked = {"until": ["\n\n"], "max_gen_toks": 900, "do_sample": False, "temperature": 0}
        said = model.generate_until(
            self.instances("generate_until", [(prompt, asked) for prompt in prompts])
        )
        for text, (_, right) in zip(said, PROBLEMS, strict=True):
            assert text == f"The answer is {right}."

    @pytest.mark.parametrize("tokenized", [True, False])
    def test_completions(self, server: RealServer, tokenized: bool) -> None:
        model = self.completions(server, tokenized_requests=tokenized)
        prompts = [f"<|user|>\n{question}\n<|assistant|>\n" for question, _ in PROBLEMS]
        asked = {"until": ["</think>"], "max_gen_toks": 200}
        said = model.generate_until(
            self.instances("generate_until", [(prompt, dict(asked)) for prompt in prompts])
        )
        assert len(said) == len(PROBLEMS)
        assert all(said)

    @pytest.mark.parametrize(
        "fields",
        [{"tokenized_requests": True, "batch_size": 4}, {"tokenized_requests": False}],
    )
    def test_likelihoods(self, server: RealServer, fields: Any) -> None:
        """The right answer is the likelier one, and the one that greedy decoding would say."""
        model = self.completions(server, **fields)
        pairs = []
        for question, right in PROBLEMS:
            reply = server.openai.completions.create(
                model=server.model.name,
                prompt=f"<|user|>\n{question}\n<|assistant|>\n<think>\n",
                temperature=0,
                max_tokens=1000,
            )
            before, found, _ = reply.choices[0].text.rpartition(right)
            assert found
            context = f"<|user|>\n{question}\n<|assistant|>\n<think>\n{before.rstrip()}"
            gap = before[len(before.rstrip()) :]
            pairs += [(context, f"{gap}{right}"), (context, f"{gap}{int(right) + 4}")]
        scores = model.loglikelihood(self.instances("loglikelihood", pairs))
        for (right_score, greedy), (wrong_score, unlikely) in zip(
            scores[::2], scores[1::2], strict=True
        ):
            assert greedy
            assert not unlikely
            assert right_score > wrong_score


def test_a_score_is_what_drawing_the_same_tokens_told(server: RealServer) -> None:
    """Also of a prompt with an end of turn in it, and of the token after it."""
    complete = server.openai.completions.create
    prompt = server.openai.post(
        f"{server.url}/tokenize",
        body={"messages": [*MESSAGES, {"role": "assistant", "content": "Three."}, *MESSAGES]},
        cast_to=dict[str, Any],
    )["tokens"]
    ends = server.model.markers.turn_ends if server.model.markers else frozenset()
    assert ends & set(prompt)
    drawn = complete(
        model=server.model.name, prompt=prompt, max_tokens=24, temperature=0, logprobs=1
    )
    told = drawn.choices[0].logprobs
    assert told is not None
    tokens = [server.model.encode(each, special_tokens=False)[0] for each in told.tokens or []]
    scored = complete(
        model=server.model.name,
        prompt=prompt + tokens[:-1],
        max_tokens=1,
        temperature=0,
        logprobs=1,
        echo=True,
    )
    score = scored.choices[0].logprobs
    assert score is not None
    assert score.token_logprobs is not None
    assert told.token_logprobs is not None
    assert score.token_logprobs[0] is None
    assert len(score.token_logprobs) == len(prompt) + len(tokens)
    assert all(each <= 0 for each in score.token_logprobs[1:])
    same = score.token_logprobs[len(prompt) :]
    assert math.isclose(sum(same), sum(told.token_logprobs), abs_tol=1e-3)
    assert (score.tokens or [])[len(prompt) :] == told.tokens

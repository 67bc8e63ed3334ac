"""Spans of requests, programs and phases, by an exporter in memory."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from server.tracing import Tracing
from tests.server.routes.test_chat import leave_midway
from tests.server.routes.test_vote import drawn
from tests.server.serving import saying, served

THOUGHT, ANSWER = "r r\nSo it's 2.\n</think>", "\nThe answer is 2.<|end|>"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Tracing:
    return Tracing(SimpleSpanProcessor(exporter))


def children(spans: tuple[ReadableSpan, ...], parent: ReadableSpan) -> list[ReadableSpan]:
    """In the order in which they began."""
    assert parent.context is not None
    number = parent.context.span_id
    found = [span for span in spans if span.parent is not None and span.parent.span_id == number]
    return sorted(found, key=lambda span: span.start_time or 0)


def root_of(spans: tuple[ReadableSpan, ...]) -> ReadableSpan:
    (root,) = [span for span in spans if span.name.startswith("POST ")]
    return root


async def test_a_span_a_request_a_program_and_a_phase(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    async with served(saying(THOUGHT, THOUGHT, ANSWER), tracing=tracing) as server:
        response = await server.chat(thinking={"waits": 1})
    spans = exporter.get_finished_spans()
    root = root_of(spans)
    assert root.name == "POST /v1/chat/completions"
    facts: Any = root.attributes
    assert facts["http.response.status_code"] == 200
    assert facts["bide.request_id"] == response.headers["x-request-id"]
    (program,) = children(spans, root)
    phases = children(spans, program)
    assert [phase.name for phase in phases] == ["queue", "prefill", "think", "answer"]
    assert {event.name for event in phases[2].events} == {"inject"}
    of_program: Any = program.attributes
    assert (of_program["bide.thinking.waits"], of_program["bide.aborted"]) == (1, False)


async def test_a_vote_has_a_program_a_sample(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    async with served(drawn(), tracing=tracing) as server:
        await server.chat(vote={"n": 3, "stop": "never"}, stream=True)
    spans = exporter.get_finished_spans()
    programs = children(spans, root_of(spans))
    assert [program.name for program in programs] == ["program"] * 3
    for program in programs:
        names = [phase.name for phase in children(spans, program)]
        assert names == ["queue", "prefill", "think", "answer"]


async def test_it_is_a_part_of_the_callers_trace(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    async with served(saying(), tracing=tracing) as server:
        await server.http.get("/v1/models", headers={"traceparent": f"00-{trace}-{parent}-01"})
    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == trace
    assert f"{span.parent.span_id:016x}" == parent


@pytest.mark.parametrize(("stream", "after"), [(True, 3), (False, 0)])
async def test_what_a_client_left_is_ended_and_says_so(
    stream: bool, after: int, tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    async with served(saying(THOUGHT, stalls=True), tracing=tracing) as server:
        await leave_midway(server, {"stream": stream}, after)
    spans = exporter.get_finished_spans()
    root: Any = root_of(spans).attributes
    (program,) = [span for span in spans if span.name == "program"]
    of_program: Any = program.attributes
    assert root["bide.client_left"] is True
    assert of_program["bide.aborted"] is True


async def test_no_text_is_in_a_span(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    async with served(saying(THOUGHT, ANSWER), tracing=tracing) as server:
        await server.chat(user="hunter2")
        await server.chat(temperature="hunter2")

        @server.app.get("/broken")
        async def broken() -> None:
            raise RuntimeError("hunter2")

        await server.http.get("/broken")
    spans = exporter.get_finished_spans()
    text = "".join(span.to_json() for span in spans)
    assert "raspberry" not in text
    assert "answer is" not in text
    assert "hunter2" not in text
    (broken_span,) = [span for span in spans if span.name == "GET /broken"]
    assert not broken_span.status.is_ok

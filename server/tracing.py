"""OpenTelemetry: a span a request, a span a program in it, and one a phase of the program."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from decoding.types import Delta, Event, Final, Phase
from server.exchange import Exchange

NAMES: dict[Phase, str] = {"reasoning": "think", "content": "answer"}
PARENT = TraceContextTextMapPropagator()


class Tracing:
    def __init__(self, processor: SpanProcessor) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": "bide"}))
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("bide")

    @classmethod
    def to(cls, endpoint: str) -> "Tracing":
        """endpoint: a collector's base URL, as OTEL_EXPORTER_OTLP_ENDPOINT would have it."""
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        return cls(BatchSpanProcessor(exporter))

    async def close(self) -> None:
        """Send what is left, in a thread of its own: the collector may be slow."""
        await asyncio.to_thread(self._provider.shutdown)

    @contextmanager
    def request(self, exchange: Exchange) -> Iterator[None]:
        """Of the caller's trace, if it sends a `traceparent`."""
        with self._tracer.start_as_current_span(
            exchange.method,
            context=PARENT.extract(dict(exchange.headers)),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": exchange.method,
                "bide.request_id": exchange.record.id,
            },
            # An exception's text may have a prompt in it.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            finally:
                span.update_name(f"{exchange.method} {exchange.route}")
                span.set_attribute("http.route", exchange.route)
                span.set_attribute("http.response.status_code", exchange.status)
                span.set_attribute("bide.client_left", exchange.abandoned)
                if exchange.status >= 500:
                    span.set_status(Status(StatusCode.ERROR))

    def watch(self, waited: float) -> "ProgramSpans":
        return ProgramSpans(self._tracer, waited)


class ProgramSpans:
    """The span of a program, with one child at a time: queue, think, answer."""

    def __init__(self, tracer: trace.Tracer, waited: float) -> None:
        self._tracer = tracer
        begun = time.time_ns() - int(waited * 1e9)
        self._program = tracer.start_span("program", start_time=begun)
        self._within = set_span_in_context(self._program)
        self._name, self._child = "queue", self._start("queue", begun)
        self._finished = False

    def admitted(self) -> None:
        self._child.end()
        # Which phase is first is known once it says something; it begins here all the same.
        self._name, self._child = "prefill", self._start("prefill")

    def see(self, event: Event) -> None:
        if isinstance(event, Delta):
            self._enter(NAMES[event.phase])
            if event.injected:
                self._child.add_event("inject", {"bide.tokens": len(event.token_ids)})
        elif isinstance(event, Final):
            self._finished = True
            self._program.set_attributes(_facts(event))

    def close(self) -> None:
        self._child.end()
        self._program.set_attribute("bide.aborted", not self._finished)
        self._program.end()

    def _enter(self, name: str) -> None:
        if name != self._name:
            self._child.end()
            self._name, self._child = name, self._start(name)

    def _start(self, name: str, begun: int | None = None) -> Span:
        return self._tracer.start_span(name, context=self._within, start_time=begun)


def _facts(final: Final) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "bide.finish": final.finish,
        "bide.tokens.prompt": final.usage.prompt,
        "bide.tokens.completion": final.usage.completion,
        "bide.tokens.reasoning": final.usage.reasoning,
    }
    if final.thinking is not None:
        facts["bide.thinking.end"] = final.thinking.end
        facts["bide.thinking.waits"] = final.thinking.waits
    return facts

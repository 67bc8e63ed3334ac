"""Prometheus metrics of requests, programs and thinking. docs/observability.md tells each."""

import time
from importlib.metadata import version

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import generate_latest

from decoding.types import Delta, Election, Event, Final
from server.admission import Admission
from server.errors import ApiError

LENGTHS = (0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
TOKEN_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class Metrics:
    def __init__(self, admission: Admission, model: str) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "bide_requests", "HTTP requests", ["route", "method", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "bide_request_duration_seconds",
            "From a request's headers to the end of its response",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "bide_requests_in_flight", "Requests without a whole response", registry=registry
        )
        self.abandoned = Counter(
            "bide_requests_abandoned", "Requests whose client left", ["route"], registry=registry
        )
        self.engine_up = Gauge(
            "bide_engine_up", "1 while the engine answers, else 0", registry=registry
        )
        build = Info("bide_build", "What is running", registry=registry)
        build.info({"version": version("bide"), "model": model})
        self.thinking = Histogram(
            "bide_thinking_tokens", "Length of a thought", buckets=LENGTHS, registry=registry
        )
        self.waits = Counter("bide_waits", "End attempts replaced", registry=registry)
        self.ends = Counter("bide_thinking_ends", "How thoughts ended", ["end"], registry=registry)
        self.probes = Counter("bide_probes", "Probes of adaptive thinking", registry=registry)
        self.probe_tokens = Counter(
            "bide_probe_tokens", "Tokens that probes said, all discarded", registry=registry
        )
        self.tokens = Counter("bide_tokens", "Tokens by phase", ["phase"], registry=registry)
        self.first_token = Histogram(
            "bide_time_to_first_token_seconds",
            "From the request to its first token, queueing included",
            buckets=SECONDS,
            registry=registry,
        )
        self.per_token = Histogram(
            "bide_time_per_token_seconds",
            "Mean over an answer, after its first token",
            buckets=TOKEN_SECONDS,
            registry=registry,
        )
        self.votes = Counter(
            "bide_votes", "Votes, by what ended them", ["stopped_by"], registry=registry
        )
        self.samples = Counter(
            "bide_vote_samples", "Samples of votes, by their fate", ["fate"], registry=registry
        )
        self.refusals = Counter(
            "bide_refusals", "Requests refused for want of room", ["reason"], registry=registry
        )
        self.queue_seconds = Histogram(
            "bide_queue_seconds",
            "From a request's arrival to its first place, or until it had enough of waiting",
            buckets=SECONDS,
            registry=registry,
        )
        queued = Gauge("bide_requests_queued", "Requests without a place", registry=registry)
        queued.set_function(lambda: admission.queued)
        running = Gauge("bide_programs_running", "Programs in the engine", registry=registry)
        running.set_function(lambda: admission.running)
        waiting = Gauge("bide_programs_waiting", "Programs waiting", registry=registry)
        waiting.set_function(lambda: admission.waiting)

    def watch(self, waited: float) -> "Watch":
        return Watch(self, waited)

    def refuse(self, refusal: ApiError) -> None:
        self.refusals.labels(refusal.code).inc()

    def see_vote(self, vote: Election) -> None:
        self.votes.labels(vote.stopped_by).inc()
        for fate, count in (
            ("voted", vote.finished - vote.abstained),
            ("abstained", vote.abstained),
            ("aborted", vote.aborted - vote.filtered),
            ("filtered", vote.filtered),
        ):
            self.samples.labels(fate).inc(count)

    def exposition(self) -> bytes:
        """Ours, then those that vLLM and Python keep in the default registry."""
        return generate_latest(self.registry) + generate_latest(REGISTRY)


class Watch:
    """Measures one program; an `Observer`."""

    def __init__(self, metrics: Metrics, waited: float) -> None:
        self._metrics = metrics
        self._begun = time.perf_counter() - waited
        self._first: float | None = None

    def admitted(self) -> None:
        """How long it waited is in its time to the first token."""

    def close(self) -> None:
        """One that was aborted says nothing of its length."""

    def see(self, event: Event) -> None:
        if isinstance(event, Delta):
            if self._first is None and not event.injected:
                self._first = time.perf_counter()
                self._metrics.first_token.observe(self._first - self._begun)
        elif isinstance(event, Final):
            self._finish(event)

    def _finish(self, final: Final) -> None:
        metrics, usage = self._metrics, final.usage
        kept = usage.generated - usage.discarded
        if self._first is not None and kept > 1:
            spent = time.perf_counter() - self._first
            metrics.per_token.observe(spent / (kept - 1))
        for phase, count in (
            ("prompt", usage.prompt),
            ("reasoning", usage.reasoning),
            ("content", usage.completion - usage.reasoning),
            ("injected", usage.injected),
            ("discarded", usage.discarded),
        ):
            metrics.tokens.labels(phase).inc(count)
        if final.thinking is not None:
            metrics.thinking.observe(final.thinking.tokens)
            metrics.waits.inc(final.thinking.waits)
            metrics.ends.labels(final.thinking.end).inc()
            metrics.probes.inc(len(final.thinking.probes))
            metrics.probe_tokens.inc(sum(probe.tokens for probe in final.thinking.probes))

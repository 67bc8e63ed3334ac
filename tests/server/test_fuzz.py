"""Schemathesis over the OpenAPI document: no 5xx, no hang, and nothing that the document denies.

BIDE_FUZZ_CASES: how many cases at least; a few by default.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.python import asgi

from server.keys_command import add
from tests.scripted import ScriptedEngine, hashed
from tests.server.serving import application, small_family

CASES = int(os.environ.get("BIDE_FUZZ_CASES", "0"))
QUICK = CASES == 0

CHECKS = {
    # A 400 is right for what fields say together: JSON Schema cannot say that two budgets
    # contradict each other, that a tool of that name is offered, or which checkpoints there are.
    "positive_data_acceptance": {"expected-statuses": ["2xx", 400, 404, 409]},
}


@dataclass
class Seen:
    cases: int = 0
    failures: set[str] = field(default_factory=set)
    answered: set[str | None] = field(default_factory=set)
    """Operations that were answered with what they are for."""

    def see(self, label: str | None, recorder: ScenarioRecorder) -> None:
        self.cases += len(recorder.interactions)
        responses = [each.response for each in recorder.interactions.values()]
        if any(response and response.status_code == 200 for response in responses):
            self.answered.add(label)
        for checks in recorder.checks.values():
            for check in checks:
                if check.failure_info:
                    failure = check.failure_info.failure
                    request = check.failure_info.code_sample[:1000]
                    self.failures.add(f"{failure.title}: {failure.message[:1000]}\n{request}")


@dataclass
class Fuzzed:
    app: FastAPI
    key: str

    def rounds(self) -> Iterator[Any]:
        """A round is the document's own edge cases, random ones, and sequences of them."""
        for seed in count():
            config = SchemathesisConfig.from_dict(
                {
                    "seed": seed,
                    "generation": {"max-examples": 4 if QUICK else 200},
                    "checks": CHECKS,
                    "headers": {"Authorization": f"Bearer {self.key}"},
                    "phases": {"coverage": {"enabled": not QUICK}},
                }
            )
            schema = schemathesis.openapi.from_asgi(
                "/openapi.json",
                self.app,
                config=config,
                headers={"Authorization": f"Bearer {self.key}"},
            )
            yield from from_schema(schema).execute()

    def run(self) -> Seen:
        seen = Seen()
        for event in self.rounds():
            if isinstance(event, events.ScenarioFinished):
                seen.see(event.label, event.recorder)
            elif isinstance(event, events.NonFatalError | events.FatalError):
                seen.failures.add(repr(event))
            elif isinstance(event, events.EngineFinished) and seen.cases >= CASES:
                return seen
        raise AssertionError("it never ends by itself")


@pytest.fixture
def fuzzed(tmp_path: Path) -> Iterator[Fuzzed]:
    """Its model has a small alphabet, and talks for as long as it is let."""
    file = tmp_path / "keys.toml"
    key = add(file, {"name": "root", "admin": True})
    family = small_family()
    alphabet = family.codec.encode("a1\n</think>") + sorted(family.turn_ends)
    engine = ScriptedEngine(family, hashed(alphabet), sizes=(16,))
    app, _ = application(engine, keys=file, allowed_hosts=[asgi.HOST])
    yield Fuzzed(app, key)
    asgi.shutdown_lifespans()


def test_no_case_breaks_the_server_or_its_document(fuzzed: Fuzzed) -> None:
    seen = fuzzed.run()
    assert not seen.failures, f"of {seen.cases} cases:\n\n" + "\n\n".join(sorted(seen.failures))
    operations = {
        f"{method.upper()} {path}"
        for path, methods in fuzzed.app.openapi()["paths"].items()
        for method in methods
    }
    # This server has no registry, and says so: what a load answers is tested where there is one.
    swaps = {"POST /v1/checkpoints/load", "POST /v1/checkpoints/rollback"}
    assert QUICK or operations - swaps <= seen.answered
    with asgi.get_client(fuzzed.app) as client:
        question = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 40}
        headers = {"Authorization": f"Bearer {fuzzed.key}"}
        reply = client.post("/v1/chat/completions", json=question, headers=headers)
    assert reply.status_code == 200

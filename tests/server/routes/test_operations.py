"""What operators look at."""

from tests.server.serving import saying, served


async def test_models() -> None:
    async with served(saying()) as server:
        models = await server.openai.models.list()
        one = await server.openai.models.retrieve("small")
        missing = await server.http.get("/v1/models/none")
    assert [model.id for model in models.data] == ["small"]
    assert one.model_dump()["markers"] == "bide"
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "model_not_found"


async def test_alive_is_not_ready() -> None:
    async with served(saying()) as well, served(saying(), condition="restarting") as ill:
        for server in (well, ill):
            assert (await server.http.get("/health")).status_code == 200
        ready, not_ready = [await each.http.get("/ready") for each in (well, ill)]
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert (not_ready.status_code, not_ready.json()) == (503, {"status": "restarting"})
    assert int(not_ready.headers["retry-after"]) > 0


async def test_metrics_count_tokens_by_phase_and_how_thoughts_ended() -> None:
    thought, answer = "r r\nSo it's 2.\n</think>", "\nThe answer is 2.<|end|>"
    async with served(saying(thought, thought, answer)) as server:
        usage = (await server.chat(thinking={"waits": 1})).json()["usage"]
        await server.chat(max_tokens=0)
        text = (await server.http.get("/metrics")).text
    details = usage["completion_tokens_details"]
    expected = {
        'bide_requests_total{method="POST",route="/v1/chat/completions",status="200"}': 1,
        'bide_requests_total{method="POST",route="/v1/chat/completions",status="400"}': 1,
        "bide_waits_total": 1,
        'bide_thinking_ends_total{end="natural"}': 1,
        'bide_tokens_total{phase="reasoning"}': details["reasoning_tokens"],
        'bide_tokens_total{phase="injected"}': 1,
        'bide_tokens_total{phase="discarded"}': 1,
        "bide_thinking_tokens_sum": details["reasoning_tokens"],
        "bide_time_to_first_token_seconds_count": 1,
        "bide_time_per_token_seconds_count": 1,
        "bide_programs_running": 0,
    }
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("bide_"))
    assert {name: float(found[name]) for name in expected} == expected


async def test_an_unknown_path_is_an_error_in_openais_shape() -> None:
    async with served(saying()) as server:
        response = await server.http.get("/v2/nothing")
    assert response.status_code == 404
    assert response.json()["error"]["message"] == "Not Found"

"""The judge's last score counts; where there is none, no reward is made up."""

import httpx
import pytest

from training.verifiers.judge import Judge, JudgeFailed


def judge(said: str, status: int = 200) -> Judge:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/chat/completions"
        message = {"message": {"content": said}}
        return httpx.Response(status, json={"choices": [message]})

    return Judge("http://judge/v1", "m", transport=httpx.MockTransport(answer))


def test_scores() -> None:
    assert judge("Right. Score: 10").verify("4", "4").score == 1
    assert judge("Score: 0? No.\nScore: 7").verify("4", "4").score == 0.7


def test_no_score_is_no_reward() -> None:
    with pytest.raises(JudgeFailed, match="no score"):
        judge("It is fine.").verify("4", "4")
    with pytest.raises(JudgeFailed, match="no answer"):
        judge("", 500).verify("4", "4")


def test_it_is_said_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BIDE_JUDGE_URL", raising=False)
    with pytest.raises(JudgeFailed, match="BIDE_JUDGE_URL"):
        Judge()

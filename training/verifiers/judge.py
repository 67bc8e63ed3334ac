"""A language model as judge, at any OpenAI-compatible server: BIDE_JUDGE_URL, _MODEL and _KEY."""

import os
import re

import httpx

from training.verifiers.verifier import Verdict

PROMPT = """\
A question's right answer and an answer to it follow. Is the answer right? Give reasons in a \
sentence, then end with a line that says "Score: " and a whole number from 0, quite wrong, to 10, \
quite right.

Right answer: {label}

Answer: {completion}"""
SCORE = re.compile(r"Score:\s*(10|\d)\b")


class JudgeFailed(RuntimeError):
    """The judge did not answer, or gave no score: no reward is made up for it."""


class Judge:
    def __init__(
        self,
        url: str | None = None,
        model: str | None = None,
        *,
        seconds: float = 60,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Raises JudgeFailed where it is not said which judge."""
        self._url = url or os.environ.get("BIDE_JUDGE_URL", "")
        self._model = model or os.environ.get("BIDE_JUDGE_MODEL", "")
        if not self._url:
            raise JudgeFailed("judge: BIDE_JUDGE_URL says no server")
        key = os.environ.get("BIDE_JUDGE_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(timeout=seconds, headers=headers, transport=transport)

    def verify(self, completion: str, label: str) -> Verdict:
        prompt = PROMPT.format(label=label, completion=completion)
        body = {"messages": [{"role": "user", "content": prompt}], "temperature": 0}
        named = {"model": self._model} if self._model else {}
        try:
            reply = self._http.post(f"{self._url}/chat/completions", json={**body, **named})
            reply.raise_for_status()
            said = str(reply.json()["choices"][0]["message"]["content"])
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            raise JudgeFailed(f"judge: no answer from {self._url}: {error!r}") from error
        found = SCORE.findall(said)
        if not found:
            raise JudgeFailed(f"judge: no score in {said[-80:]!r}")
        return Verdict(int(found[-1]) / 10, said)

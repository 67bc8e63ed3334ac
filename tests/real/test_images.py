"""A model that sees, on the real engine: each image is shown at every call, and where it stands."""

import base64
import io
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI
from PIL import Image

from tests.real import tiny_vision
from tests.real.process import address, start

pytestmark = pytest.mark.real

IMAGE = tiny_vision.PATCHES + 3
"""Tokens of a prompt that an image takes: two enclose its own, and one names it."""


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    folder: Path = tmp_path_factory.mktemp("seeing")
    tiny_vision.save(folder)
    markers = ["--think-start", "<think>", "--think-end", "</think>"]
    sizes = ["--kv-cache-gib", "0.05", "--max-images", "2", "--dtype", "float32"]
    model = ["--model", str(folder), "--served-name", "sees"]
    process = start(["--port", "0", "--log-level", "warning", *model, *sizes, *markers])
    try:
        yield OpenAI(base_url=f"{address(process)}/v1", api_key="none", max_retries=0)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def picture(colour: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def asked(client: OpenAI, *urls: str, **more: Any) -> Any:
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content: Any = [*shown, {"type": "text", "text": "How many?"}]
    return client.chat.completions.create(
        model="sees",
        messages=[{"role": "user", "content": content}],
        temperature=0,
        extra_body={"max_tokens": 24, "thinking": {"budget_tokens": 8}, **more},
    )


def test_what_is_shown_changes_what_is_said(seeing: OpenAI) -> None:
    red, blue, again = (asked(seeing, picture(colour)) for colour in ("red", "blue", "red"))
    assert red.choices[0].message == again.choices[0].message
    assert red.choices[0].message != blue.choices[0].message
    blind = asked(seeing)
    assert red.usage.prompt_tokens - blind.usage.prompt_tokens == IMAGE
    both = asked(seeing, picture("red"), picture("blue"))
    assert both.usage.prompt_tokens > red.usage.prompt_tokens


def test_the_answer_after_a_cut_thought_sees_it_too(seeing: OpenAI) -> None:
    red, blue = (asked(seeing, picture(colour)) for colour in ("red", "blue"))
    assert red.usage.completion_tokens_details.reasoning_tokens == 8
    assert red.choices[0].message.content != blue.choices[0].message.content


def test_other_apis(seeing: OpenAI) -> None:
    red = picture("red")
    part = {"type": "input_image", "image_url": red, "detail": "auto"}
    text = {"type": "input_text", "text": "How many?"}

    def responded(*content: Any) -> int:
        turn: Any = {"role": "user", "content": content}
        response = seeing.responses.create(model="sees", input=[turn], max_output_tokens=24)
        assert response.usage is not None
        return response.usage.input_tokens

    assert responded(part, text) - responded(text) == IMAGE
    source = {"type": "base64", "media_type": "image/png", "data": red.partition(",")[2]}

    def counted(*blocks: Any) -> int:
        url = f"{str(seeing.base_url).removesuffix('/v1/')}/v1/messages/count_tokens"
        turn = {"role": "user", "content": [*blocks, {"type": "text", "text": "How many?"}]}
        reply = httpx.post(url, json={"model": "sees", "messages": [turn]}).json()
        return int(reply["input_tokens"])

    assert counted({"type": "image", "source": source}) - counted() == IMAGE


@pytest.mark.parametrize(
    ("urls", "says"),
    [
        (["data:image/png;base64,AAAA"], "cannot be read as an image"),
        (["https://example.org/a.png"], "fetches no images from example.org"),
        (["file:///etc/passwd"], "should be a data: URL"),
        ([picture("red")] * 3, "3 images are more than this server's 2"),
    ],
)
def test_what_cannot_be_shown(seeing: OpenAI, urls: list[str], says: str) -> None:
    reply = httpx.post(
        f"{seeing.base_url}chat/completions",
        json={
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": url}} for url in urls],
                }
            ]
        },
    )
    error = reply.json()["error"]
    assert reply.status_code == 400
    assert error["param"] == f"messages[0].content[{len(urls) - 1}].image_url.url"
    assert says in error["message"]

import pytest
from pydantic import BaseModel

from server.errors import InvalidRequest
from server.schema.naming import ANY_MESSAGE, naming

NAMES = {
    ANY_MESSAGE: "input",
    "max_tokens": "max_output_tokens",
    r"(tools\[\d+\])\.function": r"\1",
}


@pytest.mark.parametrize(
    ("message", "param", "told", "own"),
    [
        (
            "max_tokens: 9 is much",
            "max_tokens",
            "max_output_tokens: 9 is much",
            "max_output_tokens",
        ),
        ("messages[2].content: no", "messages[2].content", "input: no", "input"),
        (
            "tools[1].function.name: no",
            "tools[1].function.name",
            "tools[1].name: no",
            "tools[1].name",
        ),
        ("reasoning.max_tokens: no", "reasoning.max_tokens", "reasoning.max_tokens: no", None),
        ("min_max_tokens: no", "min_max_tokens", "min_max_tokens: no", None),
    ],
)
def test_whole_names_alone_are_said_in_the_callers_words(
    message: str, param: str, told: str, own: str | None
) -> None:
    with pytest.raises(InvalidRequest) as raised, naming(NAMES):
        raise InvalidRequest(message, param, "a_code")
    assert (raised.value.message, raised.value.param) == (told, own or param)
    assert raised.value.code == "a_code"


def test_what_cannot_be_said_as_a_chat_is_the_callers_fault() -> None:
    class Chat(BaseModel):
        max_tokens: int

    with pytest.raises(InvalidRequest) as raised, naming(NAMES):
        Chat.model_validate({"max_tokens": "many"})
    assert raised.value.param == "max_output_tokens"
    assert raised.value.message.startswith("max_output_tokens: ")

"""What the document says of keys and refusals; a fuzzer holds the rest of it to the truth."""

from pathlib import Path

from server.keys_command import add
from tests.server.serving import application, saying


def test_no_operation_promises_a_422() -> None:
    app, _ = application(saying())
    document = app.openapi()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert {"200", "500"} <= operation["responses"].keys(), path
            assert "422" not in operation["responses"], path
            assert "security" not in operation, path
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_keys_are_told_of_where_they_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    add(file, {"name": "ann"})
    app, _ = application(saying(), keys=file)
    paths = app.openapi()["paths"]
    assert paths["/v1/chat/completions"]["post"]["security"] == [{"bearer": []}, {"x-api-key": []}]
    assert "security" not in paths["/health"]["get"]

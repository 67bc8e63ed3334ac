"""`bide index` reads what it can, says what it cannot, and sends what is not there."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from clients import index
from clients.admin import Admin
from clients.index import Document, Indexer, Unreadable, batches, documents, files, run


def pdf(text: str) -> bytes:
    """One page that says this."""
    said = f"BT /F1 9 Tf 9 9 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        (
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R"
            b"/Resources<</Font<</F1 5 0 R>>>>>>"
        ),
        b"<</Length %d>>stream\n%s\nendstream" % (len(said), said),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    made, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj%s endobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 6\n0000000000 65535 f \n%s" % table
    return made + head + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(made)


class Server:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.there: dict[str, str] = {}
        self.calls: list[str] = []
        self.created = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.calls.append(request.url.path)
        if request.url.path == "/v1/indexes":
            if self.created:
                error = {"message": "name: there is an index 'docs' already", "param": "name"}
                return httpx.Response(409, json={"error": error})
            self.created = True
            return httpx.Response(200, json={})
        if request.url.path.endswith("/missing"):
            known = self.there.items()
            missing = [
                name for name, digest in body["documents"].items() if (name, digest) not in known
            ]
            return httpx.Response(200, json={"missing": missing})
        self.there |= {each["id"]: each["digest"] for each in body["documents"]}
        return httpx.Response(200, json={"passages": 2 * len(body["documents"])})

    def indexer(self) -> Indexer:
        return Indexer(Admin("http://localhost", None, httpx.MockTransport(self)), "docs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "ulm.md").write_text("# The Ulm\n\nIt has 3 bridges.\n")
    (tmp_path / "plain.txt").write_text("Towers are high.")
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "code.py").write_text("no")
    (tmp_path / "rows.jsonl").write_text(
        '{"id": "r1", "title": "T", "text": "one"}\n\n{"text": "two"}\n'
    )
    (tmp_path / "paper.pdf").write_bytes(pdf("Ulm has bridges"))
    return tmp_path


def test_every_kind_is_read(folder: Path) -> None:
    found = [each for path in files(folder) for each in documents(path, folder)]
    assert [(each.id, each.title) for each in found] == [
        ("paper.pdf", "paper"),
        ("plain.txt", "plain"),
        ("r1", "T"),
        ("rows.jsonl:3", ""),
        ("sub/ulm.md", "The Ulm"),
    ]
    assert "Ulm has bridges" in found[0].text
    assert found[3].text == "two"


def test_what_is_there_is_not_sent_again(folder: Path) -> None:
    server, options = Server(), argparse.Namespace(folder=folder, name="docs")
    sent = run(options, server.indexer())
    assert (sent.added, sent.unchanged, sent.passages) == (5, 0, 10)
    (folder / "plain.txt").write_text("Towers are low.")
    again = run(options, server.indexer())
    assert (again.added, again.unchanged, again.passages) == (1, 4, 2)
    assert server.calls.count("/v1/indexes") == 2


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Document(str(i), "", "x" * 400_000) for i in range(5)]
    sizes = [len(batch) for batch in batches(iter(found))]
    assert sizes == [2, 2, 1]
    many = [Document(str(i), "", "x") for i in range(1200)]
    assert [len(batch) for batch in batches(iter(many))] == [500, 500, 200]
    assert list(batches(iter([]))) == []


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b'{"text": "a"}\n{', "a.jsonl:2: not JSON"),
        ("a.jsonl", b'{"title": "a"}', "a.jsonl:1: text: should be there"),
        ("a.jsonl", b"[]", "a.jsonl:1: text: should be there"),
        ("a.txt", b"\xff\xfe", "should be text in UTF-8"),
        ("a.pdf", b"no pdf", "cannot be read as a PDF"),
        ("a.py", b"", "there is no file of .md"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unreadable, match=says):
        _ = [each for path in files(tmp_path) for each in documents(path, tmp_path)]


def test_no_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments: list[Any] = ["bide index", str(folder), "--name", "x", "--url", "http://127.0.0.1:9"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert index.main() == 1
    assert "no answer from http://127.0.0.1:9" in capsys.readouterr().err

"""`bide index FOLDER`: text, Markdown, PDF and JSONL into an index of a running server.

What is there already, unchanged, is not sent again: a run that was ended goes on where it was.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from clients.admin import Admin
from clients.wire import BideError

CONFLICT = 409
KINDS = (".md", ".txt", ".jsonl", ".pdf")
BATCH_DOCUMENTS, BATCH_CHARACTERS = 500, 1 << 20
"""Of a call; a longer document goes alone."""
MOST_TITLE = 1000
"""Characters, which is the server's own limit."""


class Unreadable(Exception):
    """One line on a file, or a line of one, and what would be right."""


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    title: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.title}\0{self.text}".encode()).hexdigest()[:32]

    def body(self) -> dict[str, str]:
        return {"id": self.id, "title": self.title, "text": self.text, "digest": self.digest}


@dataclass(slots=True)
class Sent:
    """Documents: that were added, and that were there; passages of the added ones."""

    added: int = 0
    unchanged: int = 0
    passages: int = 0


def files(folder: Path) -> list[Path]:
    """Those that can be read, in order. Raises Unreadable where there are none."""
    found = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    kept = [each for each in found if each.is_file() and each.suffix.lower() in KINDS]
    if not kept:
        raise Unreadable(f"{folder}: there is no file of {', '.join(KINDS)}")
    return kept


def documents(path: Path, folder: Path) -> Iterator[Document]:
    """Of one file; empty ones have none. Raises Unreadable."""
    name = path.name if folder.is_file() else path.relative_to(folder).as_posix()
    if path.suffix.lower() == ".jsonl":
        yield from _rows(path, name)
        return
    text = _pdf(path) if path.suffix.lower() == ".pdf" else _text(path)
    if text.strip():
        yield Document(name, _title(path, text), text)


def batches(found: Iterator[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for each in found:
        if batch and (len(batch) == BATCH_DOCUMENTS or size + len(each.text) > BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += len(each.text)
    if batch:
        yield batch


class Indexer:
    """One index of a server. Every method raises BideError."""

    def __init__(self, admin: Admin, name: str) -> None:
        self._admin, self._name = admin, name
        self.sent = Sent()

    def create(self) -> None:
        """Unless it is there."""
        try:
            self._admin.ask("POST", "/v1/indexes", {"name": self._name})
        except BideError as error:
            if error.status != CONFLICT or error.param != "name" or "already" not in str(error):
                raise

    def send(self, batch: Sequence[Document]) -> None:
        path = f"/v1/indexes/{self._name}/documents"
        digests = {each.id: each.digest for each in batch}
        missing = set(self._admin.ask("POST", f"{path}/missing", {"documents": digests})["missing"])
        new = [each.body() for each in batch if each.id in missing]
        if new:
            self.sent.passages += self._admin.ask("POST", path, {"documents": new})["passages"]
        self.sent.added += len(new)
        self.sent.unchanged += len(batch) - len(new)


def run(options: argparse.Namespace, indexer: Indexer) -> Sent:
    found = files(options.folder)
    indexer.create()
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task(options.name, total=len(found))

        def read() -> Iterator[Document]:
            for path in found:
                yield from documents(path, options.folder)
                progress.advance(bar)

        for batch in batches(read()):
            indexer.send(batch)
    return indexer.sent


def _rows(path: Path, name: str) -> Iterator[Document]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"{path}:{number}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise Unreadable(f"{place}: not JSON: {error}") from error
            yield _row(row, place, f"{name}:{number}")


def _row(row: Any, place: str, name: str) -> Document:
    text = row.get("text") if isinstance(row, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise Unreadable(f"{place}: text: should be there, and not empty")
    title = str(row.get("title") or "")
    if len(title) > MOST_TITLE:
        raise Unreadable(f"{place}: title: should be {MOST_TITLE} characters at most")
    return Document(str(row.get("id", name)), title, text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path}: should be text in UTF-8: {error}") from error


def _pdf(path: Path) -> str:
    if importlib.util.find_spec("pypdf") is None:
        raise Unreadable(f"{path}: PDFs need pip install 'bide[pdf]'")
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        return "\n\n".join(page.extract_text() for page in PdfReader(path).pages)
    except (OSError, PyPdfError) as error:
        raise Unreadable(f"{path}: cannot be read as a PDF: {error}") from error


def _title(path: Path, text: str) -> str:
    """The first heading of Markdown, else the file's name."""
    first = text.lstrip().partition("\n")[0]
    is_heading = path.suffix.lower() == ".md" and first.startswith("#")
    return first.lstrip("#").strip()[:MOST_TITLE] if is_heading else path.stem


def main() -> int:
    options = parser().parse_args()
    admin = Admin(options.url, os.environ.get("BIDE_API_KEY"))
    try:
        sent = run(options, Indexer(admin, options.name))
    except (BideError, Unreadable) as error:
        print(f"bide index: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(
        f"{sent.added:,} documents added ({sent.passages:,} passages), "
        f"{sent.unchanged:,} were there already"
    )
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="bide index",
        description="Text, Markdown, PDF and JSONL (rows of text, and of id and title where there "
        "are any) into an index of a running server; an admin's key: BIDE_API_KEY.",
    )
    made.add_argument("folder", type=Path, help="or one file")
    made.add_argument("--name", required=True, help="of the index; made where it is not there")
    made.add_argument("--url", default="http://localhost:8000", help="of the server")
    return made


if __name__ == "__main__":
    sys.exit(main())

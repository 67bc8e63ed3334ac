"""`bide eval`, run as a person runs it, against servers on this machine."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.training.evaluate.fake import FakeBide, Plain, Refused

ROOT = Path(__file__).parents[3]
SWEEP = """
task = "{task}"
n = 5
[servers.tokens]
[[methods]]
method = "own"
[[methods]]
method = "budget"
limits = [0, 16]
[[methods]]
method = "majority"
samples = 4
[[methods]]
method = "vote"
n = [4]
[[methods]]
method = "tokens"
server = "tokens"
limits = [16]
"""


class Http(ThreadingHTTPServer):
    request_queue_size = 128  # as many requests come at once


@contextmanager
def served(server: Plain) -> Iterator[str]:
    """The URL of a server on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                status, reply = 200, server.answer(body)
            except Refused as refused:
                status, reply = refused.status, refused.body
            data = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            with suppress(ConnectionError):  # a run that fails leaves its other requests
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with Http(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}"
        finally:
            http.shutdown()
            thread.join()


def run(module: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )


def task(folder: Path) -> Path:
    path = folder / "sums.jsonl"
    rows = [{"question": f"What is {i}+1?", "answer": i + 1} for i in range(5)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def sweep(folder: Path) -> Path:
    path = folder / "sweep.toml"
    path.write_text(SWEEP.format(task=task(folder)))
    return path


def test_a_sweep_leaves_its_report_and_goes_on_with_more_servers(tmp_path: Path) -> None:
    out, file = tmp_path / "out", sweep(tmp_path)
    with served(FakeBide()) as url, served(FakeBide()) as other:
        done = run("training.evaluate", file, "--url", url, "--out", out)
        assert done.returncode == 0, done.stderr
        assert "bide eval: tokens: skipped, no server for it is given" in done.stderr
        first = json.loads((out / "summary.json").read_text())
        assert len(first["settings"]) == 7
        again = run(
            "training.evaluate", file, "--url", url, "--server", f"tokens={other}", "--out", out
        )
        assert again.returncode == 0, again.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert [each["name"] for each in summary["settings"][-2:]] == [
        "tokens 16",
        "tokens + budget 16",
    ]
    assert summary["settings"][:7] == first["settings"]
    assert len((out / "rows.jsonl").read_text().splitlines()) == 5 * (1 + 2 + 4 + 1 + 2)
    for name in (
        "table.md",
        "report.html",
        "figure.svg",
        "figure.png",
        "scaling.svg",
        "scaling.png",
    ):
        assert (out / name).stat().st_size > 0
    assert "own length" in again.stdout

    replayed = run("training.evaluate.replay", out, "--n", "4")
    assert replayed.returncode == 0, replayed.stderr
    outcomes = {each["rule"]: each for each in json.loads((out / "replay.json").read_text())}
    assert (outcomes["never"]["samples"], outcomes["unbeatable"]["changed"]) == (4, 0)
    assert outcomes["unbeatable"]["needed"] < outcomes["never"]["needed"]


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    asked, over = Event(), Event()

    class Slow(Plain):
        def answer(self, body: dict[str, Any]) -> dict[str, Any]:
            asked.set()
            over.wait(60)
            return super().answer(body)

    with served(Slow()) as url:
        arguments = ["--task", task(tmp_path), "--url", url, "--out", tmp_path / "out"]
        command = [sys.executable, "-m", "training.evaluate", *map(str, arguments)]
        # A shell's background job ignores Ctrl-C, and its children would too.
        obeying = ["env", "--default-signal=INT", *command]
        process = subprocess.Popen(obeying, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        over.set()
    assert process.returncode == 130
    assert said == "bide eval: the same command goes on from here\n"


def test_what_went_wrong_is_one_line(tmp_path: Path) -> None:
    out, file = tmp_path / "out", sweep(tmp_path)
    with served(Plain()) as url:
        refused = run("training.evaluate", file, "--url", url, "--out", out)
    assert refused.returncode == 1
    said = refused.stderr.splitlines()[-1]
    # Settings are asked side by side: which of them is refused first is not promised.
    assert re.match(r"bide eval: 'budget \d+' \(method budget\) at http://127\.0\.0\.1:", said)
    assert said.endswith(
        "budget needs a Bide server that knows it; the same command goes on from here"
    )
    assert "Traceback" not in refused.stderr
    other = run("training.evaluate", file, "--n", "4", "--url", url, "--out", out)
    assert (other.returncode, other.stderr) == (
        2,
        f"bide eval: {out} holds rows of n 5, not 4: choose another --out\n",
    )
    replayed = run("training.evaluate.replay", tmp_path)
    assert (replayed.returncode, replayed.stderr) == (
        2,
        f"replay: there is no {tmp_path / 'rows.jsonl'}\n",
    )

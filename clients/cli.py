"""The `bide` command. It starts the others by module name and imports none of them itself."""

import importlib.util
import runpy
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Command:
    """`needs` is a package without which the module cannot run; `extra` brings it. `elsewhere`:
    subcommands that another module has."""

    module: str
    usage: str
    help: str
    needs: str = "httpx"
    extra: str = "bide"
    elsewhere: Mapping[str, str] = field(default_factory=dict)


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "serve": Command(
            "server", "[OPTION …]", "serve a checkpoint over HTTP", "vllm", "bide[cpu]"
        ),
        "keys": Command(
            "server.keys_command",
            "add|list|remove",
            "API keys that let clients in",
            "pydantic",
            "bide[server]",
        ),
        "checkpoints": Command(
            "clients.checkpoints",
            "list|load|rollback|publish|tag|gc",
            "exchange a running server's weights; a registry of them",
            elsewhere=dict.fromkeys(("publish", "tag", "gc"), "training.registry_command"),
        ),
        "adapters": Command(
            "clients.adapters", "list|load|unload|alias", "LoRA adapters of a running server"
        ),
        "index": Command(
            "clients.index", "FOLDER --name NAME", "documents into an index of a running server"
        ),
        "chat": Command("clients.chat", "[QUESTION]", "talk to a running server"),
        "bench": Command("clients.bench", "[OPTION …]", "load a running server and report"),
        "train": Command("training", "RECIPE", "make a checkpoint", "torch", "bide[train]"),
        "eval": Command(
            "training.evaluate",
            "[SWEEP.toml]",
            "how answers improve with thinking and with votes",
            "matplotlib",
            "bide[train]",
        ),
    }
)


def main() -> int:
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help", "help"):
        print(overview())
        return 0
    command = COMMANDS.get(name)
    if command is None:
        known = ", ".join(COMMANDS)
        print(f"bide: unknown command {name!r}; there are {known}", file=sys.stderr)
        return 2
    if importlib.util.find_spec(command.needs) is None:
        print(
            f"bide {name}: {command.needs} is not installed: pip install '{command.extra}'",
            file=sys.stderr,
        )
        return 1
    # In this process, so that signals and the exit code are the command's own.
    sys.argv = [f"bide {name}", *arguments]
    module = command.elsewhere.get(arguments[0] if arguments else "", command.module)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def overview() -> str:
    rows = [(f"bide {name} {each.usage}", each.help) for name, each in COMMANDS.items()]
    width = max(len(usage) for usage, _ in rows)
    listed = "\n".join(f"  {usage:{width}}   {text}" for usage, text in rows)
    return f"""\
Bide serves reasoning models, and each request says how long to think.

{listed}

bide COMMAND --help tells a command's options. To begin, in two terminals:

  bide serve
  bide chat --waits 1 "How many r in raspberry?\""""


if __name__ == "__main__":
    sys.exit(main())

"""`python -m training RECIPE`: train what a recipe says, and publish what comes of it."""

import argparse
import os
import sys
import tomllib
from pathlib import Path

from training.config import Recipe, RecipeError, base_of, load_recipe, tokenizer_of
from training.hub import HubError
from training.registry import Registry, RegistryError


def main() -> int:
    options = parser().parse_args()
    if (options.tag or options.load) and not options.publish:
        parser().error("--tag and --load are of what is published: say --publish NAME")
    try:
        recipe = load_recipe(options.recipe, overrides(options))
        if options.dry_run:
            from training.dryrun import describe

            print("\n".join(describe(recipe, options.recipe)))
            return 0
    except RecipeError as error:
        print(error, file=sys.stderr)
        return 2
    # Imported late: a mistake in the recipe is told at once, not after torch has loaded.
    from clients.wire import BideError
    from training.data.sources import RowError
    from training.pipeline import run
    from training.processes import joined
    from training.saves import LayoutError
    from training.verifiers import BadLabel

    folder = options.out / f"{recipe.name}-seed{recipe.run.seed}"
    say = print if joined().is_first else _nothing
    say(f"{recipe.name}, seed {recipe.run.seed}, in {folder}")
    try:
        if options.publish:
            Registry(options.registry).check_names(options.publish, options.tag)
        base, words = base_of(recipe, options.recipe), tokenizer_of(recipe, options.recipe)
        model = run(recipe, folder, base, words, say)
        say(f"done: {model}")
        if options.publish and joined().is_first:
            publish(recipe, folder, model, options)
    except (
        BadLabel,
        BideError,
        HubError,
        LayoutError,
        RecipeError,
        RegistryError,
        RowError,
    ) as error:
        print(f"bide train: {error}", file=sys.stderr)
        return 1
    finally:
        joined().leave()
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="bide train", description="Train what a recipe says.")
    add = made.add_argument
    add("recipe", type=Path, help="a TOML file, see training/recipes")
    add("--seed", type=int, help="instead of the recipe's")
    add("--threads", type=int, help="instead of the recipe's; default all cores")
    add(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="STAGE.OPTION=VALUE",
        help="instead of the recipe's: rlvr.steps=20, run.save_every=100",
    )
    add("--out", type=Path, default=Path("runs"), help="default: runs")
    add("--dry-run", action="store_true", help="what it would take: memory, tokens, the command")
    add("--publish", metavar="NAME", help="the result as the next version of this name")
    add("--registry", type=Path, default=Path("checkpoints"), help="default: checkpoints")
    add("--tag", help="that means the published version from now on")
    add("--load", metavar="URL", help="a running server of the registry, which then serves it")
    return made


def overrides(options: argparse.Namespace) -> dict[str, object]:
    run = {"run.seed": options.seed, "run.threads": options.threads}
    return {**{k: v for k, v in run.items() if v is not None}, **dict(options.set)}


def _assignment(text: str) -> tuple[str, object]:
    """VALUE is TOML, or a text without its quotes."""
    place, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not STAGE.OPTION=VALUE")
    try:
        return place, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return place, value


def publish(recipe: Recipe, run: Path, model: Path, options: argparse.Namespace) -> None:
    """Raises RegistryError, and BideError of a server that does not load it."""
    from clients.admin import Admin
    from clients.checkpoints import Checkpoints
    from training.lineage import lineage

    registry = Registry(options.registry)
    version = registry.publish(model, options.publish, lineage(recipe, run))
    print(f"published: {version} in {options.registry}")
    if options.tag:
        registry.tag(options.publish, options.tag, version.id)
    if options.load:
        key = os.environ.get("BIDE_API_KEY")
        Checkpoints(Admin(options.load, key)).load(version.name, version.id)
        print(f"serving: {version} at {options.load}")


def _nothing(_: str) -> None:
    """Of several processes, one speaks."""


if __name__ == "__main__":
    sys.exit(main())

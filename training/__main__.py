"""`python -m training RECIPE`: train what a recipe says."""

import argparse
import sys
from pathlib import Path

from training.config import RecipeError, base_of, load_recipe, tokenizer_of


def main() -> int:
    parser = argparse.ArgumentParser(prog="bide train", description="Train what a recipe says.")
    parser.add_argument("recipe", type=Path, help="a TOML file, see training/recipes")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--threads", type=int, help="instead of the recipe's; default all cores")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument(
        "--dry-run", action="store_true", help="what it would take: memory, tokens, the command"
    )
    options = parser.parse_args()
    given = {"seed": options.seed, "threads": options.threads}
    try:
        recipe = load_recipe(options.recipe, {k: v for k, v in given.items() if v is not None})
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
        base, words = base_of(recipe, options.recipe), tokenizer_of(recipe, options.recipe)
        say(f"done: {run(recipe, folder, base, words, say)}")
    except (BadLabel, BideError, LayoutError, RowError) as error:
        print(f"bide train: {error}", file=sys.stderr)
        return 1
    finally:
        joined().leave()
    return 0


def _nothing(_: str) -> None:
    """Of several processes, one speaks."""


if __name__ == "__main__":
    sys.exit(main())

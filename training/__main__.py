"""`python -m training RECIPE`: train what a recipe says."""

import argparse
import sys
from pathlib import Path

from training.config import RecipeError, base_of, load_recipe


def main() -> int:
    parser = argparse.ArgumentParser(prog="bide train", description="Train what a recipe says.")
    parser.add_argument("recipe", type=Path, help="a TOML file, see training/recipes")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--threads", type=int, help="instead of the recipe's; default all cores")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="default: runs")
    options = parser.parse_args()
    given = {"seed": options.seed, "threads": options.threads}
    try:
        recipe = load_recipe(options.recipe, {k: v for k, v in given.items() if v is not None})
    except RecipeError as error:
        print(error, file=sys.stderr)
        return 2
    # Imported late: a mistake in the recipe is told at once, not after torch has loaded.
    from training.pipeline import run

    folder = options.out / f"{recipe.name}-seed{recipe.run.seed}"
    print(f"{recipe.name}, seed {recipe.run.seed}, in {folder}")
    from clients.wire import BideError
    from training.evaluate.tasks import TaskError
    from training.preferences import PairError
    from training.verifiers import BadLabel

    try:
        print(f"done: {run(recipe, folder, base_of(recipe, options.recipe))}")
    except (BadLabel, BideError, PairError, TaskError) as error:
        print(f"bide train: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

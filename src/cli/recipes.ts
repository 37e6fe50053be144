import type { ScaleDtype } from '../formats/index.js';
import type { FormatMix } from '../jobs/mixes.js';
import { readRecipe } from '../jobs/recipes/node/recipeFiles.js';
import { visible } from '../storage/errors.js';
import { UsageError } from './usageError.js';

/** Recipes of a command line, and the type of scales that they and all else is computed with. */
export interface RecipesOfCommand {
  readonly mixes: readonly FormatMix[];
  readonly scaleDtype: ScaleDtype;
}

/**
 * Reads recipes. Their type of scales counts unless another is asked for, which is refused.
 * @param asked what --scale-dtype says; absent: nothing
 */
export async function readRecipes(
  command: string,
  files: readonly string[],
  asked: ScaleDtype | undefined,
): Promise<RecipesOfCommand> {
  let scaleDtype = asked;
  const mixes: FormatMix[] = [];
  for (const file of files) {
    const { recipe, mix } = await readRecipe(file);
    scaleDtype ??= recipe.scaleDtype;
    if (recipe.scaleDtype !== scaleDtype) {
      const detail = `scales are ${recipe.scaleDtype} in this recipe, and ${scaleDtype} elsewhere`;
      throw new UsageError(`${visible(file)}: ${detail}`, command);
    }
    // Two files of one name are told apart by their places.
    const isTaken = mixes.some(({ name }) => name === mix.name);
    mixes.push(isTaken ? { ...mix, name: file } : mix);
  }
  return { mixes, scaleDtype: scaleDtype ?? 'f16' };
}

import { parseFormat } from '../../../src/formats/index.js';
import { formatRecipe, parseRecipe, RecipeError } from '../../../src/jobs/recipes/recipe.js';
import { textInput, textOf, withPart } from '../input.js';
import { mutateJson } from '../mutateJson.js';
import { promise, refusal, type FuzzTarget } from '../target.js';

const FILE = 'recipe.json';

const SEED = formatRecipe({
  recipe: 1,
  about: { bitsPerWeight: 3.5, list: [1, 'a', null] },
  scaleDtype: 'f16',
  tensors: [
    { name: 'model.layers.0.self_attn.q_proj.weight', format: 'int4-asym:g128' },
    { name: 'model.layers.0.mlp.down_proj.weight', format: 'nf4:g64' },
  ],
});

/** Recipes: what is read is canonical and is read again as it was; the rest is refused in one line. */
export const recipe: FuzzTarget = {
  name: 'recipe',
  seeds: () => [textInput(FILE, SEED)],
  mutate(input, random) {
    return withPart(input, FILE, mutateJson(textOf(input, FILE), random));
  },
  check(input) {
    try {
      const read = parseRecipe(textOf(input, FILE), FILE);
      promise(read.tensors.length > 0, 'a recipe of no tensor');
      for (const { format } of read.tensors) {
        promise(parseFormat(format).id === format, `"${format}" is not canonical`);
      }
      promise(
        formatRecipe(parseRecipe(formatRecipe(read), FILE)) === formatRecipe(read),
        'it is read otherwise again',
      );
      return Promise.resolve(true);
    } catch (error) {
      return Promise.resolve(refusal(error, RecipeError));
    }
  },
};

import type { ScaleDtype } from '../../formats/index.js';
import type { RecommendationReport } from '../../reports/recommendation.js';
import type { Recipe } from '../recipes/recipe.js';

/** What was recommended, as a recipe. */
export function recipeOf(report: RecommendationReport): Recipe {
  const { model, assignment, recommended, bestUniform, measured, text, budget } = report;
  const isMix = recommended === 'mix';
  const result = isMix ? { ...report, measured } : bestUniform!;
  return {
    recipe: 1,
    about: {
      architecture: model.architecture,
      parameters: model.parameters,
      budget,
      bitsPerWeight: result.bitsPerWeight,
      klDivergence: result.measured.klDivergence,
      perplexity: result.measured.value,
      scoredTokens: text.tokens,
    },
    scaleDtype: report.scaleDtype as ScaleDtype,
    tensors: assignment.map(({ tensor: name, format, pinned }) => ({
      name,
      format: isMix || pinned ? format : bestUniform!.format,
    })),
  };
}

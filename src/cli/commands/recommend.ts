import { measureWeights } from '../../jobs/comparison/compareWeights.js';
import { measureFormats } from '../../jobs/perplexity/node/measureFormats.js';
import { recommend as decide } from '../../jobs/recommendation/recommend.js';
import { measureSensitivity } from '../../jobs/sensitivity/node/measureSensitivity.js';
import { recipeOf } from '../../jobs/recommendation/recipeOf.js';
import { writeText } from '../../jobs/recipes/node/recipeFiles.js';
import { formatRecipe } from '../../jobs/recipes/recipe.js';
import { findModelFiles } from '../../checkpoint/node/modelFiles.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import type { RecommendationReport } from '../../reports/recommendation.js';
import { formatReportJson } from '../../reports/present.js';
import { openModel } from '../openModel.js';
import { makePerplexitySettings } from '../perplexityRequest.js';
import type { RecommendArguments } from '../recommendArguments.js';
import { formatRecommendation } from '../recommendationText.js';
import { withBackends } from './session.js';
import type { Session } from './session.js';

/** `recommend`: a format for each tensor within a budget, measured beside the uniform formats of its size. */
export async function recommend(args: RecommendArguments, session: Session): Promise<void> {
  const model = await openModel(args.path, session);
  const { formats, budget, ties, pins, tensorGlobs, scaleDtype, sensitivity, calibration } = args;
  const perplexity = { ...makePerplexitySettings(args.perplexity), calibration };
  const { options, warn } = session;
  const report = await withBackends(session, args, (pool, backends) =>
    decide(
      {
        measureWeights: (opened, request, callOptions) =>
          measureWeights(pool, opened, request, { ...callOptions, backends }),
        measureSensitivity: (opened, request, callOptions) =>
          measureSensitivity(pool, opened, request, callOptions),
        measurePerplexity: (opened, request, callOptions) =>
          measureFormats(pool, opened, request, { ...callOptions, backends, warn }),
      },
      model,
      { formats, budget, ties, pins, tensorGlobs, scaleDtype, sensitivity, perplexity },
      options,
    ),
  );
  await session.write(args.json ? formatReportJson(report) : formatRecommendation(report));
  await writeFiles(args, model, report, session);
}

/** The recipe, and recipes for other programs, after what these cannot express has been said. */
async function writeFiles(
  { recipe: file, exports }: RecommendArguments,
  model: OpenedModel,
  report: RecommendationReport,
  { options: { signal }, warn }: Session,
): Promise<void> {
  const recipe = recipeOf(report);
  const inputs = [...model.inputs.keys(), ...(await findModelFiles(model.path))];
  if (file !== undefined) await writeText(file, formatRecipe(recipe), { signal, inputs });
  const named = new Set(recipe.tensors.map(({ name }) => name));
  const kept = model.tensors
    .filter(({ name, quantizedByDefault }) => quantizedByDefault && !named.has(name))
    .map(({ name }) => name);
  const { tensors } = recipe;
  const exported = exports.map(({ exporter, file: out }) => ({
    ...{ exporter, out },
    ...exporter.write({ tensors, kept }),
  }));
  for (const { exporter, out, text, notes } of exported) {
    for (const note of notes) warn(`${out} (${exporter.label}): ${note}`);
    await writeText(out, text, { signal, inputs });
  }
}

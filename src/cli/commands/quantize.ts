import { formatReportJson } from '../../reports/present.js';
import { quantizeToFile } from '../../jobs/node/quantizeToFile.js';
import type { QuantizeArguments } from '../arguments.js';
import { formatComparison } from '../comparisonText.js';
import { openModel } from '../openModel.js';
import { visible } from '../../storage/errors.js';
import { readRecipes } from '../recipes.js';
import { withPool } from './session.js';
import type { Session } from './session.js';

/** `quantize`: writes the rounded weights, widened to F32 again, and says what the rounding cost. */
export async function quantize(args: QuantizeArguments, session: Session): Promise<void> {
  const model = await openModel(args.path, session);
  const { tensorGlobs, recipe, out } = args;
  const recipes = recipe === undefined ? [] : [recipe];
  const { mixes, scaleDtype } = await readRecipes('quantize', recipes, args.scaleDtype);
  const format = mixes[0] ?? args.format;
  const report = await withPool(session, args, (pool) =>
    quantizeToFile(pool, model, { format, tensorGlobs, scaleDtype, out }, session.options),
  );
  if (args.json) {
    await session.write(formatReportJson(report));
    return;
  }
  const written = report.outputs.map((file) => `Wrote ${visible(file)}\n`).join('');
  await session.write(`${formatComparison(report, scaleDtype)}\n${written}`);
}

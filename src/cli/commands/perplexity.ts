import { measureFormats } from '../../jobs/perplexity/node/measureFormats.js';
import { measurePerplexity } from '../../jobs/perplexity/perplexityReport.js';
import { formatReportJson } from '../../reports/present.js';
import type { PerplexityArguments } from '../arguments.js';
import { openModel } from '../openModel.js';
import { makePerplexitySettings } from '../perplexityRequest.js';
import { formatPerplexity } from '../perplexityText.js';
import { readRecipes } from '../recipes.js';
import { announce, withBackends, withNote } from './session.js';
import type { Session } from './session.js';

/** `perplexity`: runs the model, unquantized and in each format. */
export async function perplexity(args: PerplexityArguments, session: Session): Promise<void> {
  const model = await openModel(args.path, session);
  const { formats, tensorGlobs, recipes = [] } = args;
  const { mixes, scaleDtype } = await readRecipes('perplexity', recipes, args.scaleDtype);
  const settings = { ...makePerplexitySettings(args.perplexity), calibration: args.calibration };
  const { options, warn } = session;
  await announce(session, args, model);
  const measured = await withBackends(session, args, (pool, backends) =>
    measurePerplexity(model, { formats, mixes, tensorGlobs, scaleDtype, settings }, (measurement) =>
      measureFormats(pool, model, measurement, { ...options, backends, warn }),
    ),
  );
  const report = withNote(measured, args.presetNote);
  await session.write(args.json ? formatReportJson(report) : formatPerplexity(report, scaleDtype));
}

import { measureWeights } from '../../jobs/comparison/compareWeights.js';
import { measureFormats } from '../../jobs/perplexity/node/measureFormats.js';
import { recommend as decide } from '../../jobs/recommendation/recommend.js';
import { measureSensitivity } from '../../jobs/sensitivity/node/measureSensitivity.js';
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
}

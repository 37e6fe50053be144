import { compareFormats } from '../../jobs/comparison/compareFormats.js';
import { measureFormats } from '../../jobs/perplexity/node/measureFormats.js';
import { formatComparisonCsv, formatReportJson } from '../../reports/present.js';
import type { CompareArguments } from '../arguments.js';
import { formatComparison } from '../comparisonText.js';
import { openModel } from '../openModel.js';
import { makePerplexitySettings } from '../perplexityRequest.js';
import { withBackends } from './session.js';
import type { Session } from './session.js';

function endLine(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}

/** `compare`: the error of several formats, or of another checkpoint, on the same weights. */
export async function compare(args: CompareArguments, session: Session): Promise<void> {
  const model = await openModel(args.path, session);
  const against = args.against === undefined ? undefined : await openModel(args.against, session);
  const { formats, tensorGlobs, scaleDtype } = args;
  const perplexity = args.perplexity && {
    ...makePerplexitySettings(args.perplexity),
    perLayer: args.perplexity.perLayer,
  };
  const request = { formats, against, tensorGlobs, scaleDtype, perplexity };
  const { options, warn } = session;
  const report = await withBackends(session, args, (pool, backends) =>
    compareFormats(
      {
        withPool: (job) => job(pool),
        measurePerplexity: (_, measurement, callOptions) =>
          measureFormats(pool, model, measurement, { ...callOptions, backends, warn }),
      },
      model,
      request,
      { ...options, backends },
    ),
  );
  if (args.json) await session.write(formatReportJson(report));
  else if (args.csv) await session.write(endLine(formatComparisonCsv(report)));
  else await session.write(formatComparison(report, scaleDtype));
}

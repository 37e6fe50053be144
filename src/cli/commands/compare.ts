import { compareFormats } from '../../jobs/compare.js';
import { comparisonCsv, comparisonJson } from '../../jobs/present.js';
import type { CompareArguments } from '../arguments.js';
import { comparisonText } from '../comparisonText.js';
import { openModel } from '../openModel.js';
import { perplexitySettings } from '../perplexityRequest.js';
import { withPool } from './session.js';
import type { Session } from './session.js';

function endLine(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}

/** `compare`: the error of several formats on the same weights. */
export async function compare(args: CompareArguments, session: Session): Promise<void> {
  const checkpoint = await openModel(args.path, session);
  const { formats, tensorGlobs, scaleDtype } = args;
  const perplexity = args.perplexity && {
    ...perplexitySettings(args.perplexity, session),
    perLayer: args.perplexity.perLayer,
  };
  const report = await withPool(args, (pool) =>
    compareFormats(
      pool,
      checkpoint,
      { formats, tensorGlobs, scaleDtype, perplexity },
      session.options,
    ),
  );
  if (args.json) await session.write(endLine(comparisonJson(report)));
  else if (args.csv) await session.write(endLine(comparisonCsv(report)));
  else await session.write(comparisonText(report, scaleDtype));
}

import { measurePerplexity } from '../../jobs/perplexity.js';
import { comparisonJson } from '../../jobs/present.js';
import type { PerplexityArguments } from '../arguments.js';
import { openModel } from '../openModel.js';
import { perplexitySettings } from '../perplexityRequest.js';
import { perplexityText } from '../perplexityText.js';
import { withPool } from './session.js';
import type { Session } from './session.js';

/** `perplexity`: runs the model, unquantized and in each format. */
export async function perplexity(args: PerplexityArguments, session: Session): Promise<void> {
  const checkpoint = await openModel(args.path, session);
  const { formats, tensorGlobs, scaleDtype } = args;
  const settings = perplexitySettings(args.perplexity, session);
  const report = await withPool(args, (pool) =>
    measurePerplexity(
      pool,
      checkpoint,
      { formats, tensorGlobs, scaleDtype, ...settings },
      session.options,
    ),
  );
  await session.write(
    args.json ? `${comparisonJson(report)}\n` : perplexityText(report, scaleDtype),
  );
}

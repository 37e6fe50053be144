import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findModelFiles } from '../../checkpoint/node/modelFiles.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import { compareFormats } from '../../jobs/comparison/compareFormats.js';
import { writeHtmlReport } from '../../jobs/node/writeHtmlReport.js';
import { measureFormats } from '../../jobs/perplexity/node/measureFormats.js';
import { measureOutputs } from '../../jobs/perplexity/node/measureOutputs.js';
import { formatComparisonCsv, formatReportJson } from '../../reports/present.js';
import type { ComparisonReport } from '../../reports/reports.js';
import type { CompareArguments } from '../arguments.js';
import { findCacheFolder } from '../cacheFolder.js';
import { formatComparison } from '../comparisonText.js';
import { openModel } from '../openModel.js';
import { makePerplexitySettings } from '../perplexityRequest.js';
import { readRecipes } from '../recipes.js';
import { announce, withBackends, withNote } from './session.js';
import type { Session } from './session.js';

/** What an output must not replace. */
async function filesRead(
  model: OpenedModel,
  against: OpenedModel | undefined,
  { text, outputErrorText }: ComparisonReport,
): Promise<string[]> {
  const models = against ? [model, against] : [model];
  const ofModels = await Promise.all(models.map(({ path }) => findModelFiles(path)));
  const texts = [text?.source, outputErrorText?.text].filter((file) => file !== undefined);
  return [...ofModels.flat(), ...texts];
}

function endLine(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}

/** `compare`: the error of several formats, or of another checkpoint, on the same weights. */
export async function compare(args: CompareArguments, session: Session): Promise<void> {
  const keeps = args.perplexity?.cache ?? true;
  if (keeps) return compareIn(undefined, args, session);
  // Both parts of the comparison need what is calibrated, and nothing after them.
  const folder = await mkdtemp(join(tmpdir(), 'quantscope-calibrated-'));
  try {
    await compareIn(folder, args, session);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param calibratedFolder for calibrated weights that are not to be kept */
async function compareIn(
  calibratedFolder: string | undefined,
  args: CompareArguments,
  session: Session,
): Promise<void> {
  const model = await openModel(args.path, session);
  const against = args.against === undefined ? undefined : await openModel(args.against, session);
  const { formats, tensorGlobs, calibration } = args;
  const { mixes, scaleDtype } = await readRecipes('compare', args.recipes ?? [], args.scaleDtype);
  const perplexity = args.perplexity && {
    ...makePerplexitySettings(args.perplexity),
    calibration,
    calibratedFolder,
    perLayer: args.perplexity.perLayer,
  };
  const request = {
    formats,
    mixes,
    against,
    tensorGlobs,
    scaleDtype,
    perplexity,
    calibration: { calibration, calibratedFolder, cacheFolder: findCacheFolder() },
  };
  const { options, warn } = session;
  await announce(session, args, model);
  const compared = await withBackends(session, args, (pool, backends) =>
    compareFormats(
      {
        withPool: (job) => job(pool),
        measurePerplexity: (_, measurement, callOptions) =>
          measureFormats(pool, model, measurement, { ...callOptions, backends, warn }),
        measureOutputs: (_, outputs, callOptions) =>
          measureOutputs(pool, model, outputs, callOptions),
      },
      model,
      request,
      { ...options, backends },
    ),
  );
  const report = withNote(compared, args.presetNote);
  if (args.html !== undefined) {
    await writeHtmlReport(session.host, report, args.html, {
      signal: options.signal,
      inputs: await filesRead(model, against, report),
    });
  }
  if (args.json) await session.write(formatReportJson(report));
  else if (args.csv) await session.write(endLine(formatComparisonCsv(report)));
  else await session.write(formatComparison(report, scaleDtype));
}

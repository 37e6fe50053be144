import { trainToFile } from '../../jobs/training/node/trainToFile.js';
import { formatReportJson } from '../../reports/present.js';
import type { TrainingReport } from '../../reports/training.js';
import { visible } from '../../storage/errors.js';
import { openModel } from '../openModel.js';
import { formatSignificant } from '../numbers.js';
import type { TrainArguments } from '../trainArguments.js';
import { withPool, type Session } from './session.js';

/** `train`: trains a small model's weights for a format, and writes it. */
export async function train(args: TrainArguments, session: Session): Promise<void> {
  const model = await openModel(args.path, session);
  const { format, out, scaleDtype, calibration, settings, allowsLarge, tensorGlobs } = args;
  const request = { format, out, scaleDtype, calibration, settings, allowsLarge, tensorGlobs };
  const report = await withPool(session, args, (pool) =>
    trainToFile(pool, model, request, session.options),
  );
  await session.write(args.json ? formatReportJson(report) : describe(report));
}

function describe(report: TrainingReport): string {
  const { format, tensors, weights, settings, gamma, checks, best, resumedAt, text } = report;
  const nearest = checks.find(({ step }) => step === 0);
  const count = (value: number) => value.toLocaleString('en-US');
  const loss = (value: number) => formatSignificant(value);
  const lines = [
    `${count(tensors)} tensors, ${count(weights)} weights trained for ${format}: straight-through, ${settings['steps']} steps of ${settings['batch']} windows, rate ${settings['rate']}`,
    `on ${count(report.windows)} windows of ${count(report.context)} tokens of ${visible(text)}; ${count(report.heldBack)} held back`,
    `divergence from the unquantized model on those held back: ${loss(best.loss)} nats (step ${best.step})` +
      (nearest ? `; rounded to nearest ${loss(nearest.loss)}` : ''),
    `share of KL(student ‖ teacher): ${gamma.toFixed(3)}`,
    ...(resumedAt > 0 ? [`went on from step ${resumedAt} of an earlier run`] : []),
    ...report.notes.map(visible),
    ...report.outputs.map((file) => `Wrote ${visible(file)}`),
    `${report.seconds.toFixed(1)} s`,
  ];
  return `${lines.join('\n')}\n`;
}

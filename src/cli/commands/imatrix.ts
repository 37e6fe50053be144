import { writeImatrix } from '../../jobs/imatrix/node/writeImatrix.js';
import { formatReportJson } from '../../reports/present.js';
import { visible } from '../../storage/errors.js';
import type { ImatrixArguments } from '../arguments.js';
import { openModel } from '../openModel.js';
import { withPool, type Session } from './session.js';

/** `imatrix`: writes llama.cpp's importance matrix of a model on a text. */
export async function imatrix(args: ImatrixArguments, session: Session): Promise<void> {
  const model = await openModel(args.path, session);
  const { calibration, out } = args;
  const report = await withPool(session, args, (pool) =>
    writeImatrix(pool, model, { calibration, out }, session.options),
  );
  if (args.json) {
    await session.write(formatReportJson(report));
    return;
  }
  const { entries, windows, context, tokens, text, notes } = report;
  const seen = `${tokens.toLocaleString('en-US')} tokens (${windows} windows of ${context})`;
  const lines = [
    `Importance of the inputs of ${entries} tensors on ${seen} of ${visible(text)}`,
    ...notes.map(visible),
    `Wrote ${visible(report.output)}`,
  ];
  await session.write(`${lines.join('\n')}\n`);
}

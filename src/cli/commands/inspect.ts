import { formatReportJson } from '../../reports/present.js';
import { describeModel } from '../../jobs/inspection/describeModel.js';
import { inspectModel } from '../../jobs/inspection/inspectModel.js';
import type { InspectArguments } from '../arguments.js';
import { formatInspection } from '../inspectText.js';
import type { InspectedTensor } from '../inspectText.js';
import { openModel } from '../openModel.js';
import { refuseChanged } from '../../storage/inputs.js';
import { withPool } from './session.js';
import type { Session } from './session.js';

/** `inspect`: what is in a model, and on request what its weights are like. */
export async function inspect(args: InspectArguments, session: Session): Promise<void> {
  const model = await openModel(args.path, session);
  for (const { message } of model.notes) session.warn(message);
  const request = {
    tensors: args.tensorGlobs && [...args.tensorGlobs],
    stats: args.stats,
    groupSize: args.groupSize,
  };
  const report = args.stats
    ? await withPool(session, args, (pool) => inspectModel(pool, model, request, session.options))
    : await inspectModel(undefined, model, request, session.options);
  if (args.stats) await refuseChanged(model.inputs, model.fileSystem);
  const { tensors } = report as { readonly tensors: readonly InspectedTensor[] };
  if (args.tensorGlobs && tensors.length === 0) {
    const globs = args.tensorGlobs.map((glob) => `"${glob}"`).join(', ');
    throw new Error(`${args.path}: no tensor matches ${globs}`);
  }
  await session.write(
    args.json ? formatReportJson(report) : formatInspection(describeModel(model), tensors),
  );
}

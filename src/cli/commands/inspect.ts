import { describeCheckpoint, inspectReport } from '../../jobs/inspect.js';
import type { InspectArguments } from '../arguments.js';
import { inspectText } from '../inspectText.js';
import type { InspectedTensor } from '../inspectText.js';
import { openModel } from '../openModel.js';
import { jsonText, withPool } from './session.js';
import type { Session } from './session.js';

/** `inspect`: what is in a model, and on request what its weights are like. */
export async function inspect(args: InspectArguments, session: Session): Promise<void> {
  const checkpoint = await openModel(args.path, session);
  const request = {
    tensors: args.tensorGlobs && [...args.tensorGlobs],
    stats: args.stats,
    groupSize: args.groupSize,
  };
  const report = args.stats
    ? await withPool(args, (pool) => inspectReport(pool, checkpoint, request, session.options))
    : await inspectReport(undefined, checkpoint, request, session.options);
  const { tensors } = report as { readonly tensors: readonly InspectedTensor[] };
  if (args.tensorGlobs && tensors.length === 0) {
    const globs = args.tensorGlobs.map((glob) => `"${glob}"`).join(', ');
    throw new Error(`${args.path}: no tensor matches ${globs}`);
  }
  await session.write(
    args.json ? jsonText(report) : inspectText(await describeCheckpoint(checkpoint), tensors),
  );
}

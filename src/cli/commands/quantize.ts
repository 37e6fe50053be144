import { comparisonJson } from '../../jobs/present.js';
import { quantizeToFile } from '../../jobs/quantize.js';
import type { QuantizeArguments } from '../arguments.js';
import { comparisonText } from '../comparisonText.js';
import { openModel } from '../openModel.js';
import { visible } from '../../safetensors/errors.js';
import { withPool } from './session.js';
import type { Session } from './session.js';

/** `quantize`: writes the rounded weights, widened to F32 again, and says what the rounding cost. */
export async function quantize(args: QuantizeArguments, session: Session): Promise<void> {
  const checkpoint = await openModel(args.path, session);
  const { format, tensorGlobs, scaleDtype, out } = args;
  const report = await withPool(args, (pool) =>
    quantizeToFile(
      pool,
      checkpoint,
      { format, tensorGlobs, scaleDtype, out, as: 'dequantized-f32' },
      session.options,
    ),
  );
  if (args.json) {
    await session.write(`${comparisonJson(report).trimEnd()}\n`);
    return;
  }
  const written = report.outputs.map((file) => `Wrote ${visible(file)}\n`).join('');
  await session.write(`${comparisonText(report, scaleDtype)}\n${written}`);
}

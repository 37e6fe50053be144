import { join } from 'node:path';
import { WorkerPool, type PoolOptions } from '../../../compute/workerPool.js';
import { formatForWidth, type ScaleDtype } from '../../../formats/index.js';
import type { Host } from '../../../host/host.js';
import { formatMethod, type QuantizationScheme } from '../../../methods/schemes.js';
import { chosenSteps } from '../../../methods/steps.js';
import type { AppliedMethod, StepFinding } from '../../../methods/types.js';
import type { CallOptions } from '../../../rpc/rpc.js';
import type { LanguageModel, TensorChange } from '../../evaluation/types.js';
import { hashOf } from '../../scores/node/hashOf.js';
import { adjustBlocks } from '../adjustBlocks.js';
import { quantizeBlocks } from '../quantizeBlocks.js';
import type { CalibratedPart, CalibrationRequest } from '../types.js';
import { CalibratedFiles } from './calibratedFiles.js';

/** What a model is calibrated with. */
export interface CalibrationSetup {
  readonly host: Host;
  readonly pool: PoolOptions;
  readonly model: LanguageModel;
  /** Everything that calibrated weights depend on beside the scheme and the tensors: model, program, text. */
  readonly key: readonly string[];
  /** Token ids of the calibration text. */
  readonly windows: readonly Int32Array[];
  readonly scaleDtype: ScaleDtype;
  /** Inputs of the tensors that are quantized, by name. */
  readonly tensors: ReadonlyMap<string, number>;
  /** Where calibrated weights are kept. */
  readonly folder: string;
}

/** A model's weights as a scheme's methods leave them. */
export interface CalibratedModel {
  /** By tensor name: of those that are quantized, and of what factors are folded into. */
  readonly changes: ReadonlyMap<string, TensorChange>;
  readonly findings: readonly StepFinding[];
  /** Names the calibration in caches. */
  readonly key: string;
}

/**
 * Runs the methods of a scheme over a model, in their order. Finished parts of blocks are kept, so that a
 * cancelled calibration goes on behind them.
 * @throws an Error of one line; an AbortError when cancelled
 */
export async function calibrateModel(
  setup: CalibrationSetup,
  scheme: QuantizationScheme,
  options: CallOptions,
): Promise<CalibratedModel> {
  const { format, methods } = scheme;
  const changes = new Map<string, TensorChange>();
  const findings: StepFinding[] = [];
  const done: string[] = [];
  let key = hashOf([...setup.key, format.id]);
  for (const applied of methods) {
    const steps = chosenSteps(applied.method, applied.options);
    done.push(formatMethod(applied));
    key = hashOf([
      ...setup.key,
      setup.scaleDtype,
      format.id,
      ...done,
      ...(steps.scale ? [scheme.activations?.id ?? ''] : []),
      ...[...setup.tensors.keys()].sort(),
    ]);
    for (const step of ['adjust', 'quantize'] as const) {
      const isWanted = step === 'adjust' ? (steps.scale ?? steps.clip) : steps.quantize;
      if (!isWanted) continue;
      const label = `Calibrating ${scheme.id}: ${applied.method.label}`;
      const parts = await runStep(setup, scheme, applied, step, changes, key, {
        ...options,
        onProgress:
          options.onProgress &&
          ((progress) =>
            options.onProgress!({
              ...progress,
              message: `${label}, ${progress.message ?? 'done'}`,
            })),
      });
      for (const part of parts) {
        for (const [name, change] of part.changes) changes.set(name, change);
        findings.push(...part.findings);
      }
    }
  }
  const isQuantized = methods.some(({ method }) => method.quantize);
  return { changes: isQuantized ? changes : rounded(changes, setup, scheme), findings, key };
}

/** Weights that no method rounds are rounded to nearest, changed or not. */
function rounded(
  changes: ReadonlyMap<string, TensorChange>,
  { tensors }: CalibrationSetup,
  { format }: QuantizationScheme,
): ReadonlyMap<string, TensorChange> {
  const all = new Map(changes);
  for (const [name, inputs] of tensors) {
    all.set(name, { ...changes.get(name), format: formatForWidth(format, inputs) });
  }
  return all;
}

async function runStep(
  setup: CalibrationSetup,
  { format }: QuantizationScheme,
  applied: AppliedMethod,
  step: 'adjust' | 'quantize',
  base: ReadonlyMap<string, TensorChange>,
  key: string,
  options: CallOptions,
): Promise<readonly CalibratedPart[]> {
  const { host, model, windows, scaleDtype, tensors, folder } = setup;
  // Its memory is free when it ends.
  const pool = await WorkerPool.create(host, setup.pool);
  try {
    const request: CalibrationRequest = {
      pool,
      model,
      windows,
      format,
      scaleDtype,
      tensors: new Set(tensors.keys()),
      base: new Map(base),
      parts: new CalibratedFiles(join(folder, `${key}-${step}`), options.signal),
    };
    const run = step === 'adjust' ? adjustBlocks : quantizeBlocks;
    return await run(request, applied, options);
  } finally {
    await pool.dispose();
  }
}

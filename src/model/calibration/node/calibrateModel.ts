import { join } from 'node:path';
import { WorkerPool, type PoolOptions } from '../../../compute/workerPool.js';
import { formatForWidth, type ScaleDtype } from '../../../formats/index.js';
import type { FixedRounding } from '../../../formats/activations.js';
import type { Host } from '../../../host/host.js';
import { formatMethod, type QuantizationScheme } from '../../../methods/schemes.js';
import { chosenSteps, needsImportance, seesText } from '../../../methods/steps.js';
import type { AppliedMethod, ImportanceOf, StepFinding } from '../../../methods/types.js';
import type { CallOptions } from '../../../rpc/rpc.js';
import { localFileSystem } from '../../../storage/node/localFileSystem.js';
import type { LanguageModel, TensorChange } from '../../evaluation/types.js';
import { hashOf } from '../../scores/node/hashOf.js';
import { expertsOf, linearsOf, listLinears } from '../../config/plan.js';
import { adjustBlocks } from '../adjustBlocks.js';
import { findImportance } from '../inputSquares.js';
import { quantizeByGradients } from '../quantizeByGradients.js';
import { quantizeAlone } from '../quantizeAlone.js';
import { quantizeBySamples } from '../quantizeBySamples.js';
import { quantizeBlocks } from '../quantizeBlocks.js';
import type { CalibratedPart, CalibrationRequest, LinearFactors } from '../types.js';
import { CalibratedFiles } from './calibratedFiles.js';
import { pruneCalibrated, refuseFullDisk, touchFolder } from './calibratedFolders.js';

/** Changes whenever the meaning of kept weights does. */
const MEANING = '3';

/** What runs a method's quantize step. */
const QUANTIZE = {
  gram: quantizeBlocks,
  samples: quantizeBySamples,
  // Without windows that pass.
  nothing: quantizeAlone,
  importance: quantizeAlone,
  gradients: quantizeByGradients,
};

/** What a model is calibrated with. */
export interface CalibrationSetup {
  readonly host: Host;
  readonly pool: PoolOptions;
  readonly model: LanguageModel;
  /** Everything that calibrated weights depend on beside the scheme and the tensors: model, program, text. */
  readonly key: readonly string[];
  /** Token ids of the calibration text, as a method wants them. */
  windowsFor(applied: AppliedMethod): Promise<{ readonly windows: readonly Int32Array[] }>;
  /** Mean squares of inputs that were given, and a name for them in caches; absent: they are found on windows. */
  readonly importance?: { readonly of: ImportanceOf; readonly key: string };
  /** Mean squares that were found, by what they depend on: several schemes on one text share them. */
  readonly foundImportance?: Map<string, ImportanceOf>;
  readonly scaleDtype: ScaleDtype;
  /** Inputs of the tensors that are quantized, by name. */
  readonly tensors: ReadonlyMap<string, number>;
  /** Where calibrated weights are kept. */
  readonly folder: string;
  /** Names of folders there that this run needs; calibrations add theirs. */
  readonly inUse: Set<string>;
}

/** A model's weights as a scheme's methods leave them. */
export interface CalibratedModel {
  /** By tensor name: of those that are quantized, and of what factors are folded into. */
  readonly changes: ReadonlyMap<string, TensorChange>;
  /** The same before weights are rounded: what was scaled and clipped. */
  readonly unrounded: ReadonlyMap<string, TensorChange>;
  /** What is folded into weights, of all methods together, by the name of their tensor. */
  readonly factors: ReadonlyMap<string, LinearFactors>;
  readonly findings: readonly StepFinding[];
  /** How inputs of linear maps are rounded, where a method has chosen it: by the name of their weights. */
  readonly roundings: ReadonlyMap<string, FixedRounding>;
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
  let unrounded: ReadonlyMap<string, TensorChange> = new Map();
  const factors = new Map<string, LinearFactors>();
  const findings: StepFinding[] = [];
  const roundings = new Map<string, FixedRounding>();
  const quantized = new Set<string>();
  let key = '';
  for (const applied of methods) {
    const steps = chosenSteps(applied.method, applied.options);
    const given = needsImportance(applied) ? setup.importance : undefined;
    if (given && changes.size > 0) throw new Error(refuseGiven(scheme, applied));
    const windows = seesText(applied) && !given ? (await setup.windowsFor(applied)).windows : [];
    // What a method makes depends on what those before it have made.
    key = hashOf([
      ...(key === '' ? [MEANING, ...setup.key, setup.scaleDtype, format.id] : [key]),
      formatMethod(applied),
      hashOf(windows.map(bytesOf)),
      ...(given ? [given.key] : []),
      ...(steps.scale || steps.quantize?.needs === 'samples' ? [scheme.activations?.id ?? ''] : []),
      ...[...setup.tensors.keys()].sort(),
    ]);
    for (const step of ['adjust', 'quantize'] as const) {
      const isWanted = step === 'adjust' ? (steps.scale ?? steps.clip) : steps.quantize;
      if (!isWanted) continue;
      const label = `Calibrating ${scheme.id}: ${applied.method.label}`;
      const parts = await runStep(
        { setup, scheme, applied, step, base: changes, windows, key },
        {
          ...options,
          onProgress:
            options.onProgress &&
            ((progress) =>
              options.onProgress!({
                ...progress,
                message: `${label}, ${progress.message ?? 'done'}`,
              })),
        },
      );
      // Only now is the step's pool out of reach.
      setup.host.freeMemory();
      for (const part of parts) {
        for (const [name, change] of part.changes) {
          changes.set(name, change);
          if (step === 'quantize') quantized.add(name);
        }
        for (const [name, more] of part.factors) {
          factors.set(name, multiplyFactors(factors.get(name), more));
        }
        for (const [name, rounding] of part.roundings) roundings.set(name, rounding);
        findings.push(...part.findings);
      }
      if (step === 'adjust') unrounded = new Map(changes);
    }
  }
  const unreached = unreachedOf(setup);
  if (unreached.length > 0) findings.push(noteUnreached(setup, unreached));
  for (const [name, inputs] of setup.tensors) {
    if (quantized.has(name)) continue;
    changes.set(name, { ...changes.get(name), format: formatForWidth(format, inputs) });
  }
  return { changes, unrounded, factors, findings, roundings, key };
}

/** Factors of one method behind those of others. */
function multiplyFactors(before: LinearFactors | undefined, more: LinearFactors): LinearFactors {
  const product = (one: Float32Array | undefined, other: Float32Array | undefined) =>
    one && other ? one.map((value, at) => value * other[at]) : (one ?? other);
  return {
    inputs: product(before?.inputs, more.inputs),
    outputs: product(before?.outputs, more.outputs),
  };
}

/** Inputs that were measured on the model as it is stored say nothing of those that another method has scaled. */
function refuseGiven({ id }: QuantizationScheme, { method }: AppliedMethod): string {
  return `${id}: an importance matrix is of the model's own inputs, which methods before "+${method.name}" have changed: use it without them, or calibrate on a text`;
}

/** Tensors that no method sees the inputs of: embeddings and heads. */
function unreachedOf({ model, tensors }: CalibrationSetup): readonly string[] {
  const reached = new Set(
    model.plan.blocks.flatMap((block) =>
      [...listLinears(block), ...expertsOf(block).flatMap(linearsOf)].map(({ weight }) => weight),
    ),
  );
  return [...tensors.keys()].filter((name) => !reached.has(name));
}

function noteUnreached({ model }: CalibrationSetup, tensors: readonly string[]): StepFinding {
  const those = tensors.length === 1 ? `${tensors[0]} is` : `${tensors.length} tensors are`;
  return {
    // Behind all blocks.
    block: model.plan.blocks.length,
    tensors,
    values: {},
    notes: [
      `${those} rounded to nearest only: methods work on linear maps of blocks, not on embeddings and heads.`,
    ],
  };
}

/** One step of a scheme. */
interface StepRun {
  readonly setup: CalibrationSetup;
  readonly scheme: QuantizationScheme;
  readonly applied: AppliedMethod;
  readonly step: 'adjust' | 'quantize';
  /** What earlier steps have made of the model. */
  readonly base: ReadonlyMap<string, TensorChange>;
  readonly windows: readonly Int32Array[];
  readonly key: string;
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function runStep(
  { setup, scheme, applied, step, base, windows, key }: StepRun,
  options: CallOptions,
): Promise<readonly CalibratedPart[]> {
  const { format, activations } = scheme;
  const { host, model, scaleDtype, tensors, folder } = setup;
  const name = `${key}-${step}`;
  const bytes = model.opened.tensors.reduce(
    (sum, { name: tensor, elements }) => (tensors.has(tensor) ? sum + elements * 4 : sum),
    0,
  );
  if (!(await isKept(join(folder, name)))) await refuseFullDisk(folder, bytes);
  setup.inUse.add(name);
  await pruneCalibrated(folder, setup.inUse);
  // Its memory is free when it ends.
  const pool = await WorkerPool.create(host, setup.pool);
  try {
    const wanted = new Set(tensors.keys());
    const basics = { pool, model, windows, scaleDtype, base: new Map(base), tensors: wanted };
    const request: CalibrationRequest = {
      ...basics,
      format,
      activations,
      parts: new CalibratedFiles(join(folder, name), options.signal),
      importance: async () => {
        if (setup.importance) return setup.importance.of;
        // Of changes that methods before have made, nobody else has the same.
        const text = base.size > 0 ? key : hashOf(windows.map(bytesOf));
        const found = setup.foundImportance?.get(text) ?? (await findImportance(basics, options));
        setup.foundImportance?.set(text, found);
        return found;
      },
    };
    if (step === 'adjust') return await adjustBlocks(request, applied, options);
    return await QUANTIZE[applied.method.quantize!.needs](request, applied, options);
  } finally {
    await pool.dispose();
    await touchFolder(join(folder, name));
  }
}

async function isKept(folder: string): Promise<boolean> {
  return (await localFileSystem.kind(folder)) === 'folder';
}

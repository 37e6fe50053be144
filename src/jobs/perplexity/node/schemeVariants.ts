import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getMatrixShape } from '../../../checkpoint/matrixShape.js';
import type { WorkerPool } from '../../../compute/workerPool.js';
import { formatForWidth, type ScaleDtype } from '../../../formats/index.js';
import type { QuantizationScheme } from '../../../methods/schemes.js';
import { contextOf, needsImportance, seesText } from '../../../methods/steps.js';
import type { ImportanceOf } from '../../../methods/types.js';
import { findInputMagnitudes, staticActivations } from '../../../model/calibration/inputRanges.js';
import {
  calibrateModel,
  type CalibratedModel,
} from '../../../model/calibration/node/calibrateModel.js';
import type { LinearFactors } from '../../../model/calibration/types.js';
import { activationKey, inActivationFormat } from '../../../model/evaluation/activations.js';
import type {
  ActivationChange,
  LanguageModel,
  TensorChange,
  Variant,
} from '../../../model/evaluation/types.js';
import { fingerprintModel } from '../../../model/scores/node/fingerprint.js';
import { hashOf } from '../../../model/scores/node/hashOf.js';
import type { CalibrationReport } from '../../../reports/reports.js';
import type { CallOptions } from '../../../rpc/rpc.js';
import type { FileSystem } from '../../../storage/fileSystem.js';
import { describeFindings } from '../describeFindings.js';
import { readImportance, type GivenImportance } from '../../imatrix/node/readImportance.js';
import { DEFAULT_MEMORY_BUDGET, type PerplexitySettings } from '../measurement.js';
import { CalibrationText, type ScoredText } from './calibrationText.js';

/** What static scales of activations are found on, unless the user asks for others. */
const STATIC_SCALES = { windows: 64, context: 256 };

/** What variants are made of. */
export interface SchemeVariantsSetup {
  readonly pool: WorkerPool;
  readonly model: LanguageModel;
  readonly schemes: readonly QuantizationScheme[];
  /** Names of the tensors that are quantized. */
  readonly tensors: readonly string[];
  /** Also each of the tensors alone. */
  readonly perLayer: boolean;
  readonly scaleDtype: ScaleDtype;
  readonly settings: PerplexitySettings;
  /** What will be scored, if anything is: calibration keeps away from it. */
  readonly evaluated?: ScoredText;
  /** The local disk, as it is to be read. */
  readonly files: FileSystem;
}

/** A scheme as an evaluation takes it. */
export interface SchemeVariant {
  readonly whole: Variant;
  readonly alone: readonly Variant[];
  /** What is folded into its weights, by the name of their tensor. */
  readonly factors: ReadonlyMap<string, LinearFactors>;
  readonly calibration?: CalibrationReport;
}

export interface SchemeVariants {
  readonly variants: readonly SchemeVariant[];
  readonly text: CalibrationText;
  /** Removes calibrated weights that are not to be kept. */
  end(): Promise<void>;
}

/**
 * Variants of a model in some schemes; those with methods are calibrated first.
 * @throws an Error of one line that names the file at fault; an AbortError when cancelled
 */
export async function makeSchemeVariants(
  setup: SchemeVariantsSetup,
  options: CallOptions,
): Promise<SchemeVariants> {
  const maker = new VariantMaker(setup, options);
  try {
    const variants: SchemeVariant[] = [];
    for (const scheme of setup.schemes) variants.push(await maker.make(scheme));
    return { variants, text: maker.text, end: () => maker.end() };
  } catch (error) {
    await maker.end();
    throw error;
  }
}

class VariantMaker {
  readonly text: CalibrationText;
  /** Inputs of tensors by name. */
  private readonly widths: ReadonlyMap<string, number>;
  private magnitudes?: Promise<ReadonlyMap<string, Float32Array>>;
  private known?: Promise<string | undefined>;
  private given?: Promise<GivenImportance | undefined>;
  private readonly inUse = new Set<string>();
  private readonly foundImportance = new Map<string, ImportanceOf>();
  private temporary?: string;

  constructor(
    private readonly setup: SchemeVariantsSetup,
    private readonly options: CallOptions,
  ) {
    this.text = new CalibrationText(setup, options.signal);
    const { tensors } = setup.model.opened;
    this.widths = new Map(tensors.map((tensor) => [tensor.name, getMatrixShape(tensor).columns]));
  }

  async make(scheme: QuantizationScheme): Promise<SchemeVariant> {
    const { tensors, perLayer } = this.setup;
    const isPlain = scheme.methods.length === 0 && !scheme.activations;
    if (isPlain) {
      return {
        whole: this.rounded(scheme, tensors),
        // The name of a variant depends on nothing but what it is, so that later runs find its scores.
        alone: perLayer ? tensors.map((name) => this.rounded(scheme, [name])) : [],
        factors: new Map(),
      };
    }
    if (perLayer) {
      throw new Error(
        `${scheme.id}: each tensor alone is measured for formats without methods and activations only`,
      );
    }
    const { whole, calibration, factors, ...made } = await this.calibrated(scheme);
    const activations = await this.activationsOf(scheme, made);
    return {
      whole: {
        ...whole,
        id: `${whole.id}${activations ? ` ${rangesKey(activations)}` : ''}`,
        activations,
      },
      alone: [],
      factors,
      calibration,
    };
  }

  /** Removes what is not to be kept. */
  async end(): Promise<void> {
    if (this.temporary) await rm(this.temporary, { recursive: true, force: true });
  }

  private rounded(scheme: QuantizationScheme, names: readonly string[]): Variant {
    const changes = names.map((name): [string, TensorChange] => [
      name,
      { format: formatForWidth(scheme.format, this.widths.get(name)) },
    ]);
    return { id: `${scheme.id} ${nameTensors(names)}`, changes: new Map(changes) };
  }

  private async calibrated(
    scheme: QuantizationScheme,
  ): Promise<
    Pick<SchemeVariant, 'whole' | 'calibration'> &
      Pick<CalibratedModel, 'unrounded' | 'factors' | 'roundings'>
  > {
    const { methods, id } = scheme;
    const { tensors, model, pool, scaleDtype } = this.setup;
    if (methods.length === 0) {
      const whole = this.rounded(scheme, tensors);
      return { whole, unrounded: new Map(), factors: new Map(), roundings: new Map() };
    }
    const begin = performance.now();
    const { host } = pool;
    const given = methods.some(needsImportance) ? await this.givenImportance() : undefined;
    const made = await calibrateModel(
      {
        host,
        pool: { threads: pool.threads, backend: pool.backend },
        model,
        key: [
          (await this.fingerprint()) ?? model.opened.path,
          await host.assets.programHash(),
          pool.arithmetic,
        ],
        windowsFor: (applied) => this.text.windowsFor(applied.method.defaults, contextOf(applied)),
        importance: given,
        foundImportance: this.foundImportance,
        scaleDtype,
        tensors: new Map(tensors.map((name) => [name, this.widths.get(name)!])),
        folder: await this.folder(),
        inUse: this.inUse,
      },
      scheme,
      this.options,
    );
    const last = methods.findLast(
      (applied) => seesText(applied) && !(given && needsImportance(applied)),
    );
    const { windows, source } = last
      ? await this.text.windowsFor(last.method.defaults, contextOf(last))
      : { windows: [], source: undefined };
    return {
      unrounded: made.unrounded,
      factors: made.factors,
      roundings: made.roundings,
      whole: { id: `${id} ${nameTensors(tensors)} ${made.key}`, changes: made.changes },
      calibration: {
        text: source,
        ...(given && { imatrix: given.source }),
        windows: windows.length,
        context: windows.reduce((most, { length }) => Math.max(most, length), 0),
        tokens: windows.reduce((sum, { length }) => sum + length, 0),
        seconds: (performance.now() - begin) / 1000,
        findings: describeFindings(made.findings),
      },
    };
  }

  /** What was given in a file: read once for all schemes. */
  private givenImportance(): Promise<GivenImportance | undefined> {
    const { settings, files, model, tensors } = this.setup;
    const { imatrixFile } = settings.calibration ?? {};
    if (imatrixFile === undefined) return Promise.resolve(undefined);
    this.given ??= readImportance(imatrixFile, { files, model, tensors }).then((given) => {
      this.text.notes.push(...given.notes);
      return given;
    });
    return this.given;
  }

  /**
   * @param unrounded what was scaled, whose inputs static scales are of
   * @param roundings what methods have chosen in place of these
   */
  private async activationsOf(
    { activations, id }: QuantizationScheme,
    { unrounded, roundings }: Pick<CalibratedModel, 'unrounded' | 'roundings'>,
  ): Promise<ReadonlyMap<string, ActivationChange> | undefined> {
    if (!activations) return undefined;
    const { tensors } = this.setup;
    if (activations.entry.scaling === 'token') return inActivationFormat(activations, tensors);
    const isFixed = tensors.every((name) => roundings.has(name));
    const magnitudes = isFixed
      ? undefined
      : await (unrounded.size > 0
          ? this.findMagnitudes({ id, changes: unrounded })
          : this.inputMagnitudes());
    return new Map(
      tensors.map((name): [string, ActivationChange] => {
        const fixed = roundings.get(name);
        return [
          name,
          fixed
            ? { format: activations, fixed }
            : staticActivations(activations, magnitudes?.get(name)),
        ];
      }),
    );
  }

  /** Of the model as it is stored: found once for all schemes. */
  private inputMagnitudes(): Promise<ReadonlyMap<string, Float32Array>> {
    this.magnitudes ??= this.findMagnitudes();
    return this.magnitudes;
  }

  private async findMagnitudes(variant?: Variant): Promise<ReadonlyMap<string, Float32Array>> {
    const { pool, model, scaleDtype, settings } = this.setup;
    const { windows } = await this.text.windowsFor(STATIC_SCALES);
    const { memoryBudgetBytes = DEFAULT_MEMORY_BUDGET } = settings;
    return findInputMagnitudes(
      { pool, model, windows, variant, settings: { scaleDtype, memoryBudgetBytes } },
      this.options,
    );
  }

  /** Found once for all schemes. */
  private fingerprint(): Promise<string | undefined> {
    this.known ??= fingerprintModel(this.setup.model.opened);
    return this.known;
  }

  private async folder(): Promise<string> {
    const { cacheFolder, calibratedFolder } = this.setup.settings;
    if (calibratedFolder !== undefined) return calibratedFolder;
    // Of a model whose changes cannot be noticed, nothing is kept.
    if (cacheFolder && (await this.fingerprint())) return join(cacheFolder, 'calibrated');
    this.temporary ??= await mkdtemp(join(tmpdir(), 'quantscope-calibrated-'));
    return this.temporary;
  }
}

function nameTensors(names: readonly string[]): string {
  return names.length === 1 ? names[0] : `${names.length} ${hashOf([...names].sort())}`;
}

function rangesKey(activations: ReadonlyMap<string, ActivationChange>): string {
  return hashOf([...activations].map(([name, change]) => `${name} ${activationKey(change)}`));
}

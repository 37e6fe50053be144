import { mkdir, readdir, realpath, rename, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { findModelFiles } from '../../checkpoint/node/modelFiles.js';
import { parseShardName } from '../../checkpoint/shardNames.js';
import { countSourceBytes, type ModelTensor, type OpenedModel } from '../../checkpoint/types.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { parseFormat, type NumberFormat, type ScaleDtype } from '../../formats/index.js';
import type { ComparisonReport } from '../../reports/reports.js';
import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import {
  writeSafetensors,
  writeShardIndex,
  type TensorSink,
  type WrittenShard,
} from '../../safetensors/node/writer.js';
import { describeSystemError } from '../../storage/describeError.js';
import type { ElementTypeName } from '../../storage/elementTypes.js';
import { quoted, visible } from '../../storage/errors.js';
import { refuseChanged } from '../../storage/inputs.js';
import type { WriteOptions } from '../../storage/node/atomicFile.js';
import { makeFolder } from '../../storage/node/makeFolder.js';
import { refuseInputs } from '../../storage/node/outputTarget.js';
import { endPartial, startPartial, sweepPartials } from '../../storage/node/partialFiles.js';
import { reportWeights } from '../comparison/compareWeights.js';
import {
  quantizeTensors,
  type QuantizedTensor,
  type QuantizeTimes,
} from '../comparison/quantizeTensors.js';
import { openStoredSources } from '../../layouts/node/openStored.js';
import { writeCompanions } from './companionFiles.js';
import { reportMix } from '../comparison/compareMixes.js';
import { resolveMix, type FormatMix } from '../mixes.js';
import { selectTensors, type Selection } from '../selection.js';

export interface QuantizeRequest extends Selection {
  /** Of all selected tensors, or of each its own; the tensors are then those of the mix. */
  readonly format: string | FormatMix;
  /** A `.safetensors` file, or a folder that gets the same files as the checkpoint has, and can be used as a model. */
  readonly out: string;
  readonly scaleDtype?: ScaleDtype;
}

export interface QuantizeReport extends ComparisonReport {
  /** Files written. */
  readonly outputs: readonly string[];
}

/** A tensor of the output and the one it comes from. */
interface OutputTensor {
  readonly name: string;
  readonly dtype: ElementTypeName;
  readonly shape: readonly number[];
  readonly source: ModelTensor;
  readonly quantized: boolean;
}

const COPY_BYTES = 4 << 20;

/** Raised when the place to write to cannot be used; one line. */
class OutputError extends Error {
  override readonly name = 'OutputError';
}

/**
 * Quantizes tensors and writes a checkpoint with their dequantized values; everything else is copied
 * byte by byte. Outputs appear whole or not at all, inputs are never touched.
 * @throws SelectionError, OutputError, CheckpointError; an AbortError when cancelled
 */
export async function quantizeToFile(
  pool: WorkerPool,
  model: OpenedModel,
  request: QuantizeRequest,
  options: CallOptions = {},
): Promise<QuantizeReport> {
  const begin = performance.now();
  const { format, scaleDtype = 'f16' } = request;
  const selected = chooseFormats(model, request);
  const made: Readonly<Record<string, string>> =
    typeof format === 'string'
      ? { 'quantscope.format': parseFormat(format).id }
      : { 'quantscope.recipe': format.name };
  refuseUnwritable(model, request.out);
  const inputs = await listInputs(model);
  const job = new QuantizeJob(pool, model, { scaleDtype, selected, inputs, made }, options);
  try {
    const outputs = await job.write(request.out);
    const { times } = job;
    // Files may have them in another order.
    const places = new Map(model.tensors.map((tensor, at) => [tensor, at]));
    const tensors = [...job.results].sort((a, b) => places.get(a.tensor)! - places.get(b.tensor)!);
    const report =
      typeof format === 'string'
        ? reportWeights(pool, model, {
            ...{ scaleDtype, tensors, times, begin },
            formats: [parseFormat(format)],
          })
        : reportMix(pool, model, { mix: format, tensors }, { scaleDtype, times, begin });
    return { ...report, notes: [...report.notes, ...job.notes], outputs };
  } finally {
    await job.close();
  }
}

/** What is written in the place of some tensors. */
export interface ReplacedRequest {
  /** F32 in the order in which the tensors are stored, by name. */
  readonly values: ReadonlyMap<string, Float32Array>;
  /** See {@link QuantizeRequest.out}. */
  readonly out: string;
  /** Added to the metadata of the files. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Writes a checkpoint in which some tensors have other values; everything else is copied byte by byte. Outputs appear
 * whole or not at all, inputs are never touched.
 * @throws OutputError, CheckpointError; an AbortError when cancelled
 */
export async function writeReplaced(
  pool: WorkerPool,
  model: OpenedModel,
  { values, out, metadata }: ReplacedRequest,
  options: CallOptions = {},
): Promise<{ readonly outputs: readonly string[]; readonly notes: readonly string[] }> {
  refuseUnwritable(model, out);
  const replaced = model.tensors.filter(({ name }) => values.has(name));
  const selected = new Map(replaced.map((tensor) => [tensor, parseFormat('f32')]));
  const plan = { scaleDtype: 'f32' as const, selected, inputs: await listInputs(model) };
  const job = new QuantizeJob(pool, model, { ...plan, made: metadata, values }, options);
  try {
    return { outputs: await job.write(out), notes: job.notes };
  } finally {
    await job.close();
  }
}

/** @throws OutputError where not all tensors can be written, or not there */
export function refuseUnwritable(model: OpenedModel, out: string): void {
  if (model.problems.length > 0) {
    const [problem] = model.problems;
    throw new OutputError(`${problem.message}; an incomplete checkpoint cannot be written`);
  }
  const [lost] = model.configuration ? model.undecodable.keys() : [];
  if (lost !== undefined) {
    const reason = model.undecodable.get(lost)!;
    throw new OutputError(
      `${visible(model.path)}: ${quoted(lost)} cannot be decoded (${reason}), and safetensors has no element type for its blocks`,
    );
  }
  if (/\.gguf$/i.test(out)) {
    throw new OutputError(
      `${visible(out)}: weights are written as safetensors; name a .safetensors file or a folder`,
    );
  }
}

/** The tensors that are quantized, and the format of each. */
function chooseFormats(
  model: OpenedModel,
  { format, ...selection }: QuantizeRequest,
): ReadonlyMap<ModelTensor, NumberFormat> {
  if (typeof format !== 'string') {
    return new Map(resolveMix(model, format).map((each) => [each.tensor, each.format]));
  }
  const parsed = parseFormat(format);
  return new Map(selectTensors(model, selection).map((tensor) => [tensor, parsed]));
}

/** Paths that the output must not take. */
async function listInputs({ fileSystem, inputs, path }: OpenedModel): Promise<string[]> {
  return fileSystem.isLocal ? [...inputs.keys(), ...(await findModelFiles(path))] : [];
}

interface QuantizePlan {
  /** Added to the metadata of files. */
  readonly made: Readonly<Record<string, string>>;
  /** What is written in the place of some of the selected, by name. */
  readonly values?: ReadonlyMap<string, Float32Array>;
  readonly scaleDtype: ScaleDtype;
  /** The format of each; the others are copied. */
  readonly selected: ReadonlyMap<ModelTensor, NumberFormat>;
  readonly inputs: readonly string[];
}

class QuantizeJob {
  readonly results: QuantizedTensor[] = [];
  /** What the reader must know of what was written. */
  readonly notes: string[] = [];
  readonly times: QuantizeTimes = { read: 0, kernel: 0 };
  private readonly sources = openStoredSources();
  private readonly totalBytes: number;
  private doneBytes = 0;
  /** For tensors that are copied, one after the other. */
  private readonly copyBuffer: Uint8Array;

  constructor(
    private readonly pool: WorkerPool,
    private readonly model: OpenedModel,
    private readonly plan: QuantizePlan,
    private readonly options: CallOptions,
  ) {
    this.totalBytes = model.tensors.reduce((sum, tensor) => sum + countSourceBytes(tensor), 0);
    const largest = model.tensors.reduce((most, each) => Math.max(most, countSourceBytes(each)), 0);
    this.copyBuffer = new Uint8Array(Math.min(COPY_BYTES, largest));
  }

  /** Writes a file or a folder, as its name says; returns the paths of files. */
  async write(out: string): Promise<readonly string[]> {
    return out.endsWith('.safetensors') ? [await this.writeFile(out)] : this.writeFolder(out);
  }

  /** Writes all tensors to one file; returns its path. */
  private async writeFile(out: string): Promise<string> {
    const path = resolve(out);
    await this.writeTensors(path, this.model.tensors, {
      inputs: this.plan.inputs,
      beforeRename: () => this.refuseChanged(),
    });
    return path;
  }

  private async writeTensors(
    path: string,
    tensors: readonly ModelTensor[],
    options: WriteOptions = {},
  ): Promise<void> {
    const entries = tensors.map((source): OutputTensor => {
      const quantized = this.plan.selected.has(source);
      const { name, shape } = source;
      return { name, shape, dtype: quantized ? 'F32' : source.dtype, source, quantized };
    });
    const metadata = { ...this.model.metadata, ...this.plan.made };
    await writeSafetensors(
      path,
      entries,
      metadata,
      (entry, sink) => (entry.quantized ? this.quantize(entry, sink) : this.copy(entry, sink)),
      { ...options, signal: this.options.signal },
    );
  }

  /** Writes a folder with the checkpoint's file names; it appears when all files are complete. */
  private async writeFolder(out: string): Promise<string[]> {
    await refuseInputs(out, this.plan.inputs);
    // An empty folder is replaced; a link to it stays.
    const folder = await realpath(out).catch(() => resolve(out));
    const existing = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      return refuseFolder(out)(error);
    });
    if (existing.length > 0) {
      throw new OutputError(`${out}: the output folder is not empty; nothing is overwritten`);
    }
    await makeFolder(dirname(folder)).catch(refuseFolder(out));
    await sweepPartials(folder);
    const partial = startPartial(dirname(folder));
    try {
      await mkdir(partial).catch(refuseFolder(out));
      const shards: WrittenShard[] = [];
      for (const { name } of this.model.files) {
        const tensors = this.model.tensors.filter(({ file }) => file === name);
        const written = name.replace(/\.gguf$/i, '.safetensors');
        await this.writeTensors(join(partial, written), tensors);
        shards.push({
          file: written,
          tensors: tensors.map((tensor) => ({
            name: tensor.name,
            bytes: this.plan.selected.has(tensor) ? tensor.elements * 4 : countSourceBytes(tensor),
          })),
        });
      }
      const names = shards.map(({ file }) => file);
      const index = nameIndex(this.model);
      if (index !== undefined) {
        await writeShardIndex(join(partial, index), shards);
        names.push(index);
      }
      const companions = await writeCompanions(this.model, partial);
      names.push(...companions.names);
      this.notes.push(...companions.notes);
      await this.refuseChanged();
      throwIfCancelled(this.options.signal);
      await replaceEmptyFolder(partial, folder);
      return names.map((name) => join(folder, name));
    } finally {
      await endPartial(partial);
    }
  }

  private refuseChanged(): Promise<void> {
    return refuseChanged(this.model.inputs, this.model.fileSystem);
  }

  private async quantize({ source }: OutputTensor, sink: TensorSink): Promise<void> {
    const base = this.doneBytes;
    const bytes = countSourceBytes(source);
    const values = this.plan.values?.get(source.name);
    if (values) {
      await sink.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      this.doneBytes = base + bytes;
      return;
    }
    const { tensors, times } = await quantizeTensors(
      this.pool,
      {
        tensors: [source],
        formats: [this.plan.selected.get(source)!],
        scaleDtype: this.plan.scaleDtype,
        onOutput: (_, weights) =>
          sink.write(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)),
      },
      {
        signal: this.options.signal,
        onProgress: ({ done, total }) => this.report(base + (bytes * done) / total, source.name),
      },
    );
    this.results.push(...tensors);
    this.times.read += times.read;
    this.times.kernel += times.kernel;
    this.doneBytes = base + bytes;
  }

  private async copy({ source }: OutputTensor, sink: TensorSink): Promise<void> {
    const bytes = countSourceBytes(source);
    for (let done = 0; done < bytes;) {
      throwIfCancelled(this.options.signal);
      const length = Math.min(this.copyBuffer.length, bytes - done);
      const piece = this.copyBuffer.subarray(0, length);
      await this.sources.read(source.source, source.offset + done, piece);
      await sink.write(piece);
      done += piece.length;
      this.report(this.doneBytes + done, source.name);
    }
    this.doneBytes += bytes;
  }

  private report(done: number, message: string): void {
    this.options.onProgress?.({ done, total: this.totalBytes, message });
  }

  close(): Promise<void> {
    return this.sources.close();
  }
}

/** Name of the index to write: that of the model; shards that have none get one. */
function nameIndex({ path, files }: OpenedModel): string | undefined {
  if (path.endsWith('.index.json')) return basename(path);
  if (files.length < 2) return undefined;
  const { before = 'model-', after = '.safetensors' } = parseShardName(files[0].name) ?? {};
  return `${before.replace(/[-_.]$/, '')}${after.slice(after.lastIndexOf('.'))}.index.json`;
}

function refuseFolder(out: string): (error: unknown) => never {
  return (error) => {
    const detail = `cannot be used as output folder: ${describeSystemError(error)}`;
    throw new OutputError(`${out}: ${detail}`, { cause: error });
  };
}

/** Gives a folder its name. @throws OutputError where something has been put there meanwhile */
async function replaceEmptyFolder(partial: string, folder: string): Promise<void> {
  try {
    await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await rename(partial, folder);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(code)) refuseFolder(folder)(error);
    const detail = 'something was put there while the job ran; nothing is overwritten';
    throw new OutputError(`${folder}: ${detail}`, { cause: error });
  }
}

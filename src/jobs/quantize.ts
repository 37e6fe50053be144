import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { WorkerPool } from '../compute/workerPool.js';
import { parseFormat, type NumberFormat, type ScaleDtype } from '../formats/index.js';
import { throwIfCancelled, type CallOptions } from '../protocol/rpc.js';
import {
  CheckpointError,
  openCheckpointFile,
  writeSafetensors,
  writeShardIndex,
  type ByteSource,
  type TensorSink,
  type WrittenShard,
} from '../safetensors/index.js';
import type { Checkpoint, CheckpointTensor, SafetensorsDtype } from '../safetensors/types.js';
import { buildReport } from './compare.js';
import { quantizeTensors, type QuantizedTensor, type QuantizeTimes } from './quantizeTensors.js';
import type { ComparisonReport } from './reports.js';
import { selectTensors, type Selection } from './selection.js';

export interface QuantizeRequest extends Selection {
  readonly format: string;
  /** A `.safetensors` file, or a folder that gets the same files as the checkpoint has. */
  readonly out: string;
  /** Layout: quantized tensors as the F32 values their codes decode to, all others as they are. */
  readonly as?: 'dequantized-f32';
  readonly scaleDtype?: ScaleDtype;
}

export interface QuantizeReport extends ComparisonReport {
  /** Files written. */
  readonly outputs: readonly string[];
}

/** A tensor of the output and the one it comes from. */
interface OutputTensor {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly source: CheckpointTensor;
  readonly quantized: boolean;
}

const COPY_BYTES = 4 << 20;

/** Raised when the place to write to cannot be used; one line. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

/**
 * Quantizes tensors and writes a checkpoint with their dequantized values; everything else is copied
 * byte by byte. Outputs appear whole or not at all, inputs are never touched.
 * @throws SelectionError, OutputError, CheckpointError; an AbortError when cancelled
 */
export async function quantizeToFile(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  request: QuantizeRequest,
  options: CallOptions = {},
): Promise<QuantizeReport> {
  const begin = performance.now();
  const format = parseFormat(request.format);
  const selected = new Set(selectTensors(checkpoint, request));
  if (checkpoint.problems.length > 0) {
    const [problem] = checkpoint.problems;
    throw new OutputError(
      `${problem.file}: ${problem.message}; an incomplete checkpoint cannot be written`,
    );
  }
  const job = new QuantizeJob(pool, checkpoint, request, format, selected, options);
  try {
    const outputs = request.out.endsWith('.safetensors')
      ? [await job.writeFile(request.out, checkpoint.tensors)]
      : await job.writeFolder(request.out);
    const report = await buildReport(
      pool,
      checkpoint,
      [format],
      request.scaleDtype ?? 'f16',
      job.results,
      job.times,
      begin,
    );
    return { ...report, outputs };
  } finally {
    await job.close();
  }
}

class QuantizeJob {
  readonly results: QuantizedTensor[] = [];
  readonly times: QuantizeTimes = { read: 0, kernel: 0 };
  private readonly sources = new Map<string, ByteSource>();
  private readonly totalBytes: number;
  private doneBytes = 0;

  constructor(
    private readonly pool: WorkerPool,
    private readonly checkpoint: Checkpoint,
    private readonly request: QuantizeRequest,
    private readonly format: NumberFormat,
    private readonly selected: ReadonlySet<CheckpointTensor>,
    private readonly options: CallOptions,
  ) {
    this.totalBytes = checkpoint.tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Writes tensors to one file; returns its path. */
  async writeFile(out: string, tensors: readonly CheckpointTensor[]): Promise<string> {
    const path = resolve(out);
    const entries = tensors.map((source): OutputTensor => {
      const quantized = this.selected.has(source);
      const { name, shape } = source;
      return { name, shape, dtype: quantized ? 'F32' : source.dtype, source, quantized };
    });
    const metadata = { ...this.checkpoint.metadata, 'quantscope.format': this.format.id };
    await writeSafetensors(
      path,
      entries,
      metadata,
      (entry, sink) => (entry.quantized ? this.quantize(entry, sink) : this.copy(entry, sink)),
      {
        signal: this.options.signal,
        inputs: this.checkpoint.files.map((file) => file.path),
      },
    );
    return path;
  }

  /** Writes a folder with the checkpoint's file names; it appears when all files are complete. */
  async writeFolder(out: string): Promise<string[]> {
    const folder = resolve(out);
    const existing = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw new OutputError(`${out}: cannot be used as output folder (${error.code})`);
    });
    if (existing.length > 0) {
      throw new OutputError(`${out}: the output folder is not empty; nothing is overwritten`);
    }
    await mkdir(dirname(folder), { recursive: true });
    const partial = join(dirname(folder), `.${basename(folder)}-${process.pid}.partial`);
    await mkdir(partial);
    try {
      const shards: WrittenShard[] = [];
      for (const { name } of this.checkpoint.files) {
        const tensors = this.checkpoint.tensors.filter(({ file }) => file === name);
        await this.writeFile(join(partial, name), tensors);
        shards.push({
          file: name,
          tensors: tensors.map((tensor) => ({
            name: tensor.name,
            bytes: this.selected.has(tensor) ? tensor.elements * 4 : tensor.bytes,
          })),
        });
      }
      const names = shards.map(({ file }) => file);
      if (this.checkpoint.path.endsWith('.index.json')) {
        const index = basename(this.checkpoint.path);
        await writeShardIndex(join(partial, index), shards);
        names.push(index);
      }
      throwIfCancelled(this.options.signal);
      await rm(folder, { recursive: true, force: true });
      await rename(partial, folder);
      return names.map((name) => join(folder, name));
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      throw error;
    }
  }

  private async quantize({ source }: OutputTensor, sink: TensorSink): Promise<void> {
    const base = this.doneBytes;
    const { tensors, times } = await quantizeTensors(
      this.pool,
      this.checkpoint,
      [source],
      [this.format],
      this.request.scaleDtype ?? 'f16',
      {
        signal: this.options.signal,
        onProgress: ({ done, total }) =>
          this.report(base + (source.bytes * done) / total, source.name),
      },
      (_, weights) =>
        sink.write(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)),
    );
    this.results.push(...tensors);
    this.times.read += times.read;
    this.times.kernel += times.kernel;
    this.doneBytes = base + source.bytes;
  }

  private async copy({ source }: OutputTensor, sink: TensorSink): Promise<void> {
    const bytes = new Uint8Array(Math.min(COPY_BYTES, source.bytes));
    for (let done = 0; done < source.bytes;) {
      throwIfCancelled(this.options.signal);
      const piece = bytes.subarray(0, Math.min(bytes.length, source.bytes - done));
      await this.read(source, source.offset + done, piece);
      await sink.write(piece);
      done += piece.length;
      this.report(this.doneBytes + done, source.name);
    }
    this.doneBytes += source.bytes;
  }

  private async read(tensor: CheckpointTensor, offset: number, target: Uint8Array): Promise<void> {
    const loaded = this.checkpoint.inMemory?.get(tensor.file);
    if (loaded) {
      target.set(new Uint8Array(loaded, offset, target.length));
      return;
    }
    let source = this.sources.get(tensor.file);
    if (!source) {
      const file = this.checkpoint.files.find(({ name }) => name === tensor.file);
      if (!file) {
        throw new CheckpointError(tensor.file, '', 'MissingShard', 'the file is missing');
      }
      source = await openCheckpointFile(file);
      this.sources.set(tensor.file, source);
    }
    await source.read(offset, target);
  }

  private report(done: number, message: string): void {
    this.options.onProgress?.({ done, total: this.totalBytes, message });
  }

  async close(): Promise<void> {
    await Promise.all([...this.sources.values()].map((source) => source.close()));
  }
}

import {
  throwIfAborted,
  writeAtomically,
  type Append,
  type WriteOptions,
} from '../../storage/node/atomicFile.js';
import { CheckpointError, quoted } from '../../storage/errors.js';
import { layOutFile, type PlacedEntry, type TensorEntry } from '../layout.js';

/** Takes the bytes of one tensor, in order. */
export interface TensorSink {
  /** Length of the whole tensor in bytes. */
  readonly bytes: number;
  /** Appends `chunk`, which may lie in shared memory; once resolved, `chunk` may be reused. */
  write(chunk: Uint8Array): Promise<void>;
}

/** What was written. */
export interface WrittenFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Small tensors are gathered up to this size, so that a norm does not cost a system call. */
const BUFFER_BYTES = 1024 * 1024;

/**
 * Writes a safetensors file tensor by tensor, holding no more than a chunk in memory.
 * The file appears whole or not at all (see {@link writeAtomically}).
 * @param produce called for each tensor in the file's order; must write exactly `sink.bytes` bytes
 * @throws CheckpointError; an AbortError when cancelled; whatever `produce` throws
 */
export async function writeSafetensors<Entry extends TensorEntry>(
  path: string,
  entries: readonly Entry[],
  metadata: Readonly<Record<string, string>> | undefined,
  produce: (entry: Entry, sink: TensorSink) => Promise<void>,
  options: WriteOptions = {},
): Promise<WrittenFile> {
  const layout = layOutFile(entries, metadata, path);
  await writeAtomically(path, options, async (append) => {
    const buffered = new BufferedAppend(append);
    await buffered.write(layout.head);
    for (const tensor of layout.tensors) {
      throwIfAborted(options.signal);
      await writeTensor(path, tensor, produce, buffered);
    }
    await buffered.flush();
  });
  return { path, sizeBytes: layout.sizeBytes };
}

async function writeTensor<Entry extends TensorEntry>(
  path: string,
  { entry, bytes }: PlacedEntry<Entry>,
  produce: (entry: Entry, sink: TensorSink) => Promise<void>,
  output: BufferedAppend,
): Promise<void> {
  let written = 0;
  let busy = false;
  let closed = false;
  const wrongLength = (count: number) => {
    const detail = `${count} bytes were produced where its shape needs ${bytes}`;
    const place = `tensor ${quoted(entry.name)}`;
    return new CheckpointError(path, place, 'TensorInvalidInfo', detail);
  };
  await produce(entry, {
    bytes,
    async write(chunk) {
      if (closed) throw new Error('A tensor was written to after it was complete');
      if (busy) throw new Error('Writes to a tensor must wait for one another');
      written += chunk.length;
      if (written > bytes) throw wrongLength(written);
      busy = true;
      await output.write(chunk);
      busy = false;
    },
  });
  if (busy) throw new Error('A tensor was given up before its last write was done');
  closed = true;
  if (written !== bytes) throw wrongLength(written);
}

class BufferedAppend {
  readonly #append: Append;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #filled = 0;

  constructor(append: Append) {
    this.#append = append;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#filled + chunk.length > BUFFER_BYTES) await this.flush();
    if (chunk.length >= BUFFER_BYTES) return this.#append(chunk);
    this.#buffer.set(chunk, this.#filled);
    this.#filled += chunk.length;
  }

  async flush(): Promise<void> {
    if (this.#filled === 0) return;
    await this.#append(this.#buffer.subarray(0, this.#filled));
    this.#filled = 0;
  }
}

/** One shard of a checkpoint that was written in several files. */
export interface WrittenShard {
  /** File name, in the folder of the index. */
  readonly file: string;
  readonly tensors: readonly { readonly name: string; readonly bytes: number }[];
}

/**
 * Writes the index of a sharded checkpoint (`model.safetensors.index.json`), tensors by name.
 * Write it last: a reader that finds it finds all shards.
 * @throws CheckpointError when a tensor lies in two shards, or the file cannot be written
 */
export async function writeShardIndex(
  path: string,
  shards: readonly WrittenShard[],
  options: WriteOptions = {},
): Promise<void> {
  const shardOf = new Map<string, string>();
  let totalSize = 0;
  for (const { file, tensors } of shards) {
    for (const { name, bytes } of tensors) {
      if (shardOf.has(name)) {
        const detail = `it lies in two shards, ${quoted(shardOf.get(name)!)} and ${quoted(file)}`;
        throw new CheckpointError(path, `tensor ${quoted(name)}`, 'DuplicateName', detail);
      }
      shardOf.set(name, file);
      totalSize += bytes;
    }
  }
  // Written by hand: an object would reorder names that look like numbers and lose "__proto__".
  const lines = [...shardOf]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, file]) => `    ${JSON.stringify(name)}: ${JSON.stringify(file)}`);
  const text =
    `{\n  "metadata": {\n    "total_size": ${totalSize}\n  },\n` +
    `  "weight_map": {\n${lines.join(',\n')}\n  }\n}\n`;
  await writeAtomically(path, options, (append) => append(Buffer.from(text)));
}

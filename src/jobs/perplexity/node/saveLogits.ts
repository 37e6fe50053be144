import type { EvaluationSettings } from '../../../model/evaluation/types.js';
import { visible } from '../../../storage/errors.js';
import { writeSafetensors } from '../../../safetensors/node/writer.js';

type OnLogits = NonNullable<EvaluationSettings['onLogits']>;

/** Ids per window. @throws where windows differ, so that they are no one tensor */
function commonLength(path: string, windows: readonly Int32Array[]): number {
  const [{ length }] = windows;
  const other = windows.findIndex((window) => window.length !== length);
  if (other < 0) return length;
  throw new Error(
    `${visible(path)}: logits can be saved of windows of one length only; window 1 has ${length} tokens, window ${other + 1} has ${windows[other].length}`,
  );
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Where logits go, and what they are of. */
export interface LogitsFile<Result> {
  readonly path: string;
  /** Token ids; all of one length. */
  readonly windows: readonly Int32Array[];
  readonly vocabularySize: number;
  /** Files that must not be written over. */
  readonly inputs: readonly string[];
  /** Called when all logits are written; what it throws keeps the file from appearing. */
  readonly beforeRename: () => Promise<void>;
  /** Runs the evaluation with this receiver of logits. */
  readonly evaluate: (onLogits: OnLogits) => Promise<Result>;
}

/**
 * Runs an evaluation and writes its logits while they come: `input_ids` I64 [windows, N], `logits`
 * F32 [windows, N, vocabulary]. The file appears whole or not at all.
 */
export async function saveLogits<Result>(
  { path, windows, vocabularySize, inputs, beforeRename, evaluate }: LogitsFile<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const length = commonLength(path, windows);
  const shape = [windows.length, length];
  let result: { readonly value: Result } | undefined;
  const entries = [
    { name: 'input_ids', dtype: 'I64', shape },
    { name: 'logits', dtype: 'F32', shape: [...shape, vocabularySize] },
  ] as const;
  await writeSafetensors(
    path,
    entries,
    { format: 'pt' },
    async ({ name }, sink) => {
      if (name === 'input_ids') {
        for (const ids of windows) await sink.write(bytesOf(BigInt64Array.from(ids, BigInt)));
        return;
      }
      let next = 0;
      const value = await evaluate(async (window, logits) => {
        if (window !== next++) throw new Error('Logits came out of order');
        await sink.write(bytesOf(logits));
      });
      result = { value };
    },
    { signal, inputs, beforeRename },
  );
  return result!.value;
}

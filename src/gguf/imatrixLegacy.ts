import { CheckpointError, quoted } from '../storage/errors.js';
import type { Steps } from '../storage/slices.js';
import type { ImportanceEntry, ImportanceMatrix } from './imatrix.js';

// The format that llama.cpp's `imatrix` wrote before GGUF: entries one after the other, numbers little-endian.

const MAX_NAME_BYTES = 1024;
const STEP = 64;
const strict = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads it, in steps. Values are means times a number of calls, for all experts one behind the other: their
 * number is not said, and so each entry is one matrix.
 * @throws CheckpointError naming the file, the place and the rule
 */
export function* readLegacyImatrix(bytes: Uint8Array, fileName: string): Steps<ImportanceMatrix> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const fail = (place: string, rule: CheckpointError['rule'], detail: string): never => {
    throw new CheckpointError(fileName, place, rule, detail);
  };
  const need = (count: number, place: string) => {
    if (at + count <= bytes.length) return;
    const detail = `it needs bytes up to ${at + count}, the file ends after ${bytes.length} (no importance matrix, or an incomplete one)`;
    fail(place, 'InvalidHeaderLength', detail);
  };
  const integer = (place: string) => {
    need(4, place);
    at += 4;
    return view.getInt32(at - 4, true);
  };
  const text = (place: string) => {
    const length = integer(place);
    if (length < 0 || length > MAX_NAME_BYTES) {
      const detail = `a name of ${length} bytes: the file is no importance matrix`;
      fail(place, 'InvalidHeader', detail);
    }
    need(length, place);
    at += length;
    try {
      return strict.decode(bytes.subarray(at - length, at));
    } catch {
      return fail(place, 'NotUtf8', 'the name is not UTF-8');
    }
  };
  const count = integer('header');
  if (count < 1) fail('header', 'InvalidHeader', `${count} entries: it is no importance matrix`);
  const entries = new Map<string, ImportanceEntry>();
  for (let i = 0; i < count; i++) {
    const name = text(`entry ${i + 1}`);
    const place = `entry ${quoted(name)}`;
    if (entries.has(name)) fail(place, 'DuplicateName', 'it is there twice');
    const calls = integer(place);
    const inputs = integer(place);
    if (inputs < 1) fail(place, 'TensorInvalidInfo', `${inputs} values`);
    need(inputs * 4, place);
    const sums = Float32Array.from({ length: inputs }, (_, k) => view.getFloat32(at + k * 4, true));
    const wrong = sums.findIndex((value) => !(value >= 0 && value < Infinity));
    if (wrong >= 0) {
      const detail = `value ${wrong + 1} is ${sums[wrong]}, where a finite number from 0 belongs`;
      fail(place, 'TensorInvalidInfo', detail);
    }
    at += inputs * 4;
    // Without calls the values are the means themselves.
    const counts = Float32Array.of(Math.max(1, calls));
    entries.set(name, { inputs, matrices: 1, sums, counts });
    if (i % STEP === 0) yield;
  }
  // What follows may be missing.
  const hasMore = at + 8 <= bytes.length;
  const chunkCount = hasMore ? Math.max(0, integer('end')) : 0;
  return { datasets: hasMore ? [text('end')] : [], chunkCount, chunkSize: 0, entries };
}

import { CheckpointError, quoted } from '../storage/errors.js';
import { runAtOnce, type Steps } from '../storage/slices.js';
import { placeTensors, readRawHeader, type PlacedTensor } from './header.js';
import { HeaderCursor, NeedsMoreBytes } from './headerCursor.js';
import { readLegacyImatrix } from './imatrixLegacy.js';
import { KeyReader } from './keyReader.js';
import { TENSOR_TYPES } from './tensorTypes.js';

/** What calibration saw of the inputs of one tensor of weights. */
export interface ImportanceEntry {
  readonly inputs: number;
  /** Experts whose weights the tensor holds, else 1. */
  readonly matrices: number;
  /** Σx² over the rows that each matrix saw: [matrices × inputs], at least 0. */
  readonly sums: Float32Array;
  /** How many rows these were: [matrices]. */
  readonly counts: Float32Array;
}

/** llama.cpp's importance matrix. */
export interface ImportanceMatrix {
  /** Paths of the texts. */
  readonly datasets: readonly string[];
  /** Chunks of the text, and tokens of one; 0 where the file does not say. */
  readonly chunkCount: number;
  readonly chunkSize: number;
  /** By llama.cpp's name of the tensor: "blk.0.attn_q.weight". */
  readonly entries: ReadonlyMap<string, ImportanceEntry>;
}

/** Keys and ends of names, as llama.cpp's `imatrix` writes them. */
export const IMATRIX = Object.freeze({
  type: 'general.type',
  ofType: 'imatrix',
  datasets: 'imatrix.datasets',
  chunkCount: 'imatrix.chunk_count',
  chunkSize: 'imatrix.chunk_size',
  sums: '.in_sum2',
  counts: '.counts',
});

const MAGIC = [0x47, 0x47, 0x55, 0x46];
const LIMITS = { maxItems: 10_000, maxBytes: 65_536 };
const STEP = 64;

/**
 * Reads an importance matrix from all bytes of its file, in steps: llama.cpp's GGUF, or the format before it
 * (".dat"), which begins otherwise.
 * @throws CheckpointError naming the file, the place and the rule
 */
export function* readImatrix(bytes: Uint8Array, fileName: string): Steps<ImportanceMatrix> {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return yield* readLegacyImatrix(bytes, fileName);
  const header = yield* readWholeHeader(bytes, fileName);
  const fail = (place: string, rule: CheckpointError['rule'], detail: string): never => {
    throw new CheckpointError(fileName, place, rule, detail);
  };
  const type = header.keyValues.get(IMATRIX.type);
  if (type !== undefined && type !== IMATRIX.ofType) {
    const said = typeof type === 'string' ? quoted(type) : 'no text';
    fail(
      `key "${IMATRIX.type}"`,
      'InvalidHeader',
      `it is ${said}, of an importance matrix "imatrix"`,
    );
  }
  const placed = yield* placeTensors(header, bytes.length, fileName);
  const byName = new Map(placed.map((tensor) => [tensor.name, tensor]));
  const entries = new Map<string, ImportanceEntry>();
  const floats = (tensor: PlacedTensor) =>
    readFloats(bytes, header.dataStart, tensor, (rule, detail) =>
      fail(`tensor ${quoted(tensor.name)}`, rule, detail),
    );
  for (const [name, tensor] of byName) {
    const [end, other] = name.endsWith(IMATRIX.sums)
      ? [IMATRIX.sums, IMATRIX.counts]
      : [IMATRIX.counts, IMATRIX.sums];
    // What else there may be, such as sums of x, is nobody's business here.
    if (!name.endsWith(end)) continue;
    const weight = name.slice(0, -end.length);
    const partner = byName.get(weight + other);
    const place = `tensor ${quoted(name)}`;
    if (!partner) fail(place, 'TensorInvalidInfo', `there is no ${quoted(weight + other)} to it`);
    if (end === IMATRIX.counts) continue;
    const counts = floats(partner!);
    const sums = floats(tensor);
    if (counts.length === 0 || sums.length === 0 || sums.length % counts.length !== 0) {
      const detail = `${sums.length} sums for ${counts.length} counts`;
      fail(place, 'TensorInvalidInfo', detail);
    }
    const inputs = sums.length / counts.length;
    entries.set(weight, { inputs, matrices: counts.length, sums, counts });
    if (entries.size % STEP === 0) yield;
  }
  if (entries.size === 0) {
    const detail = `it has no tensors named …${IMATRIX.sums}: it is no importance matrix`;
    fail('', 'InvalidHeader', detail);
  }
  const keys = new KeyReader(bytes.subarray(0, header.headerBytes), fileName);
  return {
    datasets: keys.texts(IMATRIX.datasets, LIMITS) ?? [],
    chunkCount: keys.number(IMATRIX.chunkCount) ?? 0,
    chunkSize: keys.number(IMATRIX.chunkSize) ?? 0,
    entries,
  };
}

function* readWholeHeader(bytes: Uint8Array, fileName: string) {
  try {
    return yield* readRawHeader(bytes, bytes.length, fileName);
  } catch (error) {
    // All bytes are here.
    if (!(error instanceof NeedsMoreBytes)) throw error;
    return new HeaderCursor(bytes, bytes.length, fileName).fail(
      'header',
      'InvalidHeader',
      'it does not end',
    );
  }
}

/** Finite numbers from 0. */
function readFloats(
  bytes: Uint8Array,
  dataStart: number,
  { stored, offset, elements }: PlacedTensor,
  fail: (rule: CheckpointError['rule'], detail: string) => never,
): Float32Array {
  if (stored !== TENSOR_TYPES.get(0)) {
    fail('TensorInvalidInfo', `it is ${stored?.label ?? 'of an unknown type'}, where F32 belongs`);
  }
  const from = dataStart + offset;
  // A copy, aligned.
  const values = new Float32Array(elements);
  new Uint8Array(values.buffer).set(bytes.subarray(from, from + elements * 4));
  const wrong = values.findIndex((value) => !(value >= 0 && value < Infinity));
  if (wrong >= 0) {
    const detail = `element ${wrong + 1} is ${values[wrong]}, where a finite number from 0 belongs`;
    fail('TensorInvalidInfo', detail);
  }
  return values;
}

/** {@link readImatrix} at once. */
export function readImatrixAtOnce(bytes: Uint8Array, fileName: string): ImportanceMatrix {
  return runAtOnce(readImatrix(bytes, fileName));
}

/**
 * Mean squares of the inputs of one matrix: [inputs]. Where it saw no row (count 0) all are 1, as in llama.cpp.
 */
export function meanSquaresOf({ inputs, sums, counts }: ImportanceEntry, matrix = 0): Float32Array {
  const count = counts[matrix];
  if (count === 0) return new Float32Array(inputs).fill(1);
  const own = sums.subarray(matrix * inputs, (matrix + 1) * inputs);
  return own.map((sum) => sum / count);
}

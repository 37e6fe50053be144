import type { ElementTypeName } from '../storage/elementTypes.js';
import { CheckpointError, quoted, type CheckpointRule } from '../storage/errors.js';
import { SAFETENSORS_DTYPES } from './dtypes.js';
import { LENGTH_FIELD_BYTES, MAX_HEADER_BYTES } from './header.js';
import { computeTensorSize } from './size.js';

const utf8 = new TextEncoder();

/** A tensor to be written. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: ElementTypeName;
  /** Dimensions, outermost first. Empty for a scalar. */
  readonly shape: readonly number[];
}

/** A tensor and its place in the file to be written. */
export interface PlacedEntry<Entry extends TensorEntry = TensorEntry> {
  readonly entry: Entry;
  /** First byte, counted from the start of the data. */
  readonly begin: number;
  readonly bytes: number;
}

/** A file to be written: its beginning, and the tensors that follow in order. */
export interface FileLayout<Entry extends TensorEntry = TensorEntry> {
  /** Length field and header, padded so that the data begins at a multiple of 8. */
  readonly head: Uint8Array;
  readonly tensors: readonly PlacedEntry<Entry>[];
  readonly sizeBytes: number;
}

/**
 * Lays tensors out as the reference writer does: by dtype (alignment descending), then by name.
 * @param fileName for error messages
 * @throws CheckpointError when names or shapes could not be read back
 */
export function layOutFile<Entry extends TensorEntry>(
  entries: readonly Entry[],
  metadata: Readonly<Record<string, string>> | undefined,
  fileName: string,
): FileLayout<Entry> {
  const sorted = entries
    .map((entry) => ({
      entry,
      rank: SAFETENSORS_DTYPES.indexOf(entry.dtype),
      key: utf8.encode(entry.name),
    }))
    .sort((a, b) => b.rank - a.rank || compareBytes(a.key, b.key));
  const tensors: PlacedEntry<Entry>[] = [];
  const members: string[] = [];
  if (metadata !== undefined && Object.keys(metadata).length > 0) {
    members.push(`"__metadata__":${metadataText(metadata, fileName)}`);
  }
  const names = new Set<string>();
  let end = 0;
  for (const { entry } of sorted) {
    const refuse = (rule: CheckpointRule, detail: string) =>
      new CheckpointError(fileName, `tensor ${quoted(entry.name)}`, rule, detail);
    if (names.has(entry.name)) throw refuse('DuplicateName', 'two tensors have this name');
    names.add(entry.name);
    if (entry.name === '__metadata__') throw refuse('InvalidName', 'the format reserves this name');
    if (isIllFormed(entry.name)) throw refuse('InvalidName', 'the name has a lone surrogate');
    const bytes = entryBytes(entry, refuse);
    const begin = end;
    end += bytes;
    tensors.push({ entry, begin, bytes });
    members.push(
      `${JSON.stringify(entry.name)}:{"dtype":"${entry.dtype}","shape":[${entry.shape.join(',')}],` +
        `"data_offsets":[${begin},${end}]}`,
    );
  }
  const head = encodeHead(`{${members.join(',')}}`, fileName);
  return { head, tensors, sizeBytes: head.length + end };
}

function entryBytes(
  { dtype, shape }: TensorEntry,
  refuse: (rule: CheckpointRule, detail: string) => CheckpointError,
): number {
  if (!SAFETENSORS_DTYPES.includes(dtype))
    throw refuse('TensorInvalidInfo', `unknown dtype ${dtype}`);
  if (!shape.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0)) {
    throw refuse('TensorInvalidInfo', `[${shape.join(', ')}] is not a shape`);
  }
  const size = computeTensorSize(dtype, shape);
  if ('rule' in size) throw refuse(size.rule, size.detail);
  if (typeof size.bytes === 'bigint') throw refuse('ValidationOverflow', `${size.bytes} bytes`);
  return size.bytes;
}

function metadataText(metadata: Readonly<Record<string, string>>, fileName: string): string {
  const members = Object.entries(metadata).map(([key, value]) => {
    if (typeof value !== 'string' || isIllFormed(key) || isIllFormed(value)) {
      const place = `__metadata__, key ${quoted(key)}`;
      const detail = 'metadata must be strings without lone surrogates';
      throw new CheckpointError(fileName, place, 'InvalidHeaderDeserialization', detail);
    }
    return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  });
  return `{${members.join(',')}}`;
}

function encodeHead(text: string, fileName: string): Uint8Array {
  const json = utf8.encode(text);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  if (headerBytes > MAX_HEADER_BYTES) {
    const detail = `${headerBytes} bytes, over the limit of ${MAX_HEADER_BYTES}`;
    throw new CheckpointError(fileName, 'header length', 'HeaderTooLarge', detail);
  }
  const head = new Uint8Array(LENGTH_FIELD_BYTES + headerBytes).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(headerBytes), true);
  head.set(json, LENGTH_FIELD_BYTES);
  return head;
}

/** Order of byte strings, the shorter first where one begins with the other. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function isIllFormed(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

import { CheckpointError, quoted } from '../storage/errors.js';
import { sortInSteps, type Steps } from '../storage/slices.js';
import { HeaderCursor } from './headerCursor.js';
import { readValue, type HeaderValue, type KeyValues } from './keyValues.js';
import { TENSOR_TYPES, type TensorType } from './tensorTypes.js';

/** A tensor as the header has it. */
export interface TensorInfo {
  readonly name: string;
  /** Outermost dimension first: the reverse of the file's order. */
  readonly shape: readonly number[];
  /** The number of its type. */
  readonly type: number;
  /** From the first byte of the data. */
  readonly offset: number;
}

/** A header, read but not yet understood. */
export interface RawHeader {
  readonly keyValues: KeyValues;
  readonly infos: readonly TensorInfo[];
  readonly headerBytes: number;
  /** First byte of the data. */
  readonly dataStart: number;
}

const MAGIC = [0x47, 0x47, 0x55, 0x46];
const VERSIONS = [2, 3];
const MAX_KEYS = 10_000;
const MAX_DIMENSIONS = 4;
/** Bytes that a key, or a tensor, takes at least; they bound the counts by the header's size. */
const LEAST_KEY_BYTES = 8 + 4 + 1;
const LEAST_TENSOR_BYTES = 8 + 4 + 4 + 8;
const DEFAULT_ALIGNMENT = 32;
const MAX_ALIGNMENT = 1 << 20;
const STEP = 64;

/**
 * Reads a header, in steps.
 * @param bytes the file's beginning
 * @throws NeedsMoreBytes where the header is longer than what was given
 * @throws CheckpointError naming the file, the place and the rule
 */
export function* readRawHeader(
  bytes: Uint8Array,
  fileSizeBytes: number,
  fileName: string,
): Steps<RawHeader> {
  const cursor = new HeaderCursor(bytes, fileSizeBytes, fileName);
  checkStart(cursor, bytes);
  const tensorCount = cursor.count('header', 'the number of tensors');
  const keyCount = cursor.count('header', 'the number of keys');
  if (keyCount > MAX_KEYS) {
    cursor.fail('header', 'TooMuchMetadata', `${keyCount} keys, over the limit of ${MAX_KEYS}`);
  }
  cursor.need(keyCount * LEAST_KEY_BYTES, `header: its ${keyCount} keys`);
  const keyValues = new Map<string, HeaderValue>();
  for (let i = 0; i < keyCount; i++) {
    const key = cursor.string(`key ${i + 1}`, true);
    if (keyValues.has(key)) cursor.fail(`key ${quoted(key)}`, 'DuplicateName', 'it is there twice');
    keyValues.set(key, readValue(cursor, cursor.number('Uint32', 4, `key ${quoted(key)}`), key));
    yield;
  }
  cursor.need(tensorCount * LEAST_TENSOR_BYTES, `header: its ${tensorCount} tensors`);
  const infos: TensorInfo[] = [];
  for (let i = 0; i < tensorCount; i++) {
    infos.push(readTensorInfo(cursor, i));
    if (i % STEP === 0) yield;
  }
  const alignment = readAlignment(cursor, keyValues.get('general.alignment'));
  const dataStart = Math.ceil(cursor.at / alignment) * alignment;
  return { keyValues, infos, headerBytes: cursor.at, dataStart };
}

function checkStart(cursor: HeaderCursor, bytes: Uint8Array): void {
  cursor.need(8, 'header');
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) {
    cursor.fail(
      'header',
      'InvalidHeader',
      'the file does not begin with "GGUF": it is no GGUF file',
    );
  }
  cursor.at = MAGIC.length;
  const version = cursor.number('Uint32', 4, 'header');
  if (VERSIONS.includes(version)) return;
  const kind = version % 65536 === 0 ? 'big-endian' : `of version ${version}`;
  const detail = `the file is ${kind}; little-endian ones of version 2 or 3 can be read`;
  cursor.fail('header', 'InvalidHeader', detail);
}

function readTensorInfo(cursor: HeaderCursor, index: number): TensorInfo {
  const name = cursor.string(`tensor ${index + 1}`, true);
  const place = `tensor ${quoted(name)}`;
  const dimensions = cursor.number('Uint32', 4, place);
  if (dimensions > MAX_DIMENSIONS) {
    const detail = `${dimensions} dimensions, over the limit of ${MAX_DIMENSIONS}`;
    cursor.fail(place, 'TooManyDimensions', detail);
  }
  const shape = Array.from({ length: dimensions }, () => cursor.count(place, 'a dimension'));
  shape.reverse();
  const type = cursor.number('Uint32', 4, place);
  return { name, shape, type, offset: cursor.count(place, 'the offset of its data') };
}

function readAlignment(cursor: HeaderCursor, value: HeaderValue | undefined): number {
  if (value === undefined) return DEFAULT_ALIGNMENT;
  const alignment = typeof value === 'number' ? value : 0;
  const isPower = Number.isInteger(Math.log2(alignment));
  if (alignment >= 1 && alignment <= MAX_ALIGNMENT && isPower) return alignment;
  const detail = `it is no power of two from 1 to ${MAX_ALIGNMENT}`;
  return cursor.fail('key "general.alignment"', 'InvalidHeader', detail);
}

/** A tensor and where its bytes lie. */
export interface PlacedTensor extends TensorInfo {
  /** Undefined for a type that is not known. */
  readonly stored: TensorType | undefined;
  readonly elements: number;
  readonly bytes: number;
}

/**
 * Checks that each tensor's bytes are in the file and nobody else's, in steps.
 * @returns by their place
 */
export function* placeTensors(
  { infos, dataStart }: RawHeader,
  fileSizeBytes: number,
  fileName: string,
): Steps<PlacedTensor[]> {
  const sorted = yield* sortInSteps([...infos], (a, b) => a.offset - b.offset);
  const names = new Set<string>();
  const placed: PlacedTensor[] = [];
  const dataBytes = Math.max(0, fileSizeBytes - dataStart);
  let reached = 0;
  for (const [index, info] of sorted.entries()) {
    const { name, type, offset } = info;
    const refuse = (rule: CheckpointError['rule'], detail: string) =>
      new CheckpointError(fileName, `tensor ${quoted(name)}`, rule, detail);
    if (names.has(name)) throw refuse('DuplicateName', 'there are two tensors of this name');
    names.add(name);
    const stored = TENSOR_TYPES.get(type);
    const next = sorted[index + 1]?.offset ?? dataBytes;
    // What a type that is not known needs is not known either: it ends where the next one begins.
    const size = stored ? sizeOf(info, stored, refuse) : { bytes: Math.max(0, next - offset) };
    if (offset < reached) throw refuse('InvalidOffset', 'its data overlap those of another tensor');
    if (offset + size.bytes > dataBytes) {
      const missing = offset + size.bytes - dataBytes;
      const detail = `${missing} of its ${size.bytes} bytes are missing at the end of the file (incomplete download?)`;
      throw refuse('MetadataIncompleteBuffer', detail);
    }
    const elements = countElements(info.shape);
    if (!Number.isSafeInteger(elements)) {
      throw refuse('ValidationOverflow', 'its size is beyond what can be counted');
    }
    reached = offset + size.bytes;
    placed.push({ ...info, stored, bytes: size.bytes, elements });
    if (index % STEP === 0) yield;
  }
  return placed;
}

function sizeOf(
  { shape }: TensorInfo,
  { label, blockSize, blockBytes }: TensorType,
  refuse: (rule: CheckpointError['rule'], detail: string) => CheckpointError,
): { readonly bytes: number } {
  const columns = shape.at(-1) ?? 1;
  if (columns % blockSize !== 0) {
    const detail = `rows of ${columns} weights are no whole blocks of ${label}, which hold ${blockSize}`;
    throw refuse('TensorInvalidInfo', detail);
  }
  const bytes = (countElements(shape) / blockSize) * blockBytes;
  if (!Number.isSafeInteger(bytes)) {
    throw refuse('ValidationOverflow', 'its size is beyond what can be counted');
  }
  return { bytes };
}

function countElements(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

import type { ElementTypeName } from '../storage/elementTypes.js';
import { CheckpointError, quoted } from '../storage/errors.js';
import { isSafetensorsDtype } from './dtypes.js';
import type { Unsigned } from './size.js';
import { StrictJsonError, StrictJsonReader } from './strictJson.js';

/** A tensor as the header states it, before any check of its numbers. */
export interface DeclaredTensor {
  readonly name: string;
  readonly dtype: ElementTypeName;
  readonly shape: readonly Unsigned[];
  readonly begin: Unsigned;
  readonly end: Unsigned;
}

/** What a header's text says. */
export interface HeaderText {
  /** In the order of the text. */
  readonly declared: DeclaredTensor[];
  /** `__metadata__`, an object without prototype. */
  readonly metadata: Record<string, string>;
}

/**
 * Reads a header's JSON text.
 * @param text UTF-8
 * @param recognize what the file really is, asked when the text is empty
 * @throws CheckpointError InvalidHeaderDeserialization or DuplicateName
 */
export function readHeaderText(
  text: Uint8Array,
  fileName: string,
  recognize: () => string | undefined,
): HeaderText {
  const reader = new StrictJsonReader(text);
  const declared: DeclaredTensor[] = [];
  const names = new Set<string>();
  let metadata: Record<string, string> | undefined;
  let duplicate: string | undefined;
  let inside: string | undefined;
  try {
    reader.enterObject();
    for (;;) {
      const before = reader.position;
      const name = reader.nextKey();
      if (name === undefined) break;
      inside = name;
      if (name === '__metadata__') {
        if (metadata) throw new StrictJsonError(before, 'the key stands in the header twice');
        metadata = readMetadata(reader);
      } else {
        if (names.has(name)) duplicate ??= name;
        names.add(name);
        declared.push(readTensor(reader, name));
      }
      inside = undefined;
    }
    reader.end();
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    const member = inside === '__metadata__' ? inside : `tensor ${quoted(inside ?? '')}`;
    const place = `${inside === undefined ? '' : `${member}, `}header byte ${error.position}`;
    const foreign = text.length === 0 ? recognize() : undefined;
    const hint = foreign === undefined ? '' : `; this is ${foreign}`;
    const detail = `${error.reason}${hint}`;
    throw new CheckpointError(fileName, place, 'InvalidHeaderDeserialization', detail);
  }
  if (duplicate !== undefined) {
    const place = `tensor ${quoted(duplicate)}`;
    const detail = 'two tensors have this name, which the format forbids';
    throw new CheckpointError(fileName, place, 'DuplicateName', detail);
  }
  return { declared, metadata: metadata ?? noKeys() };
}

/** `__metadata__`: null or an object of strings. A key given twice keeps its last value, as in the reference. */
function readMetadata(reader: StrictJsonReader): Record<string, string> {
  const metadata = noKeys();
  if (reader.peek() === 'null') {
    reader.readNull();
    return metadata;
  }
  reader.enterObject();
  for (let key = reader.nextKey(); key !== undefined; key = reader.nextKey()) {
    metadata[key] = reader.readString();
  }
  return metadata;
}

/** One tensor, as an object or (which the reference takes too) as `[dtype, shape, data_offsets]`. */
function readTensor(reader: StrictJsonReader, name: string): DeclaredTensor {
  if (reader.peek() === 'array') return readTensorArray(reader, name);
  const start = reader.position;
  let dtype: ElementTypeName | undefined;
  let shape: Unsigned[] | undefined;
  let offsets: [Unsigned, Unsigned] | undefined;
  let unknownKeys: Set<string> | undefined;
  reader.enterObject();
  for (;;) {
    const before = reader.position;
    const key = reader.nextKey();
    if (key === undefined) break;
    let again: boolean;
    if (key === 'dtype') {
      again = dtype !== undefined;
      dtype = readDtype(reader);
    } else if (key === 'shape') {
      again = shape !== undefined;
      shape = readShape(reader);
    } else if (key === 'data_offsets') {
      again = offsets !== undefined;
      offsets = readOffsets(reader);
    } else {
      unknownKeys ??= new Set();
      again = unknownKeys.has(key);
      unknownKeys.add(key);
      reader.skipValue();
    }
    if (again) throw new StrictJsonError(before, `the key ${quoted(key)} stands here twice`);
  }
  if (dtype === undefined) throw new StrictJsonError(start, '"dtype" is missing');
  if (shape === undefined) throw new StrictJsonError(start, '"shape" is missing');
  if (offsets === undefined) throw new StrictJsonError(start, '"data_offsets" is missing');
  return { name, dtype, shape, begin: offsets[0], end: offsets[1] };
}

function readTensorArray(reader: StrictJsonReader, name: string): DeclaredTensor {
  const start = reader.position;
  const expectElement = (more: boolean): void => {
    if (reader.nextElement() === more) return;
    throw new StrictJsonError(start, 'a tensor given as an array needs exactly three elements');
  };
  reader.enterArray();
  expectElement(true);
  const dtype = readDtype(reader);
  expectElement(true);
  const shape = readShape(reader);
  expectElement(true);
  const [begin, end] = readOffsets(reader);
  expectElement(false);
  return { name, dtype, shape, begin, end };
}

function readDtype(reader: StrictJsonReader): ElementTypeName {
  reader.peek();
  const start = reader.position;
  const dtype = reader.readString();
  if (!isSafetensorsDtype(dtype))
    throw new StrictJsonError(start, `unknown dtype ${quoted(dtype)}`);
  return dtype;
}

function readShape(reader: StrictJsonReader): Unsigned[] {
  const shape: Unsigned[] = [];
  reader.enterArray();
  while (reader.nextElement()) shape.push(reader.readUnsigned());
  return shape;
}

function readOffsets(reader: StrictJsonReader): [Unsigned, Unsigned] {
  reader.peek();
  const start = reader.position;
  const offsets = readShape(reader);
  if (offsets.length !== 2) {
    const detail = `"data_offsets" needs two numbers, found ${offsets.length}`;
    throw new StrictJsonError(start, detail);
  }
  return [offsets[0], offsets[1]];
}

function noKeys(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}

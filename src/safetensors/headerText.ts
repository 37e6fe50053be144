import type { ElementTypeName } from '../storage/elementTypes.js';
import { CheckpointError, quoted } from '../storage/errors.js';
import type { Steps } from '../storage/slices.js';
import { isSafetensorsDtype } from './dtypes.js';
import { DuplicateNames, hashOf } from './duplicateNames.js';
import { HeaderLimitError } from './headerLimitError.js';
import { PlainTensors } from './plainTensors.js';
import { SharedShapes } from './sharedShapes.js';
import type { Unsigned } from './size.js';
import { STEP_BYTES, StrictJsonError, StrictJsonReader } from './strictJson.js';

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

/** Unknown keys of one tensor that are remembered, to find one given twice; nobody writes as many. */
const MAX_UNKNOWN_KEYS = 1000;

/** Most keys of the metadata. Files have some ten, adapters a hundred; more only fill memory. */
export const MAX_METADATA_KEYS = 1_000_000;

/**
 * Reads a header's JSON text, in steps.
 * @param text UTF-8
 * @param recognize what the file really is, asked when the text is empty
 * @throws CheckpointError InvalidHeaderDeserialization, TooManyDimensions, TooMuchMetadata or DuplicateName
 */
export function* readHeaderText(
  text: Uint8Array,
  fileName: string,
  recognize: () => string | undefined,
): Steps<HeaderText> {
  const reader = new StrictJsonReader(text);
  const shapes = new SharedShapes();
  const plain = new PlainTensors(text, shapes);
  const names = new DuplicateNames(text.length);
  const declared: DeclaredTensor[] = [];
  let metadata: Record<string, string> | undefined;
  let inside: string | undefined;
  let yielded = 0;
  try {
    reader.enterObject();
    for (;;) {
      for (let key = reader.adjacentKey; key >= 0; key = reader.adjacentKey) {
        const tensor = plain.read(key);
        if (!tensor) break;
        declared.push(tensor);
        names.add(plain.hashOfName);
        reader.continueBehindEntry(plain.end);
        if (plain.end - yielded > STEP_BYTES) {
          yielded = plain.end;
          yield;
        }
      }
      const start = reader.position;
      const name = reader.nextKey();
      if (name === undefined) break;
      inside = name;
      if (name === '__metadata__') {
        if (metadata) throw new StrictJsonError(start, 'the key stands in the header twice');
        metadata = yield* readMetadata(reader);
      } else {
        declared.push(yield* readTensor(reader, name, shapes));
        names.add(hashOf(name));
      }
      inside = undefined;
      if (reader.position - yielded > STEP_BYTES) {
        yielded = reader.position;
        yield;
      }
    }
    reader.end();
  } catch (error) {
    const member = inside === '__metadata__' ? inside : `tensor ${quoted(inside ?? '')}`;
    if (error instanceof HeaderLimitError) {
      throw new CheckpointError(fileName, member, error.rule, error.message);
    }
    if (!(error instanceof StrictJsonError)) throw error;
    const place = `${inside === undefined ? '' : `${member}, `}header byte ${error.position}`;
    const foreign = text.length === 0 ? recognize() : undefined;
    const hint = foreign === undefined ? '' : `; this is ${foreign}`;
    const detail = `${error.reason}${hint}`;
    throw new CheckpointError(fileName, place, 'InvalidHeaderDeserialization', detail);
  }
  const duplicate = yield* names.find(declared);
  if (duplicate !== undefined) {
    const place = `tensor ${quoted(duplicate)}`;
    const detail = 'two tensors have this name, which the format forbids';
    throw new CheckpointError(fileName, place, 'DuplicateName', detail);
  }
  return { declared, metadata: metadata ?? noKeys() };
}

/** `__metadata__`: null or an object of strings. A key given twice keeps its last value, as in the reference. */
function* readMetadata(reader: StrictJsonReader): Steps<Record<string, string>> {
  const metadata = noKeys();
  if (reader.peek() === 'null') {
    reader.readNull();
    return metadata;
  }
  let yielded = reader.position;
  reader.enterObject();
  let keys = 0;
  for (let key = reader.nextKey(); key !== undefined; key = reader.nextKey()) {
    if (++keys > MAX_METADATA_KEYS) {
      const detail = `more than ${MAX_METADATA_KEYS} keys, the most that are read`;
      throw new HeaderLimitError('TooMuchMetadata', detail);
    }
    metadata[key] = reader.readString();
    if (reader.position - yielded > STEP_BYTES) {
      yielded = reader.position;
      yield;
    }
  }
  return metadata;
}

/** One tensor, as an object or (which the reference takes too) as `[dtype, shape, data_offsets]`. */
function* readTensor(
  reader: StrictJsonReader,
  name: string,
  shapes: SharedShapes,
): Steps<DeclaredTensor> {
  if (reader.peek() === 'array') return readTensorArray(reader, name, shapes);
  const start = reader.position;
  let dtype: ElementTypeName | undefined;
  let shape: readonly Unsigned[] | undefined;
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
      shape = shapes.read(reader);
    } else if (key === 'data_offsets') {
      again = offsets !== undefined;
      offsets = readOffsets(reader);
    } else {
      unknownKeys ??= new Set();
      again = unknownKeys.has(key);
      if (unknownKeys.size < MAX_UNKNOWN_KEYS) unknownKeys.add(key);
      yield* reader.skipValue();
    }
    if (again) throw new StrictJsonError(before, `the key ${quoted(key)} stands here twice`);
  }
  if (dtype === undefined) throw new StrictJsonError(start, '"dtype" is missing');
  if (shape === undefined) throw new StrictJsonError(start, '"shape" is missing');
  if (offsets === undefined) throw new StrictJsonError(start, '"data_offsets" is missing');
  return { name, dtype, shape, begin: offsets[0], end: offsets[1] };
}

function readTensorArray(
  reader: StrictJsonReader,
  name: string,
  shapes: SharedShapes,
): DeclaredTensor {
  const start = reader.position;
  const expectElement = (more: boolean): void => {
    if (reader.nextElement() === more) return;
    throw new StrictJsonError(start, 'a tensor given as an array needs exactly three elements');
  };
  reader.enterArray();
  expectElement(true);
  const dtype = readDtype(reader);
  expectElement(true);
  const shape = shapes.read(reader);
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

function readOffsets(reader: StrictJsonReader): [Unsigned, Unsigned] {
  reader.peek();
  const start = reader.position;
  const offsets: [Unsigned, Unsigned] = [0, 0];
  let found = 0;
  reader.enterArray();
  for (; reader.nextElement(); found++) {
    const offset = reader.readUnsigned();
    if (found < 2) offsets[found] = offset;
  }
  if (found !== 2) {
    throw new StrictJsonError(start, `"data_offsets" needs two numbers, found ${found}`);
  }
  return offsets;
}

function noKeys(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}

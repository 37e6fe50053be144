import type { ByteSource } from '../storage/byteSource.js';
import type { Container, FileHeader, ShardHeader, StoredTensor } from '../storage/container.js';
import { decodeElements } from '../storage/elementValues.js';
import { CheckpointError, quoted } from '../storage/errors.js';
import { forEachInSteps, runInSlices, type SliceOptions, type Steps } from '../storage/slices.js';
import { ArchitectureKeys, deriveConfiguration, FACTOR_TENSORS } from './configuration.js';
import { findFamily, translateName, type Transform, type Translated } from './families.js';
import { placeTensors, readRawHeader, type PlacedTensor, type RawHeader } from './header.js';
import { MAX_HEADER_BYTES, NeedsMoreBytes } from './headerCursor.js';
import { describeKeyValues } from './metadata.js';
import type { KeyValues } from './keyValues.js';
import { checkSplit } from './split.js';

/** Headers without a vocabulary fit; those with one take a few megabytes. */
const FIRST_READ_BYTES = 1 << 20;

/** A head has no more elements: factors of rotary frequencies are half as many. */
const MAX_FACTORS = 4096;

/** The layout that decodes blocks and undoes what converting did. */
const LAYOUT = 'ggml';

/** GGUF as a container. Its keys are the configuration, its tensors go by the names of the model's definition. */
export const gguf: Container = { fileSuffix: '.gguf', readHeader, readTokenizer, joinShards };

/** Where a file's tensors lie. */
interface FilePlace {
  readonly fileName: string;
  readonly dataStart: number;
}

/** A file's header, read but for what another file may say of it. */
interface Part {
  readonly fileName: string;
  readonly raw: RawHeader;
  readonly placed: readonly PlacedTensor[];
  readonly factors: ReadonlyMap<string, readonly number[]>;
}

async function readHeader(
  source: ByteSource,
  fileName: string,
  options?: SliceOptions,
): Promise<FileHeader> {
  const { raw } = await readRaw(source, fileName, options);
  const placed = await runInSlices(placeTensors(raw, source.size, fileName), options);
  const factors = await readFactors(source, placed, raw.dataStart);
  const part = { fileName, raw, placed, factors };
  const [header] = await runInSlices(makeHeaders([part]), options);
  return { ...header, unjoined: part };
}

/** Headers of the parts of one model, in steps: what the first says of the model holds for the others, too. */
function* makeHeaders(parts: readonly Part[]): Steps<FileHeader[]> {
  const { keyValues } = parts[0].raw;
  const shapes = new Map<string, readonly number[]>();
  for (const { placed } of parts) {
    yield* forEachInSteps(placed, ({ name, shape }) => shapes.set(name, shape));
  }
  const configuration = deriveConfiguration({
    keyValues,
    shapeOf: (name) => shapes.get(name),
    factors: new Map(parts.flatMap(({ factors }) => [...factors])),
  });
  const headers: FileHeader[] = [];
  const names = new Set<string>();
  for (const { raw, placed, fileName } of parts) {
    headers.push({
      tensors: yield* makeTensors(placed, keyValues, names, { fileName, dataStart: raw.dataStart }),
      metadata: describeKeyValues(raw.keyValues),
      headerBytes: raw.headerBytes,
      ...(headers.length === 0 && { configuration }),
    });
  }
  return headers;
}

function* joinShards(headers: readonly ShardHeader[], count: number): Steps<FileHeader[]> {
  const parts = headers.map(({ unjoined }) => unjoined as Part);
  checkSplit(parts, count);
  return yield* makeHeaders(parts);
}

/** Keys of a vocabulary. Only the first of several shards has them. */
const TOKENIZER_KEYS = 'tokenizer.';

async function readTokenizer(
  source: ByteSource,
  fileName: string,
  options?: SliceOptions,
): Promise<Uint8Array | undefined> {
  const { raw, bytes } = await readRaw(source, fileName, options);
  const hasTokenizer = [...raw.keyValues.keys()].some((key) => key.startsWith(TOKENIZER_KEYS));
  return hasTokenizer ? bytes.slice(0, raw.headerBytes) : undefined;
}

/** Reads the header, and as much of the file as it turns out to need: each try twice as much as the last. */
async function readRaw(
  source: ByteSource,
  fileName: string,
  options: SliceOptions = {},
): Promise<{ readonly raw: RawHeader; readonly bytes: Uint8Array }> {
  let bytes = new Uint8Array(0);
  for (let wanted = FIRST_READ_BYTES; ; wanted *= 2) {
    options.signal?.throwIfAborted();
    const longer = new Uint8Array(Math.min(source.size, wanted, MAX_HEADER_BYTES));
    longer.set(bytes);
    await source.read(bytes.length, longer.subarray(bytes.length));
    bytes = longer;
    try {
      const raw = await runInSlices(readRawHeader(bytes, source.size, fileName), options);
      return { raw, bytes };
    } catch (error) {
      if (!(error instanceof NeedsMoreBytes)) throw error;
    }
  }
}

/** The factors of rotary frequencies: a part of the configuration that is stored as tensors. */
async function readFactors(
  source: ByteSource,
  placed: readonly PlacedTensor[],
  dataStart: number,
): Promise<Map<string, readonly number[]>> {
  const factors = new Map<string, readonly number[]>();
  for (const { name, stored, offset, bytes, elements } of placed) {
    const isFactors = FACTOR_TENSORS.includes(name) && elements <= MAX_FACTORS;
    if (!isFactors || stored?.elementType !== 'F32') continue;
    const target = new Uint8Array(bytes);
    await source.read(dataStart + offset, target);
    const values = new Float32Array(elements);
    decodeElements('F32', target, values);
    factors.set(name, Array.from(values));
  }
  return factors;
}

/**
 * Tensors under the names of the model's definition, in steps.
 * @param keyValues of the model's first file
 * @param names those that the model's tensors have, to which these are added
 */
function* makeTensors(
  placed: readonly PlacedTensor[],
  keyValues: KeyValues,
  names: Set<string>,
  place: FilePlace,
): Steps<StoredTensor[]> {
  const keys = new ArchitectureKeys(keyValues);
  const family = findFamily(keys.architecture, keys.experts);
  const { heads } = keys;
  const tensors: StoredTensor[] = [];
  for (const tensor of placed) {
    const translated: Translated = family
      ? translateName(tensor.name, family, heads)
      : { name: tensor.name };
    for (const made of yield* makeEach(tensor, translated, names.size, place)) {
      if (names.has(made.name)) {
        const detail = `another tensor is ${quoted(made.name)}, too`;
        const where = `tensor ${quoted(tensor.name)}`;
        throw new CheckpointError(place.fileName, where, 'DuplicateName', detail);
      }
      names.add(made.name);
      tensors.push(made);
    }
    yield;
  }
  return tensors;
}

/** More experts than any model has: what has more is left as it is. */
const MAX_EXPERTS = 4096;
const EXPERTS_PER_STEP = 64;

/** Beyond so many tensors, those of experts are left as they are: the largest models have some 70,000. */
const MAX_TENSORS = 1 << 20;

/** A tensor, or those of the experts that it holds one after the other. */
function* makeEach(
  tensor: PlacedTensor,
  { name, transform, ofExpert }: Translated,
  before: number,
  place: FilePlace,
): Steps<StoredTensor[]> {
  const { shape, offset, name: storedName } = tensor;
  const [experts, ...rest] = shape;
  const bytes = tensor.bytes / experts;
  const isCut =
    ofExpert && rest.length === 2 && experts <= MAX_EXPERTS && before + experts <= MAX_TENSORS;
  if (!isCut || !Number.isSafeInteger(bytes)) return [makeTensor(tensor, name, transform, place)];
  const tensors: StoredTensor[] = [];
  for (let expert = 0; expert < experts; expert++) {
    const one = {
      ...tensor,
      name: `${storedName}[${expert}]`,
      shape: rest,
      offset: offset + expert * bytes,
      bytes,
      elements: tensor.elements / experts,
    };
    tensors.push(makeTensor(one, ofExpert(expert), transform, place));
    if (expert % EXPERTS_PER_STEP === 0) yield;
  }
  return tensors;
}

function makeTensor(
  { name: storedName, shape, stored, type, offset, bytes, elements }: PlacedTensor,
  name: string,
  transform: Transform | undefined,
  { fileName, dataStart }: FilePlace,
): StoredTensor {
  const place = { name, file: fileName, offset: dataStart + offset, bytes };
  const elementType = stored?.elementType;
  if (elementType !== undefined && !transform)
    return { ...place, dtype: elementType, shape, elements };
  const label = stored?.label ?? `type ${type}`;
  const encoding = {
    layout: LAYOUT,
    label,
    storedName,
    shape,
    parameters: { type: label, ...transform },
  };
  if (elementType !== undefined) return { ...place, dtype: elementType, shape, elements, encoding };
  return { ...place, dtype: 'U8', shape: storedShape(shape, bytes), elements: bytes, encoding };
}

/** The shape in bytes: rows of whole blocks; one row of all bytes where those are not known. */
function storedShape(shape: readonly number[], bytes: number): number[] {
  const rows = shape.slice(0, -1);
  const rowCount = rows.reduce((product, dimension) => product * dimension, 1);
  const rowBytes = bytes / rowCount;
  return Number.isSafeInteger(rowBytes) ? [...rows, rowBytes] : [bytes];
}

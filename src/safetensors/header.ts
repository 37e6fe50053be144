import { CheckpointError, quoted } from '../storage/errors.js';
import { readHeaderText, type DeclaredTensor } from './headerText.js';
import { subtract, computeTensorSize, type Unsigned } from './size.js';
import { recognizeForeign } from './foreignFiles.js';
import type { FileHeader, StoredTensor } from '../storage/container.js';
import { replaceInSteps, sortInSteps, type Steps } from '../storage/slices.js';
import { isUtf8 } from '../storage/text.js';

/** Bytes of the length field that a file begins with. */
export const LENGTH_FIELD_BYTES = 8;

/** Longest header that the reference reader takes; a longer one could only be an attack. */
export const MAX_HEADER_BYTES = 100_000_000;

/**
 * Length of the JSON header, from the file's length field.
 * @param start the file's beginning; what lies beyond the length field serves to say what the file is
 * @throws CheckpointError HeaderTooSmall, HeaderTooLarge or InvalidHeaderLength
 */
export function readHeaderLength(
  start: Uint8Array,
  fileSizeBytes: number,
  fileName: string,
): number {
  const refuse = (place: string, rule: CheckpointError['rule'], detail: string) => {
    const foreign = recognizeForeign(start.subarray(0, Math.min(start.length, fileSizeBytes)));
    const hint = foreign === undefined ? '' : `; this is ${foreign}`;
    return new CheckpointError(fileName, place, rule, detail + hint);
  };
  if (fileSizeBytes < LENGTH_FIELD_BYTES || start.length < LENGTH_FIELD_BYTES) {
    const has = fileSizeBytes === 0 ? 'is empty' : `has only ${count(fileSizeBytes, 'byte')}`;
    return fail(refuse('header length', 'HeaderTooSmall', `the file ${has}, 8 are needed`));
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) {
    const detail = `${length} bytes, over the limit of ${MAX_HEADER_BYTES}`;
    return fail(refuse('header length', 'HeaderTooLarge', detail));
  }
  if (Number(length) + LENGTH_FIELD_BYTES > fileSizeBytes) {
    const cut =
      start[LENGTH_FIELD_BYTES] === 0x7b ? '; the file is cut off (download it again)' : '';
    const detail = `${length} bytes, but the file ends after ${fileSizeBytes - LENGTH_FIELD_BYTES}${cut}`;
    return fail(refuse('header length', 'InvalidHeaderLength', detail));
  }
  return Number(length);
}

/**
 * Reads and checks a file's header by every rule of the format, in steps.
 * @param bytes the file's beginning, at least the length field and the header; more is ignored
 * @param fileSizeBytes size of the whole file
 * @param fileName name for error messages and for {@link StoredTensor.file}
 * @throws CheckpointError naming the file, the place and the rule
 */
export function* parseHeader(
  bytes: Uint8Array,
  fileSizeBytes: number,
  fileName: string,
): Steps<FileHeader> {
  const headerBytes = readHeaderLength(bytes, fileSizeBytes, fileName);
  const dataStart = LENGTH_FIELD_BYTES + headerBytes;
  if (bytes.length < dataStart) {
    throw new RangeError(`${bytes.length} bytes given where the header needs ${dataStart}`);
  }
  const text = bytes.subarray(LENGTH_FIELD_BYTES, dataStart);
  if (!(yield* isUtf8(text))) {
    throw new CheckpointError(fileName, 'header', 'InvalidHeader', 'the text is not UTF-8');
  }
  const recognize = () => recognizeForeign(bytes);
  const { declared, metadata } = yield* readHeaderText(text, fileName, recognize);
  const tensors = yield* checkTensors(declared, dataStart, fileSizeBytes, fileName);
  return { tensors, metadata, headerBytes };
}

/** Checks that the tensors tile the data and that each has the size its shape says. */
function* checkTensors(
  declared: DeclaredTensor[],
  dataStart: number,
  fileSizeBytes: number,
  fileName: string,
): Steps<StoredTensor[]> {
  const sorted = yield* sortInSteps(
    declared,
    (a, b) => compareUnsigned(a.begin, b.begin) || compareUnsigned(a.end, b.end),
  );
  const dataBytes = fileSizeBytes - dataStart;
  let reached: Unsigned = 0;
  let previous: string | undefined;
  const tensors = yield* replaceInSteps(sorted, (tensor): StoredTensor => {
    const { begin, end, dtype, shape, name } = tensor;
    const refuse = (rule: CheckpointError['rule'], detail: string) =>
      new CheckpointError(fileName, `tensor ${quoted(name)}`, rule, detail);
    if (begin !== reached) {
      const before = previous === undefined ? 'the data begins at' : `${quoted(previous)} ends at`;
      const gap = begin > reached ? 'leaving a hole' : 'overlapping it';
      throw refuse(
        'InvalidOffset',
        `its data begins at ${begin}, but ${before} ${reached}, ${gap}`,
      );
    }
    if (end < begin) {
      throw refuse('InvalidOffset', `its data ends at ${end}, before it begins at ${begin}`);
    }
    const size = computeTensorSize(dtype, shape);
    if ('rule' in size) throw refuse(size.rule, size.detail);
    const span = subtract(end, begin);
    if (size.bytes !== span) {
      const detail = `${dtype} of shape ${shapeText(shape)} needs ${size.bytes} bytes, its data_offsets span ${span}`;
      throw refuse('TensorInvalidInfo', detail);
    }
    reached = end;
    previous = name;
    const stored: StoredTensor = {
      name,
      file: fileName,
      dtype,
      shape: isPlain(shape) ? shape : shape.map(Number),
      offset: dataStart + Number(begin),
      bytes: Number(span),
      elements: Number(size.elements),
    };
    return isPlain(shape) ? stored : { ...stored, exactShape: shape.map(String) };
  });
  if (reached !== dataBytes) throw incomplete(BigInt(reached), BigInt(dataBytes), fileName);
  return tensors;
}

function incomplete(declared: bigint, present: bigint, fileName: string): CheckpointError {
  const detail =
    declared > present
      ? `${declared - present} of ${declared} bytes of data are missing at the end of the file (incomplete download?)`
      : `${present - declared} bytes follow the last tensor, which belong to none`;
  return new CheckpointError(fileName, 'end of data', 'MetadataIncompleteBuffer', detail);
}

/** True where numbers hold all dimensions exactly. */
function isPlain(shape: readonly Unsigned[]): shape is readonly number[] {
  return shape.every((dimension) => typeof dimension === 'number');
}

function compareUnsigned(a: Unsigned, b: Unsigned): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const SHOWN_DIMENSIONS = 8;

function shapeText(shape: readonly Unsigned[]): string {
  const more = shape.length > SHOWN_DIMENSIONS ? ', …' : '';
  return `[${shape.slice(0, SHOWN_DIMENSIONS).join(', ')}${more}]`;
}

function count(amount: number, unit: string): string {
  return amount === 1 ? `1 ${unit}` : `${amount} ${unit}s`;
}

function fail(error: CheckpointError): never {
  throw error;
}

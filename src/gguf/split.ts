import { CheckpointError, quoted } from '../storage/errors.js';
import type { RawHeader } from './header.js';
import type { HeaderValue } from './keyValues.js';

/** A file that is one of several, as llama.cpp's `gguf-split` makes them. */
interface SplitFile {
  readonly fileName: string;
  readonly raw: Pick<RawHeader, 'keyValues' | 'infos'>;
}

/** Keys that each part of a split file has: its number from 0, how many there are, tensors of all together. */
export const SPLIT_KEYS = {
  number: 'split.no',
  count: 'split.count',
  tensors: 'split.tensors.count',
} as const;

const ARCHITECTURE = 'general.architecture';

/**
 * Checks that files belong together, by the keys that splitting wrote.
 * @param files in the order of their names; the first part is the first
 * @param named how many parts there are by these names
 * @throws CheckpointError naming the file and the key that contradicts
 */
export function checkSplit(files: readonly SplitFile[], named: number): void {
  const [first] = files;
  const stated = keyOf(first, SPLIT_KEYS.count);
  if (stated !== undefined && stated !== named) {
    const detail = `it is ${describe(stated)}, but this is one of ${named} by its name`;
    throw refuse(first.fileName, SPLIT_KEYS.count, detail);
  }
  const numbers = new Map<number, string>();
  for (const file of files) {
    const { fileName } = file;
    const own = keyOf(file, SPLIT_KEYS.count);
    if (own !== stated) {
      const detail = `it is ${describe(own)} here and ${describe(stated)} in ${quoted(first.fileName)}: these are no parts of one file`;
      throw refuse(fileName, SPLIT_KEYS.count, detail);
    }
    const number = keyOf(file, SPLIT_KEYS.number);
    if (typeof number === 'number') {
      const other = numbers.get(number);
      if (other !== undefined) {
        throw refuse(fileName, SPLIT_KEYS.number, `it is ${number} as in ${quoted(other)}, too`);
      }
      numbers.set(number, fileName);
    }
    const architecture = keyOf(file, ARCHITECTURE);
    const whole = keyOf(first, ARCHITECTURE);
    if (architecture !== undefined && architecture !== whole) {
      const detail = `it is ${describe(architecture)} here and ${describe(whole)} in ${quoted(first.fileName)}: these are no parts of one file`;
      throw refuse(fileName, ARCHITECTURE, detail);
    }
  }
  const all = keyOf(first, SPLIT_KEYS.tensors);
  const tensors = files.reduce((sum, { raw }) => sum + raw.infos.length, 0);
  if (stated === files.length && all !== undefined && all !== tensors) {
    const detail = `it is ${describe(all)}, and the ${files.length} parts have ${tensors} tensors`;
    throw refuse(first.fileName, SPLIT_KEYS.tensors, detail);
  }
  const number = keyOf(first, SPLIT_KEYS.number);
  if (number !== undefined && number !== 0) {
    const detail = `it is ${describe(number)} in the file that is first by its name, where 0 belongs`;
    throw refuse(first.fileName, SPLIT_KEYS.number, detail);
  }
}

function refuse(fileName: string, key: string, detail: string): CheckpointError {
  return new CheckpointError(fileName, `key "${key}"`, 'InvalidHeader', detail);
}

function keyOf({ raw }: SplitFile, key: string): HeaderValue | undefined {
  return raw.keyValues.get(key);
}

function describe(value: HeaderValue | undefined): string {
  if (value === undefined) return 'missing';
  return typeof value === 'object' ? 'a list' : quoted(String(value));
}

import { HeaderLimitError } from './headerLimitError.js';
import type { Unsigned } from './size.js';
import type { StrictJsonReader } from './strictJson.js';

/**
 * Most dimensions of a tensor. The format sets no limit, but NumPy and PyTorch stop at 64: more than
 * this is made to fill the memory of whoever reads the header.
 */
export const MAX_DIMENSIONS = 65_536;

const SLOTS = 256;

/** Shapes of one header, read so that tensors of equal shape share it: models have few different ones. */
export class SharedShapes {
  readonly #known = new Array<readonly Unsigned[] | undefined>(SLOTS).fill(undefined);

  /** @throws HeaderLimitError, or StrictJsonError where there is no array of unsigned integers */
  read(reader: StrictJsonReader): readonly Unsigned[] {
    const shape: Unsigned[] = [];
    reader.enterArray();
    while (reader.nextElement()) {
      if (shape.length === MAX_DIMENSIONS) {
        const detail = `more than ${MAX_DIMENSIONS} dimensions, the most that are read`;
        throw new HeaderLimitError('TooManyDimensions', detail);
      }
      shape.push(reader.readUnsigned());
    }
    return this.share(shape);
  }

  /** A shape of these dimensions, which the caller may change afterwards. */
  share(dimensions: readonly Unsigned[]): readonly Unsigned[] {
    let hash = 0;
    for (const dimension of dimensions) hash = (hash * 31 + Number(dimension)) % 65_521;
    const slot = (hash + dimensions.length) % SLOTS;
    const known = this.#known[slot];
    if (known !== undefined && isSame(known, dimensions)) return known;
    // A copy, since an array that grew keeps room to grow further.
    return (this.#known[slot] = dimensions.slice());
  }
}

function isSame(a: readonly Unsigned[], b: readonly Unsigned[]): boolean {
  return a.length === b.length && a.every((dimension, i) => dimension === b[i]);
}

import { CheckpointError, quoted } from '../storage/errors.js';
import { countStoredBytes } from '../storage/elementTypes.js';
import { decodeElements } from '../storage/elementValues.js';
import type { OpenSources } from '../storage/openSources.js';
import type { StoredPart, StoredWeight } from '../storage/sourceRef.js';

/** Bytes of a part's columns that are kept at hand, see {@link PartReader.columns}. */
const STRIPE_BYTES = 8 << 20;

/** Bytes that are read at once for a stripe. */
const PIECE_BYTES = 1 << 20;

/** A stripe of a stored matrix: some columns of all its rows. */
interface Stripe {
  readonly part: StoredPart;
  readonly firstColumn: number;
  readonly columns: number;
  readonly bytes: Uint8Array;
}

/** Reads the parts of one weight. */
export class PartReader {
  private stripe: Promise<Stripe> | undefined;
  private stripeKey = '';

  constructor(
    private readonly weight: StoredWeight,
    private readonly sources: Pick<OpenSources, 'read'>,
  ) {}

  has(role: string): boolean {
    return Object.hasOwn(this.weight.parts, role);
  }

  part(role: string): StoredPart {
    if (!this.has(role)) throw new Error(`"${this.weight.tensor}" has no part "${role}"`);
    return this.weight.parts[role];
  }

  /** The error of a part whose contents contradict the others. @param detail what is wrong, in plain words */
  contradiction(role: string, detail: string): CheckpointError {
    const place = `tensor ${quoted(this.weight.tensor)}`;
    return new CheckpointError(this.part(role).source.name, place, 'TensorInvalidInfo', detail);
  }

  /** All values of a part as f32. For scales, zero points and the like, which are small. */
  async values(role: string): Promise<Float32Array> {
    const { dtype, shape } = this.part(role);
    const values = new Float32Array(countElements(shape));
    decodeElements(dtype, await this.bytes(role), values);
    return values;
  }

  /** All bytes of a part; aligned for any element type. */
  async bytes(role: string): Promise<Uint8Array> {
    const { dtype, shape } = this.part(role);
    return this.range(role, 0, countStoredBytes(dtype, countElements(shape)));
  }

  /** Some bytes of a part, aligned for any element type. @param first counted from the part's first byte */
  async range(role: string, first: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.ceil(length / 8) * 8).subarray(0, length);
    const { source, offset } = this.part(role);
    await this.sources.read(source, offset + first, bytes);
    return bytes;
  }

  /**
   * Columns of a part [rows × columns] as bytes [rows × `count`]. Where codes are packed along the
   * other dimension, the rows of a weight are columns of what is stored; a stripe of them is kept, so
   * that a file is not read a few bytes at a time.
   */
  async columns(role: string, first: number, count: number): Promise<Uint8Array> {
    const part = this.part(role);
    const [rows, columns] = part.shape;
    const size = countStoredBytes(part.dtype, 1);
    const wide = Math.max(count, Math.floor(STRIPE_BYTES / (rows * size)));
    const start = Math.floor(first / wide) * wide;
    if (first + count > Math.min(start + wide, columns)) {
      // Across the border of two stripes.
      return this.readColumns(part, first, count);
    }
    const key = `${role} ${start} ${wide}`;
    if (this.stripeKey !== key) {
      const length = Math.min(wide, columns - start);
      this.stripeKey = key;
      this.stripe = this.readColumns(part, start, length).then((bytes) => ({
        part,
        firstColumn: start,
        columns: length,
        bytes,
      }));
      this.stripe.catch(() => (this.stripeKey = ''));
    }
    const stripe = await this.stripe!;
    const place = { rows, columns: stripe.columns, first: first - stripe.firstColumn, count };
    return takeColumns(stripe.bytes, size, place);
  }

  private async readColumns(part: StoredPart, first: number, count: number): Promise<Uint8Array> {
    const [rows, columns] = part.shape;
    const size = countStoredBytes(part.dtype, 1);
    const bytes = new Uint8Array(rows * count * size);
    // Whole rows in large pieces: many small reads cost more than the bytes between them.
    const atOnce = Math.max(1, Math.floor(PIECE_BYTES / (columns * size)));
    const piece = new Uint8Array(Math.min(rows, atOnce) * columns * size);
    for (let done = 0; done < rows; done += atOnce) {
      const read = piece.subarray(0, Math.min(atOnce, rows - done) * columns * size);
      await this.sources.read(part.source, part.offset + done * columns * size, read);
      for (let row = 0; row * columns * size < read.length; row++) {
        const at = (row * columns + first) * size;
        bytes.set(read.subarray(at, at + count * size), (done + row) * count * size);
      }
    }
    return bytes;
  }
}

/** Some columns of a matrix that lies in memory, as bytes. */
function takeColumns(
  bytes: Uint8Array,
  size: number,
  { rows, columns, first, count }: Readonly<Record<'rows' | 'columns' | 'first' | 'count', number>>,
): Uint8Array {
  const taken = new Uint8Array(rows * count * size);
  if (size === 4) {
    // A few words of each row: a call for each would cost more than the words.
    const from = new Int32Array(bytes.buffer, bytes.byteOffset, rows * columns);
    const to = new Int32Array(taken.buffer);
    for (let row = 0, at = first, next = 0; row < rows; row++, at += columns) {
      for (let i = 0; i < count; i++) to[next++] = from[at + i];
    }
    return taken;
  }
  for (let row = 0; row < rows; row++) {
    const at = (row * columns + first) * size;
    taken.set(bytes.subarray(at, at + count * size), row * count * size);
  }
  return taken;
}

export function countElements(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

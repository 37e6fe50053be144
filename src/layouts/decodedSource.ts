import { checkRange, type ByteSource } from '../storage/byteSource.js';
import type { OpenSources } from '../storage/openSources.js';
import type { SourceRef, StoredWeight } from '../storage/sourceRef.js';
import { findLayout } from './index.js';
import type { RowDecoder } from './layout.js';
import { countElements, PartReader } from './partReader.js';

/** Weights that are decoded at a time where a read does not begin and end with a row. */
const SCRATCH_ELEMENTS = 1 << 20;

/** Bytes of a decoded weight: it reads like a matrix of F32. */
export function countDecodedBytes(shape: readonly number[]): number {
  return countElements(shape) * 4;
}

/**
 * A weight as the bytes of its F32 values, decoded while they are read.
 * @param sources where its parts are read from; they stay open
 * @throws CheckpointError where parts cannot be read
 */
export async function openDecodedSource(
  name: string,
  weight: StoredWeight,
  sources: Pick<OpenSources, 'read'>,
): Promise<ByteSource> {
  const decoder = await findLayout(weight.layout).open(weight, new PartReader(weight, sources));
  return new DecodedSource(name, weight, decoder);
}

class DecodedSource implements ByteSource {
  readonly size: number;
  private readonly columns: number;

  constructor(
    readonly name: string,
    private readonly weight: StoredWeight,
    private readonly decoder: RowDecoder,
  ) {
    this.size = countDecodedBytes(weight.shape);
    this.columns = weight.shape.at(-1) ?? 1;
  }

  get ref(): SourceRef {
    return { kind: 'decoded', name: this.name, weight: this.weight };
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    checkRange(this.name, this.size, offset, target.length);
    const rowBytes = this.columns * 4;
    let done = 0;
    while (done < target.length) {
      const at = offset + done;
      const row = Math.floor(at / rowBytes);
      const skip = at - row * rowBytes;
      const left = target.length - done;
      const address = target.byteOffset + done;
      const whole = Math.floor(left / rowBytes);
      if (skip === 0 && whole > 0 && address % 4 === 0) {
        const values = new Float32Array(target.buffer, address, whole * this.columns);
        await this.decoder.decode(row, whole, values);
        done += whole * rowBytes;
        continue;
      }
      const most = Math.max(1, Math.floor(SCRATCH_ELEMENTS / this.columns));
      const rows = Math.min(most, Math.ceil((skip + left) / rowBytes));
      const scratch = new Float32Array(rows * this.columns);
      await this.decoder.decode(row, rows, scratch);
      const bytes = new Uint8Array(scratch.buffer).subarray(skip, skip + left);
      target.set(bytes, done);
      done += bytes.length;
    }
  }

  async close(): Promise<void> {}
}

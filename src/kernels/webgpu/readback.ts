import type { Gpu, GpuView } from './gpu.js';

/** Bytes that are acquired at once for results of many kernels. */
const BLOCK_BYTES = 1 << 20;

/** Part of a {@link Block} that a kernel fills. */
interface Reservation {
  readonly at: number;
  readonly words: number;
  fold(words: Uint32Array): void;
  fail(error: unknown): void;
}

interface Block {
  readonly view: GpuView;
  used: number;
  readonly reservations: Reservation[];
}

/** Results of many kernels, which are read together. */
export class Readback {
  private blocks: Block[] = [];

  constructor(private readonly gpu: Gpu) {}

  /**
   * Room for a result, of unknown content.
   * @param fold makes of the words that the kernel wrote what the promise resolves to
   * @returns where the kernel writes, and a promise that is settled by {@link collect}
   */
  reserve<T>(
    words: number,
    fold: (words: Uint32Array) => T,
  ): { readonly view: GpuView; readonly result: Promise<T> } {
    const block = this.blockFor(words * 4);
    const at = block.used;
    block.used += words * 4;
    const result = new Promise<T>((resolve, reject) => {
      block.reservations.push({
        at,
        words,
        fold: (found) => resolve(fold(found)),
        fail: (error) => reject(error instanceof Error ? error : new Error(String(error))),
      });
    });
    // Who waits for `collect` alone is told of a failure by it.
    result.catch(() => undefined);
    return { view: { buffer: block.view.buffer, offset: at, bytes: words * 4 }, result };
  }

  /** Reads all results that were reserved before. @throws GpuFailure, as do their promises */
  async collect(): Promise<void> {
    const { blocks, gpu } = this;
    this.blocks = [];
    const reads = blocks.map(async ({ view, used, reservations }) => {
      try {
        const bytes = await gpu.read({ ...view, bytes: used });
        gpu.release(view);
        for (const { at, words, fold } of reservations)
          fold(new Uint32Array(bytes.buffer, at, words));
      } catch (error) {
        for (const { fail } of reservations) fail(error);
        throw error;
      }
    });
    await Promise.all(reads);
  }

  private blockFor(bytes: number): Block {
    const last = this.blocks.at(-1);
    if (last && last.used + bytes <= last.view.bytes) return last;
    const block = {
      view: this.gpu.acquire(Math.max(bytes, BLOCK_BYTES)),
      used: 0,
      reservations: [],
    };
    this.blocks.push(block);
    return block;
  }
}

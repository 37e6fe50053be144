import { rm } from 'node:fs/promises';
import type { TrainingCheck, TrainingState } from '../../../model/training/types.js';
import { openLocalModel } from '../../../model/node/openLocalModel.js';
import { writeSafetensors } from '../../../safetensors/node/writer.js';
import { visible } from '../../../storage/errors.js';
import { localFileSystem } from '../../../storage/node/localFileSystem.js';
import { openStoredSources } from '../../../layouts/node/openStored.js';

const ARRAYS = ['weights', 'first', 'second', 'best'] as const;

/** Where training has come to, in a safetensors file beside its output; it is gone when the output is there. */
export class TrainingStates {
  /**
   * @param path of the file
   * @param key names everything that the state depends on
   */
  constructor(
    readonly path: string,
    private readonly key: string,
  ) {}

  /** @throws an Error of one line where the file holds something else */
  async read(): Promise<TrainingState | undefined> {
    if ((await localFileSystem.kind(this.path)) !== 'file') return undefined;
    const { tensors, metadata } = await openLocalModel(this.path);
    if (metadata['quantscope.training'] !== this.key) {
      throw new Error(
        `${visible(this.path)}: holds the state of another training (model, text, format or settings differ): remove it, or choose another output`,
      );
    }
    if (ARRAYS.some((name) => !tensors.some((tensor) => tensor.name === name))) {
      throw new Error(`${visible(this.path)}: is damaged: remove it, and training begins anew`);
    }
    const sources = openStoredSources();
    try {
      const arrays = await Promise.all(
        ARRAYS.map(async (name) => {
          const tensor = tensors.find((each) => each.name === name)!;
          const values = new Float32Array(tensor.elements);
          await sources.read(tensor.source, tensor.offset, new Uint8Array(values.buffer));
          return [name, values] as const;
        }),
      );
      const { step, checks } = JSON.parse(metadata['quantscope.progress']) as {
        step: number;
        checks: TrainingCheck[];
      };
      const found = Object.fromEntries(arrays) as Record<(typeof ARRAYS)[number], Float32Array>;
      return { step, checks, ...found };
    } finally {
      await sources.close();
    }
  }

  /** Writes whole or not at all. */
  async write(state: TrainingState, signal?: AbortSignal): Promise<void> {
    const { step, checks } = state;
    const entries = ARRAYS.map((name) => ({
      name,
      shape: [state[name].length],
      dtype: 'F32' as const,
    }));
    const metadata = {
      'quantscope.training': this.key,
      'quantscope.progress': JSON.stringify({ step, checks }),
    };
    await writeSafetensors(
      this.path,
      entries,
      metadata,
      async ({ name }, sink) => {
        const { buffer, byteOffset, byteLength } = state[name];
        await sink.write(new Uint8Array(buffer, byteOffset, byteLength));
      },
      { signal },
    );
  }

  remove(): Promise<void> {
    return rm(this.path, { force: true });
  }
}

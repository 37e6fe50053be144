import { gguf } from '../gguf/container.js';
import { safetensors } from '../safetensors/container.js';
import type { Container } from '../storage/container.js';

/** Every file format that can be opened. A new one: a room that fulfils the interface, a line here. */
export const CONTAINERS: readonly Container[] = Object.freeze([safetensors, gguf]);

/** The container of a file, and whether the file is an index of its shards. */
export interface Recognized {
  readonly container: Container;
  readonly isIndex: boolean;
}

/** The container of a file by its name; undefined where no container names its files so. */
export function containerOf(name: string): Recognized | undefined {
  for (const container of CONTAINERS) {
    const { fileSuffix, indexSuffix } = container;
    if (indexSuffix !== undefined && name.endsWith(indexSuffix))
      return { container, isIndex: true };
    if (name.endsWith(fileSuffix)) return { container, isIndex: false };
  }
  return undefined;
}

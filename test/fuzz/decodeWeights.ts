import type { OpenedModel } from '../../src/checkpoint/types.js';
import type { openStoredSources } from '../../src/layouts/node/openStored.js';
import { promise } from './target.js';

/** Larger weights are not decoded here: time goes with their number. */
const MOST_ELEMENTS = 1 << 16;

/**
 * Decodes the weights of a model that are stored in parts. Fails where some of the elements of one, which need not
 * begin with a row, read otherwise by themselves than with the others.
 * @throws CheckpointError where parts contradict each other
 */
export async function decodeWeights(
  { tensors }: Pick<OpenedModel, 'tensors'>,
  sources: ReturnType<typeof openStoredSources>,
): Promise<void> {
  for (const { name, storage, elements, source } of tensors) {
    if (!storage || elements > MOST_ELEMENTS) continue;
    promise(elements > 0, `"${name}" has no elements`);
    const all = new Float32Array(elements);
    await sources.read(source, 0, new Uint8Array(all.buffer));
    const first = Math.floor(elements / 3);
    const some = new Float32Array(Math.ceil(elements / 3));
    await sources.read(source, 4 * first, new Uint8Array(some.buffer));
    const other = some.findIndex((value, i) => !Object.is(value, all[first + i]));
    promise(other < 0, `"${name}" has another element ${first + other} where some are read`);
  }
}

import type { ChunkLoader } from '../compute/chunkLoader.js';

/** Makes methods whose steps see the shared memory as it was when their task was sent. */
export function makeSeeing(loader: ChunkLoader) {
  return <Task extends { readonly memoryEnd: number }, Result>(step: (task: Task) => Result) =>
    (task: Task): Promise<Result> => {
      loader.ensureVisible(task.memoryEnd);
      return Promise.resolve(step(task));
    };
}

// Program of a compute worker: chunks of tensors and the steps of a forward pass, over the pool's memory.
import { ChunkLoader } from '../compute/chunkLoader.js';
import { makeChunkMethods } from '../compute/chunkMethods.js';
import { makeDifferenceMethods, type DifferenceApi } from '../compute/difference.js';
import { makeExamineMethods, type ExamineApi } from '../compute/examine.js';
import type { WorkerStart } from '../compute/poolWorker.js';
import { TaskQueue } from '../compute/taskQueue.js';
import { makeSmallTensorMethods, type SmallTensorApi } from '../compute/smallTensors.js';
import { makeSpanMethods } from '../compute/spanMethods.js';
import type { ChunkApi, SpanApi, WorkerControl } from '../compute/tasks.js';
import { serveThread } from '../host/node/serveThread.js';
import { instantiateKernels } from '../kernels/wasm/wasmKernels.js';
import { makeBackwardMethods } from '../model/backward/backwardMethods.js';
import type { BackwardApi } from '../model/backward/tasks.js';
import { makeTrainingMethods } from '../model/training/trainingMethods.js';
import type { TrainingApi } from '../model/training/tasks.js';
import { makeForwardMethods } from '../model/forward/forwardMethods.js';
import { makeCalibrationMethods } from '../methods/workerMethods.js';
import type { CalibrationApi } from '../methods/tasks.js';
import type { ForwardApi, StageApi } from '../model/forward/tasks.js';
import type { Handlers, Methods } from '../rpc/rpc.js';
import { openStoredSources } from '../layouts/node/openStored.js';

/** Methods whose calls wait for one another. */
function inTurn<Api extends Methods<Api>>(queue: TaskQueue, methods: Handlers<Api>): Handlers<Api> {
  const queued = Object.entries(
    methods as Record<string, (task: unknown, context: unknown) => unknown>,
  ).map(([name, method]) => [
    name,
    (task: unknown, context: unknown) => queue.run(async () => method(task, context)),
  ]);
  return Object.fromEntries(queued) as Handlers<Api>;
}

type WorkerApi = ChunkApi &
  DifferenceApi &
  ExamineApi &
  SpanApi &
  SmallTensorApi &
  ForwardApi &
  StageApi &
  CalibrationApi &
  BackwardApi &
  TrainingApi &
  WorkerControl;

serveThread<WorkerStart, WorkerApi>(async ({ memory, modules }) => {
  const exports = modules && (await instantiateKernels(modules.kernels, memory));
  const sources = openStoredSources({ blocking: true });
  const loader = new ChunkLoader(memory, exports, sources);
  return inTurn<WorkerApi>(new TaskQueue(), {
    ...makeChunkMethods(loader),
    ...makeDifferenceMethods(loader),
    ...makeExamineMethods(loader),
    ...makeSpanMethods(loader),
    ...makeSmallTensorMethods(loader),
    ...(await makeForwardMethods(loader, modules?.forward)),
    ...(await makeCalibrationMethods(loader, modules?.forward)),
    ...(await makeBackwardMethods(loader, modules?.forward)),
    ...(await makeTrainingMethods(loader, modules?.forward)),
    closeFiles: () => sources.close(),
  });
});

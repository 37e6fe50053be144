import { findChunkBoundary } from '../../../compute/tensorRanges.js';
import type { DeviceChunks } from '../../../compute/webgpu/deviceChunks.js';
import { writeBytes, type GpuMethod } from '../../../compute/webgpu/gpuService.js';
import { parseFormat } from '../../../formats/index.js';
import type { GpuView } from '../../../kernels/webgpu/gpu.js';
import { countStoredBytes } from '../../../storage/elementTypes.js';
import type { ByteReader } from '../../../storage/openSources.js';
import { FinalPass } from '../finalPass.js';
import { ForwardPass } from '../forwardPass.js';
import type {
  AttendTask,
  ExpertsTask,
  FinalInputsTask,
  FinishTask,
  ForwardApi,
  GatherTask,
  LinearTask,
  LoadBytesTask,
  LoadVectorTask,
  LogitsTask,
  PackTask,
  ProjectTask,
  ScoreTask,
  SumsTask,
} from '../tasks.js';
import type { DeviceKernels } from './deviceKernels.js';
import { DeviceLayers } from './deviceLayers.js';

const nothing = () => undefined;

/** The methods of the forward pass on a device; see `makeForwardMethods` for those of a thread. */
export function makeGpuForwardMethods(
  chunks: DeviceChunks,
  reader: ByteReader,
  kernels: DeviceKernels,
): Readonly<Record<keyof ForwardApi, GpuMethod>> {
  const { memory } = chunks;
  const { gpu } = memory;
  const layers = new DeviceLayers(kernels);
  const pass = new ForwardPass(layers);
  const final = new FinalPass(layers);
  /** A step that only records commands. */
  const recording =
    <Task>(step: (task: Task) => void | Promise<void>) =>
    async (task: Task) => {
      await step(task);
      layers.freeScratch();
      return nothing;
    };

  return {
    loadBytes: recording(async ({ source, offset, bytes, target }: LoadBytesTask) => {
      const read = new Uint8Array(bytes);
      await reader.read(source, offset, read);
      writeBytes(memory, target, read);
    }),
    loadVector: recording(async ({ chunk, target }: LoadVectorTask) => {
      const stored = await chunks.read(chunk);
      const place = memory.borrow(target, chunk.rows * chunk.columns * 4, 'write');
      chunks.decode(chunk, stored, place.view);
      place.end();
    }),
    async packWeights({ chunk, target, format, scaleDtype }: PackTask) {
      await kernels.chooseProducts();
      const stored = await chunks.read(chunk);
      const place = memory.borrow(target, chunk.rows * chunk.columns * 4, 'write');
      // What stays as it is needs no buffer between.
      const { weights, sums, end } = chunks.load(chunk, stored, format ? undefined : place.view);
      if (format) {
        void chunks.kernels.quantize({
          format: parseFormat(format.id),
          scaleDtype,
          shape: chunk,
          weights,
          tensorRange: format.tensorRange,
          output: place.view,
        });
      }
      end();
      place.end();
      const collected = chunks.collect();
      return () => collected.then(() => sums);
    },
    gatherRows: recording(gatherRows),
    applyLinear: recording((task: LinearTask) => pass.applyLinear(task)),
    project: recording((task: ProjectTask) => pass.project(task)),
    attend: recording((task: AttendTask) => pass.attend(task)),
    finish: recording((task: FinishTask) => pass.finish(task)),
    applyExperts: recording((task: ExpertsTask) => pass.applyExperts(task)),
    finalInputs: recording((task: FinalInputsTask) => final.finalInputs(task)),
    startScores: recording(({ sums, rows }: SumsTask) => kernels.clearScores(sums, rows)),
    score: recording((task: ScoreTask) => final.score(task)),
    readScores({ sums, rows }: SumsTask) {
      const read = kernels.readSums(sums, rows);
      return Promise.resolve(() => read);
    },
    logits(task: LogitsTask) {
      const read = kernels.read(final.logits(task), task.rows * task.head.outputs * 4);
      layers.freeScratch();
      return Promise.resolve(async () => new Float32Array((await read).buffer));
    },
  };

  /** Rows of an embedding: each is read by itself, and they are quantized together where their groups are their own. */
  async function gatherRows(task: GatherTask): Promise<void> {
    const { matrix, rows, target, scale, add, format } = task;
    const { columns } = matrix;
    const { blocks } = findChunkBoundary(format ? [parseFormat(format.id)] : []);
    const together = blocks === 1 ? rows.length : 1;
    for (let first = 0; first < rows.length; first += together) {
      const some = rows.subarray(first, first + together);
      const loaded = await loadRows(task, some, blocks);
      const at = memory.allocate(some.length * columns * 4);
      const copy = memory.borrow(at, some.length * columns * 4, 'write');
      gpu.copy({ ...loaded.view, offset: loaded.skip * 4 }, copy.view);
      copy.end();
      gpu.release(loaded.view);
      const source = { at, stride: columns };
      if (scale !== 1) kernels.scale(source, some.length, columns, Math.fround(scale));
      const place = { at: target.at + first * target.stride * 4, stride: target.stride };
      if (add) kernels.add(source, some.length, columns, place);
      else kernels.copy(source, some.length, columns, place);
      memory.release(at);
    }
  }

  /** @param blocks elements that are quantized together, wherever rows begin; then there is one row */
  async function loadRows(
    { matrix, format, scaleDtype }: GatherTask,
    rows: Int32Array,
    blocks: number,
  ): Promise<{ readonly view: GpuView; readonly skip: number }> {
    const { source, offset, dtype, columns } = matrix;
    const spans = [...rows].map((row) => spanOf(matrix, row, blocks));
    const stored = new Uint8Array(
      spans.reduce((sum, { count }) => sum + countStoredBytes(dtype, count), 0),
    );
    let filled = 0;
    // Together: where somebody else reads them, each waits for an answer.
    const reads = spans.map(({ first, count }) => {
      const bytes = countStoredBytes(dtype, count);
      const from = offset + countStoredBytes(dtype, first);
      const target = stored.subarray(filled, filled + bytes);
      filled += bytes;
      return reader.read(source, from, target);
    });
    await Promise.all(reads);
    const [{ first, count }] = spans;
    const shape = blocks === 1 ? { rows: rows.length, columns } : { rows: 1, columns: count };
    const weights = gpu.acquire(shape.rows * shape.columns * 4);
    chunks.upload(dtype, stored, weights);
    void chunks.kernels.inspect(weights, shape.rows * shape.columns);
    const skip = blocks === 1 ? 0 : rows[0] * columns - first;
    if (!format) return { view: weights, skip };
    const output = gpu.acquire(shape.rows * shape.columns * 4);
    void chunks.kernels.quantize({
      format: parseFormat(format.id),
      scaleDtype,
      shape,
      weights,
      tensorRange: format.tensorRange,
      output,
    });
    gpu.release(weights);
    return { view: output, skip };
  }
}

/** Elements around a row that quantize together with it. */
function spanOf(
  { rows, columns }: Pick<GatherTask['matrix'], 'rows' | 'columns'>,
  row: number,
  blocks: number,
): { readonly first: number; readonly count: number } {
  const first = Math.floor((row * columns) / blocks) * blocks;
  const end = Math.ceil(((row + 1) * columns) / blocks) * blocks;
  return { first, count: Math.min(end, rows * columns) - first };
}

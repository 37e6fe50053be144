import type { ChunkApi } from '../../compute/tasks.js';
import type { TaskMachine } from '../../compute/taskMachine.js';
import { countPackedWeightBytes } from '../../kernels/forwardKernels.js';
import type { SourceRef } from '../../storage/sourceRef.js';
import type { ForwardApi } from '../forward/tasks.js';

/** What a machine does in a second. */
export interface MachineRates {
  /** Bytes that come into its memory. */
  readonly bytes: number;
  /** Multiplications and additions of matrix products. */
  readonly flops: number;
  /** Weights that are quantized, their way into memory included. */
  readonly quantized: number;
}

/** Rows and columns of the weights that are tried. */
const SIZE = 1024;
const ROWS = 512;
const FORMAT = 'int4-asym:g128';
/** Shorter runs say little. */
const LEAST_SECONDS = 0.03;
const MOST_ROUNDS = 64;

/** Measures a machine with small jobs of the kinds that large ones consist of; takes some tenths of a second. */
export async function probeMachine(
  machine: TaskMachine,
  signal?: AbortSignal,
): Promise<MachineRates> {
  const stored = new SharedArrayBuffer(SIZE * SIZE * 2);
  // BF16 weights around 1/64 of both signs.
  new Uint16Array(stored).forEach((_, i, all) => (all[i] = 0x3c80 + (i % 61) + (i % 2) * 0x8000));
  const source: SourceRef = { kind: 'memory', name: 'probe', bytes: stored };
  const chunk = { source, offset: 0, dtype: 'BF16' as const, rows: SIZE, columns: SIZE };
  const forward = machine.tasks<ForwardApi>();
  const each = <Item>(make: (thread: number) => Item) =>
    Array.from({ length: machine.threads }, (_, thread) => make(thread));
  const places = each(() => ({
    bytes: machine.reserve(stored.byteLength).start,
    weights: machine.reserve(countPackedWeightBytes(SIZE, SIZE)).start,
    inputs: machine.reserve(ROWS * SIZE * 4).start,
    outputs: machine.reserve(ROWS * SIZE * 4).start,
  }));
  for (const { inputs } of places) machine.write(inputs, new Float32Array(ROWS * SIZE).fill(0.5));
  /** Everything before is done when this is. */
  const settle = () => machine.readFloats(places[0].outputs, 1);

  const load = () =>
    forward.run(
      'loadBytes',
      places.map(({ bytes: target }) => ({
        source,
        offset: 0,
        bytes: stored.byteLength,
        target,
        scratchBytes: 0,
      })),
      () => undefined,
      signal,
    );
  const quantize = () =>
    machine.tasks<ChunkApi>().run(
      'quantize',
      each(() => ({ chunk, formats: [{ id: FORMAT }], scaleDtype: 'f16' as const })),
      () => undefined,
      signal,
    );
  const multiply = () =>
    forward.run(
      'applyLinear',
      places.map(({ weights, inputs, outputs }) => ({
        linear: { packed: weights, bias: 0, outputs: SIZE, inputs: SIZE },
        source: { at: inputs, stride: SIZE },
        rows: ROWS,
        target: { at: outputs, stride: SIZE },
        scratchBytes: (ROWS + 16) * SIZE * 4 + 65536,
      })),
      () => undefined,
      signal,
    );
  await forward.run(
    'packWeights',
    places.map(({ weights: target }) => ({ chunk, target, scaleDtype: 'f16' as const })),
    () => undefined,
    signal,
  );
  const perRound = async (work: number, run: () => Promise<void>) =>
    (work * machine.threads) / (await secondsOf(run, settle));
  return {
    bytes: await perRound(stored.byteLength, load),
    quantized: await perRound(SIZE * SIZE, quantize),
    flops: await perRound(2 * ROWS * SIZE * SIZE, multiply),
  };
}

/** Seconds of one run, after one that does not count; of as many as are needed to tell. */
async function secondsOf(
  run: () => Promise<void>,
  settle: () => Promise<unknown>,
): Promise<number> {
  await run();
  await settle();
  for (let rounds = 1; ; rounds *= 4) {
    const begin = performance.now();
    for (let round = 0; round < rounds; round++) await run();
    await settle();
    const seconds = (performance.now() - begin) / 1000;
    if (seconds >= LEAST_SECONDS || rounds >= MOST_ROUNDS) return seconds / rounds;
  }
}

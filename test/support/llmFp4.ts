import type { WorkerPool } from '../../src/compute/workerPool.js';
import type { BiasedFloat } from '../../src/formats/preShifted.js';
import { roundRow } from '../../src/kernels/reference/forward/rounding.js';
import { LlmFp4Search } from '../../src/methods/llmFp4/search.js';
import { sampleRoomBytes } from '../../src/methods/samples/sizes.js';

export interface Fp4Scene {
  readonly weights: Float32Array;
  readonly inputs: number;
  /** f32 [rows × inputs]. */
  readonly samples: Float32Array;
  readonly splits: readonly BiasedFloat[];
  readonly first: number;
  readonly inputSplits?: readonly BiasedFloat[];
  readonly firstInput?: number;
  readonly isShifted?: boolean;
}

/** Searches in a pool's memory. */
export async function searchFloats(pool: WorkerPool, scene: Fp4Scene) {
  const { weights, inputs, samples: values, splits, first, inputSplits } = scene;
  const outputs = weights.length / inputs;
  const rows = values.length / inputs;
  const stride = inputs;
  const at = pool.reserve(weights.byteLength).start;
  pool.write(at, weights);
  const samplesAt = pool.reserve(values.byteLength).start;
  pool.write(samplesAt, values);
  const magnitudes = new Float32Array(inputs);
  values.forEach((x, i) => {
    magnitudes[i % inputs] = Math.max(magnitudes[i % inputs], Math.abs(x));
  });
  const search = new LlmFp4Search({
    machine: pool,
    linear: { name: 'w', outputs, weights: { at, stride } },
    samples: { matrix: { at: samplesAt, stride }, rows, inputs },
    room: pool.reserve(sampleRoomBytes(outputs, rows, inputs)).start,
    splits,
    first,
    inputs: inputSplits && {
      splits: inputSplits,
      first: scene.firstInput!,
      isShifted: scene.isShifted!,
      magnitudes,
    },
    scaleDtype: 'f32',
    call: {},
  });
  const result = await search.run();
  await search.replaceWeights();
  const quantized = new Float32Array(pool.memory.buffer, at, weights.length).slice();
  const rounded = values.slice();
  if (result.rounding) {
    const { levels, scale } = result.rounding;
    for (let row = 0; row < rows; row++) {
      const place = rounded.subarray(row * inputs, (row + 1) * inputs);
      roundRow(place, levels, scale, place);
    }
  }
  return { result, quantized, rounded };
}

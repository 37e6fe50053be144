// Weights that are stored in parts: how fast they are decoded, as a share of INT4 quantization in the same run.
import { openStoredSources } from '../../src/layouts/node/openStored.js';
import { findStoredWeights } from '../../src/layouts/storedWeights.js';
import { makeMemorySource } from '../../src/storage/byteSource.js';
import type { StoredTensor } from '../../src/storage/container.js';
import { countStoredBytes, type ElementTypeName } from '../../src/storage/elementTypes.js';

const OUTPUTS = 1024;
const INPUTS = 4096;
/** Rows that are read at a time: what a chunk has. */
const ROWS = 64;

const WARM_UP = 5;
const REPETITIONS = 15;

type Parts = Readonly<Record<string, readonly [ElementTypeName, readonly number[], Uint8Array?]>>;

const I32 = 4;
const halfOnes = (count: number) => new Uint8Array(new Uint16Array(count).fill(0x2c00).buffer);
const ones = (count: number) => new Uint8Array(new Float32Array(count).fill(0.01).buffer);
const json = new TextEncoder().encode(
  JSON.stringify({ quant_type: 'nf4', blocksize: 64, dtype: 'float16', shape: [OUTPUTS, INPUTS] }),
);

/** The same matrix in several layouts; what the codes are does not matter. */
const LAYOUTS: Readonly<Record<string, { readonly parts: Parts; readonly config?: object }>> = {
  'GPTQ 4-bit g128': {
    parts: {
      'm.qweight': ['I32', [INPUTS / 8, OUTPUTS]],
      'm.qzeros': ['I32', [INPUTS / 128, OUTPUTS / 8]],
      'm.scales': ['F16', [INPUTS / 128, OUTPUTS], halfOnes((INPUTS / 128) * OUTPUTS)],
    },
    config: { quant_method: 'gptq', bits: 4, group_size: 128 },
  },
  'GPTQ 8-bit g128': {
    parts: {
      'm.qweight': ['I32', [INPUTS / 4, OUTPUTS]],
      'm.qzeros': ['I32', [INPUTS / 128, OUTPUTS / 4]],
      'm.scales': ['F16', [INPUTS / 128, OUTPUTS], halfOnes((INPUTS / 128) * OUTPUTS)],
    },
    config: { quant_method: 'gptq', bits: 8, group_size: 128 },
  },
  'AWQ 4-bit g128': {
    parts: {
      'm.qweight': ['I32', [INPUTS, OUTPUTS / 8]],
      'm.qzeros': ['I32', [INPUTS / 128, OUTPUTS / 8]],
      'm.scales': ['F16', [INPUTS / 128, OUTPUTS], halfOnes((INPUTS / 128) * OUTPUTS)],
    },
    config: { quant_method: 'awq', version: 'gemm' },
  },
  'FP8 in blocks of 128': {
    parts: {
      'm.weight': ['F8_E4M3', [OUTPUTS, INPUTS]],
      'm.weight_scale_inv': [
        'F32',
        [OUTPUTS / 128, INPUTS / 128],
        ones((OUTPUTS / 128) * (INPUTS / 128)),
      ],
    },
    config: { quant_method: 'fp8', weight_block_size: [128, 128] },
  },
  'NF4 g64': {
    parts: {
      'm.weight': ['U8', [(OUTPUTS * INPUTS) / 2, 1]],
      'm.weight.absmax': ['F32', [(OUTPUTS * INPUTS) / 64], ones((OUTPUTS * INPUTS) / 64)],
      'm.weight.quant_map': ['F32', [16], ones(16)],
      'm.weight.quant_state.bitsandbytes__nf4': ['U8', [json.length], json],
    },
  },
  'packed integers 4-bit g128': {
    parts: {
      'm.weight_packed': ['I32', [OUTPUTS, INPUTS / 8]],
      'm.weight_scale': ['F16', [OUTPUTS, INPUTS / 128], halfOnes((INPUTS / 128) * OUTPUTS)],
      'm.weight_shape': [
        'I64',
        [2],
        new Uint8Array(BigInt64Array.of(BigInt(OUTPUTS), BigInt(INPUTS)).buffer),
      ],
    },
    config: { config_groups: { group_0: { weights: { num_bits: 4, group_size: 128 } } } },
  },
  'MLX 4-bit g64': {
    parts: {
      'm.weight': ['U32', [OUTPUTS, INPUTS / 8]],
      'm.scales': ['F16', [OUTPUTS, INPUTS / 64], halfOnes((INPUTS / 64) * OUTPUTS)],
      'm.biases': ['F16', [OUTPUTS, INPUTS / 64], halfOnes((INPUTS / 64) * OUTPUTS)],
    },
    config: { bits: 4, group_size: 64 },
  },
};

/** The weight that some parts are, in a file in memory. */
async function storeInMemory(parts: Parts, config: object) {
  const tensors: StoredTensor[] = [];
  let end = 0;
  for (const [name, [dtype, shape]] of Object.entries(parts)) {
    const elements = shape.reduce((product, dimension) => product * dimension, 1);
    const bytes = countStoredBytes(dtype, elements);
    tensors.push({ name, file: 'x', dtype, shape, offset: end, bytes, elements });
    end += Math.ceil(bytes / I32) * I32;
  }
  const file = new Uint8Array(new SharedArrayBuffer(end));
  for (const { name, offset, bytes } of tensors) {
    const given = parts[name][2];
    // Codes of all kinds; as 8-bit floats none is NaN.
    const codes = () =>
      Uint8Array.from({ length: bytes }, (_, i) => (Math.imul(i, 89) >>> 3) % 120);
    file.set(given ?? codes(), offset);
  }
  const { ref } = makeMemorySource('x', file);
  const { weightOf } = await findStoredWeights(
    tensors,
    () => ref,
    async () => config as Record<string, unknown>,
    async ({ offset, bytes }) => file.slice(offset, offset + bytes),
  );
  return [...weightOf.values()][0];
}

/** How fast one layout is decoded. */
export interface DecodingRow {
  readonly name: string;
  readonly millionsPerSecond: number;
  /** Share of the rate at which INT4 is quantized. */
  readonly ofInt4: number;
}

/** Median of a list, which is sorted in place. */
function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** Seconds of processor time: those of whole matrices would count what else the machine does. */
async function processorSeconds(call: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/**
 * Decodes a matrix in each layout on one thread, as jobs do.
 * @param int4 quantizes as many weights as it says, once before each reading of the matrix
 */
export async function decodingRows(int4: {
  readonly weights: number;
  quantize(): unknown;
}): Promise<DecodingRow[]> {
  const rows: DecodingRow[] = [];
  const target = new Uint8Array(new SharedArrayBuffer(ROWS * INPUTS * 4));
  const times = (OUTPUTS * INPUTS) / int4.weights;
  for (const [name, { parts, config = {} }] of Object.entries(LAYOUTS)) {
    const weight = await storeInMemory(parts, config);
    const sources = openStoredSources();
    const [quantizing, decoding]: [number[], number[]] = [[], []];
    for (let repetition = -WARM_UP; repetition < REPETITIONS; repetition++) {
      const quantized = await processorSeconds(() => {
        for (let i = 0; i < times; i++) int4.quantize();
      });
      const decoded = await processorSeconds(async () => {
        for (let row = 0; row < OUTPUTS; row += ROWS) {
          await sources.read(weight.source, row * INPUTS * 4, target);
        }
      });
      if (repetition < 0) continue;
      quantizing.push(quantized);
      decoding.push(decoded);
    }
    await sources.close();
    const seconds = median(decoding);
    const ofInt4 = median(quantizing) / seconds;
    rows.push({ name, millionsPerSecond: (OUTPUTS * INPUTS) / seconds / 1e6, ofInt4 });
  }
  return rows;
}

export function printDecoding(rows: readonly DecodingRow[]): void {
  console.log(
    '\ndecoded from, one thread (processor time)'.padEnd(45) + '      M/s  of INT4 quantized',
  );
  for (const { name, millionsPerSecond, ofInt4 } of rows) {
    const numbers = [millionsPerSecond.toFixed(0), ofInt4.toFixed(2)];
    console.log(name.padEnd(44) + numbers.map((value) => value.padStart(10)).join(''));
  }
}

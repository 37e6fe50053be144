import { readFileSync } from 'node:fs';
import { describeLayers } from '../../src/jobs/inspection/describeLayers.js';
import type { CheckpointReport, TensorReport } from '../../src/reports/reports.js';

const SAMPLE = new URL('../../media/sample/', import.meta.url);

interface HeaderEntry {
  readonly dtype: 'BF16';
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

const file = readFileSync(new URL('model.safetensors', SAMPLE));
const headerBytes = Number(file.readBigUInt64LE(0));
const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<string, HeaderEntry>;
const { __metadata__: metadata, ...entries } = header as typeof header & {
  __metadata__: Record<string, string>;
};

function roleOf(name: string): TensorReport['role'] {
  if (name.includes('embed_tokens')) return 'embedding';
  return name.includes('norm') ? 'norm' : 'other';
}

/** The sample model as the host reports it, read with a few lines of its own. */
export const sampleCheckpoint: CheckpointReport = (() => {
  const tensors = Object.entries(entries)
    .sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0])
    .map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [begin, end],
        },
      ]): TensorReport => {
        const short = name.replace(/^model\./, '');
        const [, layer = '', rest = short] = /^(layers\.\d+)\.(.*)$/.exec(short) ?? [];
        return {
          name,
          file: 'model.safetensors',
          dtype,
          shape,
          bytes: end - begin,
          offset: 8 + headerBytes + begin,
          elements: shape.reduce((product, size) => product * size, 1),
          layer,
          nameInLayer: rest,
          transposed: false,
          role: roleOf(name),
          quantizedByDefault: /_proj\.weight$/.test(name),
          ...(shape.length === 1 && { notQuantizable: 'one-dimensional' }),
          ...(/embed/.test(name) && { notByDefault: 'an embedding' }),
        };
      },
    );
  return {
    path: 'media/sample/model.safetensors',
    name: 'model.safetensors',
    files: [{ name: 'model.safetensors', sizeBytes: file.length, headerBytes }],
    tensors,
    layers: describeLayers(tensors),
    metadata,
    problems: [],
    totalBytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    totalElements: tensors.reduce((sum, { elements }) => sum + elements, 0),
    architecture: 'LlamaForCausalLM',
    configSummary:
      '4 layers · hidden 256 · 8 heads, 4 KV · MLP 768 · vocabulary 2,048 · tied embeddings',
  };
})();

export function sampleTensor(name: string): TensorReport {
  const tensor = sampleCheckpoint.tensors.find((candidate) => candidate.name === name);
  if (!tensor) throw new Error(`The sample has no tensor ${name}`);
  return tensor;
}

/** A tensor's weights, BF16 widened to F32. */
export function sampleWeights(name: string): Float32Array {
  const { offset, elements } = sampleTensor(name);
  const bits = new Uint32Array(elements);
  for (let i = 0; i < elements; i++) bits[i] = file.readUInt16LE(offset + 2 * i) << 16;
  return new Float32Array(bits.buffer);
}

import { text } from '../../../layouts/entries/shared.js';
import type { Check, CheckSubject, Fault, Severity, StoredName } from '../check.js';

/** What belongs beside a tensor of codes: of each list, one is enough. */
interface Companions {
  /** End of the name of the codes. */
  readonly codes: string;
  readonly needs: readonly (readonly string[])[];
}

const FLOAT8: ReadonlySet<string> = new Set(['F8_E4M3', 'F8_E5M2']);
const SCALES_OF_BYTES = ['.weight_scale', '.weight_scale_inv', '.scale_weight', '.SCB', '.scale'];

/** What the tensor of codes needs; undefined for what holds no codes. */
function companionsOf(
  { name, dtype, shape }: StoredName,
  { stored, quantization }: CheckSubject,
): Companions | undefined {
  const of = (codes: string, ...needs: (readonly string[])[]) =>
    name.endsWith(codes) ? { codes, needs } : undefined;
  const has = (suffix: string) => stored.has(name + suffix);
  if (dtype === 'I32' && name.endsWith('.qweight')) {
    const afpq = stored.has(`${name.slice(0, -'.qweight'.length)}.scales2`);
    const zeros = afpq || text(quantization, 'quant_method') === 'afpq' ? [] : [['.qzeros']];
    return of('.qweight', ['.scales'], ...zeros);
  }
  if (dtype === 'I32' && name.endsWith('.weight_packed')) {
    return of('.weight_packed', ['.weight_scale'], ['.weight_shape']);
  }
  if (dtype === 'U8' && name.endsWith('.weight_packed')) {
    const scale = stored.get(`${name.slice(0, -'.weight_packed'.length)}.weight_scale`);
    const whole = scale?.dtype === 'F8_E4M3' ? [['.weight_global_scale', '.weight_scale_2']] : [];
    return of('.weight_packed', ['.weight_scale'], ...whole);
  }
  if (dtype === 'U8' && shape.length === 4 && name.endsWith('_blocks')) {
    return of('_blocks', ['_scales']);
  }
  if (!name.endsWith('.weight') || shape.length < 2) return undefined;
  const state = ['nf4', 'fp4'].map((kind) => `.weight.quant_state.bitsandbytes__${kind}`);
  if (dtype === 'U8' && (has('.absmax') || has('.quant_map'))) {
    return of('.weight', ['.weight.absmax'], ['.weight.quant_map'], state);
  }
  const said = Object.keys(quantization).length > 0;
  if (said && dtype === 'U32') return of('.weight', ['.scales']);
  if (said && (FLOAT8.has(dtype) || dtype === 'I8')) return of('.weight', SCALES_OF_BYTES);
  if (said && dtype === 'U8') return of('.weight', ['.weight_scale', '.scales']);
  return undefined;
}

/** A part that is missing here may lie in a shard that is not at hand: then it is no error yet. */
function severityOfMissing({ model: { files, problems } }: CheckSubject): Severity {
  const shardAlone = files.length === 1 && files[0].name.includes('-of-');
  return shardAlone || problems.length > 0 ? 'warning' : 'error';
}

const missingParts: Check = {
  id: 'part-missing',
  source: 'https://github.com/vllm-project/vllm/pull/54444',
  *find(subject) {
    for (const tensor of subject.stored.values()) {
      const companions = companionsOf(tensor, subject);
      if (!companions) continue;
      const module = tensor.name.slice(0, -companions.codes.length);
      for (const names of companions.needs) {
        if (names.some((suffix) => subject.stored.has(module + suffix))) continue;
        yield {
          ...{ severity: severityOfMissing(subject), file: tensor.file, tensor: tensor.name },
          message: `it holds codes, but ${names.slice(0, 3).join(' or ')} of the same weight is missing`,
        };
      }
    }
  },
};

/** What is of no use without codes beside it. */
const NEEDS_CODES: readonly (readonly [string, readonly string[]])[] = [
  ['.qzeros', ['.qweight']],
  ['.g_idx', ['.qweight', '.weight']],
  ['.weight_scale', ['.weight', '.weight_packed', '.indices']],
  ['.weight_scale_inv', ['.weight']],
  ['.weight_scale_2', ['.weight', '.weight_packed']],
  ['.weight_global_scale', ['.weight_packed', '.weight']],
  ['.weight_shape', ['.weight_packed', '.weight']],
  ['.weight.absmax', ['.weight']],
];

const missingCodes: Check = {
  id: 'part-without-codes',
  source: 'https://github.com/Comfy-Org/ComfyUI/pull/15520',
  *find(subject) {
    const { stored } = subject;
    for (const { name, file } of stored.values()) {
      const entry = NEEDS_CODES.find(([suffix]) => name.endsWith(suffix));
      if (!entry) continue;
      const module = name.slice(0, -entry[0].length);
      if (entry[1].some((suffix) => stored.has(module + suffix))) continue;
      yield {
        ...{ severity: severityOfMissing(subject), file, tensor: name },
        message: `it belongs to codes that are missing (${entry[1].join(' or ')})`,
      };
    }
  },
};

/** Bytes of "weight_shape": two numbers of 64 bits. */
const SHAPE_BYTES = 16;

const weightShape: Check = {
  id: 'weight-shape-contradicts',
  source: 'https://github.com/huggingface/transformers/issues/47956',
  async *find({ model, stored, read }) {
    // Those of weights that are decoded agree with their codes, or they would not be decoded.
    for (const tensor of model.tensors) {
      const { name, dtype, elements, file } = tensor;
      if (!name.endsWith('.weight_shape') || dtype !== 'I64' || elements !== 2) continue;
      const codes = stored.get(`${name.slice(0, -'.weight_shape'.length)}.weight_packed`);
      if (codes?.shape.length !== 2) continue;
      const bytes = await read(tensor, 0, SHAPE_BYTES);
      const view = new DataView(bytes.buffer, bytes.byteOffset, SHAPE_BYTES);
      const [outputs, inputs] = [view.getBigInt64(0, true), view.getBigInt64(8, true)];
      const [rows, words] = codes.shape;
      // From 1 to 8 bits a code.
      const fits =
        inputs > 0n && inputs <= BigInt(words) * 32n && inputs >= BigInt(words) * 4n - 3n;
      if (outputs === BigInt(rows) && fits) continue;
      yield {
        ...{ severity: 'error', file, tensor: name },
        message: `it says [${outputs}, ${inputs}], which no packing of 1- to 8-bit codes stores as [${rows}, ${words}]`,
      };
    }
  },
};

const unpackedZeros: Check = {
  id: 'zero-points-not-packed',
  source: 'https://github.com/vllm-project/vllm/issues/17862',
  *find({ stored }) {
    for (const { name, file, shape } of stored.values()) {
      if (!name.endsWith('.weight_zero_point')) continue;
      const module = name.slice(0, -'.weight_zero_point'.length);
      const codes = stored.get(`${module}.weight_packed`);
      const scales = stored.get(`${module}.weight_scale`);
      if (codes?.dtype !== 'I32' || !scales || shape.join() !== scales.shape.join()) continue;
      yield {
        ...{ severity: 'error', file, tensor: name },
        message: `there is one zero point for each scale, [${shape.join(', ')}], but loaders of packed codes expect zero points that are packed along the outputs as well`,
      };
    }
  },
};

/** Words of reasons that lie with this program or a missing configuration rather than with the weight. */
const UNKNOWN = ['is not known here', 'does not say', 'does not describe'];

const undecodable: Check = {
  id: 'weight-undecodable',
  source: 'https://github.com/huggingface/transformers/pull/47315',
  *find({ model, tensors }) {
    const fileOf = new Map(model.tensors.map(({ name, file }) => [name, file]));
    for (const [weight, reason] of model.undecodable) {
      const file = fileOf.get(weight) ?? model.files[0]?.name ?? '';
      const severity = UNKNOWN.some((words) => reason.includes(words)) ? 'warning' : 'error';
      yield { severity, file, tensor: weight, message: reason };
    }
    for (const { tensor, unreadable } of tensors) {
      if (unreadable === undefined) continue;
      yield { severity: 'error', file: tensor.file, tensor: tensor.name, message: unreadable };
    }
  },
};

const files: Check = {
  id: 'checkpoint-incomplete',
  source: 'https://github.com/vllm-project/vllm/pull/57108',
  *find({ model }): Generator<Fault> {
    for (const { file, message } of model.problems) yield { severity: 'error', file, message };
  },
};

export const partChecks: readonly Check[] = [
  ...[files, missingParts, missingCodes, weightShape, unpackedZeros, undecodable],
];

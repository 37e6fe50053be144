import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installLlamaCpp } from '../../scripts/lib/llamaCpp.mjs';
import { makeTextEncoder } from '../../src/model/text/textEncoder.js';
import { GGML_TYPES } from '../../src/formats/ggmlTypes.js';
import type { GgmlTypeName } from '../../src/formats/types.js';
import { f32Tensor, SAMPLE, temporaryFolder } from '../support/checkpoints.js';
import { quantizeByReference } from '../support/ggml.js';
import { run } from '../support/commandLine.js';
import {
  floatValues,
  makeGguf,
  makeSplitGguf,
  type GgufKeys,
  type MatrixType,
} from '../support/ggufFiles.js';
import {
  byteLevelKeys,
  learnSentencePiece,
  sentencePieceKeys,
  type ConvertedTokenizer,
} from '../support/ggufTokenizers.js';
import { readRawSafetensors, type RawTensor } from '../support/rawSafetensors.js';
import { SPECIAL_TEXTS, TOKENIZER_TEXTS } from '../support/tokenizerTexts.js';

// llama.cpp itself, which comes as an npm package (Linux on x64). QUANTSCOPE_LLAMA_CPP names a folder that it
// was installed into before.

const CONTEXT = 256;
const WINDOWS = 8;

let packages = process.env.QUANTSCOPE_LLAMA_CPP ?? '';
let installed: string | undefined;

beforeAll(async () => {
  if (packages !== '') return;
  installed = await mkdtemp(join(tmpdir(), 'quantscope-llama-'));
  packages = join(installed, 'packages');
  await installLlamaCpp(packages);
}, 300_000);

afterAll(async () => {
  if (installed !== undefined) await rm(installed, { recursive: true, force: true });
});

interface Theirs {
  readonly ids: readonly (readonly number[])[];
  readonly sums: readonly number[];
}

/** Ids of texts and sums of −log p of windows by llama.cpp. */
async function askLlamaCpp(
  gguf: string,
  texts: readonly string[],
  windows: readonly (readonly number[])[],
): Promise<Theirs> {
  const request = `${gguf}.json`;
  await writeFile(request, JSON.stringify({ texts, windows }));
  const script = fileURLToPath(new URL('../../scripts/lib/scoreLlamaCpp.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [script, packages, gguf, request],
    {
      maxBuffer: 1 << 28,
    },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Theirs;
}

async function readJson<Value>(...path: string[]): Promise<Value> {
  return JSON.parse(await readFile(join(...path), 'utf8')) as Value;
}

/** llama.cpp's mixture for a model of four layers whose head is its embedding. */
function q4KM(name: string): MatrixType {
  const isFiner = /layers\.[23]\.(self_attn\.v_proj|mlp\.down_proj)/.test(name);
  return isFiner || name.includes('embed_tokens') ? 'q6_k' : 'q4_k';
}

const SAMPLE_TENSORS = readRawSafetensors(join(SAMPLE, 'model.safetensors'));

async function sampleGguf(
  tensors: ReadonlyMap<string, RawTensor>,
  type: (name: string) => MatrixType,
): Promise<string> {
  const config = await readJson<Record<string, unknown>>(SAMPLE, 'config.json');
  const keys = byteLevelKeys(await readJson(SAMPLE, 'tokenizer.json'), 'gpt-2');
  const file = join(await temporaryFolder(), 'sample.gguf');
  await writeFile(file, makeGguf(tensors, config, type, keys));
  return file;
}

/** The sample's weights as F32, those of blocks decoded. Rows are whole blocks, so that their order is none of its. */
function decoded(type: (name: string) => MatrixType): Map<string, RawTensor> {
  return new Map(
    [...SAMPLE_TENSORS].map(([name, raw]) => {
      const values = floatValues(raw);
      const kind = type(name);
      const isBlocks = raw.shape.length > 1 && kind.startsWith('q');
      const stored = isBlocks
        ? quantizeByReference(GGML_TYPES[kind as GgmlTypeName], values).values
        : values;
      return [name, f32Tensor(raw.shape, stored)];
    }),
  );
}

interface Row {
  readonly format: string;
  readonly quantscope: number;
  readonly llamaCpp: number;
  readonly relative: number;
  /** llama.cpp's of the decoded weights in F32, and how far ours of the blocks is from it. */
  readonly llamaCppF32: number;
  readonly relativeF32: number;
}

const FORMATS: Readonly<Record<string, (name: string) => MatrixType>> = {
  F16: () => 'f16',
  Q8_0: () => 'q8_0',
  Q4_K_M: q4KM,
};

it('perplexity of GGUF files is that of llama.cpp at the same ids', async () => {
  const encode = makeTextEncoder(
    await readJson(SAMPLE, 'tokenizer.json'),
    await readJson(SAMPLE, 'tokenizer_config.json'),
  );
  const text = [...encode(await readFile(join(SAMPLE, 'eval.txt'), 'utf8'))];
  const windows = Array.from({ length: WINDOWS }, (_, i) =>
    text.slice(i * CONTEXT, (i + 1) * CONTEXT),
  );
  const byLlamaCpp = async (file: string) => {
    const { sums } = await askLlamaCpp(file, [], windows);
    return Math.exp(sums.reduce((a, b) => a + b) / (WINDOWS * (CONTEXT - 1)));
  };
  const rows: Row[] = [];
  for (const [format, type] of Object.entries(FORMATS)) {
    const file = await sampleGguf(SAMPLE_TENSORS, type);
    const ids = `${file}.ids.json`;
    await writeFile(ids, JSON.stringify(windows));
    const options = ['--token-ids', ids, '--no-cache', '--json', '--quiet'];
    const { stdout, stderr } = await run('perplexity', file, ...options);
    expect(stderr).toBe('');
    const { baseline } = JSON.parse(stdout) as { baseline: { perplexity: { value: number } } };
    const quantscope = baseline.perplexity.value;
    const llamaCpp = await byLlamaCpp(file);
    const llamaCppF32 = await byLlamaCpp(await sampleGguf(decoded(type), () => 'f32'));
    const relative = quantscope / llamaCpp - 1;
    rows.push({
      format,
      quantscope,
      llamaCpp,
      relative,
      llamaCppF32,
      relativeF32: quantscope / llamaCppF32 - 1,
    });
  }
  console.table(rows);
  for (const { format, relative, relativeF32 } of rows) {
    expect(Math.abs(relativeF32), `${format}, decoded`).toBeLessThan(1e-4);
    // llama.cpp rounds activations to 8 bits where weights are blocks, and not where they are F32. Between its own
    // two perplexities of Q4_K_M lie 0.9e-3 of 8 windows (and ours is 1.1e-3 off over 24): too near the bound to
    // be held to it, so that this row is held by its decoded weights.
    if (format !== 'Q4_K_M') expect(Math.abs(relative), format).toBeLessThan(1e-3);
  }
});

it.each<[string, () => Promise<ConvertedTokenizer>, (tokenizer: ConvertedTokenizer) => GgufKeys]>([
  [
    'byte-level',
    () => readJson<ConvertedTokenizer>(SAMPLE, 'tokenizer.json'),
    (tokenizer) => byteLevelKeys(tokenizer, 'gpt-2'),
  ],
  [
    'SentencePiece',
    async () =>
      learnSentencePiece((await readFile(join(SAMPLE, 'eval.txt'), 'utf8')).slice(0, 20_000)),
    sentencePieceKeys,
  ],
])('%s ids of texts are those of llama.cpp', async (_, make, keysOf) => {
  const tokenizer = await make();
  const encode = makeTextEncoder(tokenizer as never, { add_bos_token: false });
  const config = {
    ...(await readJson<object>(SAMPLE, 'config.json')),
    vocab_size: Object.keys(tokenizer.model.vocab).length,
  };
  const sample = readRawSafetensors(join(SAMPLE, 'model.safetensors'));
  // llama.cpp wants rows for each token.
  const embedding = sample.get('model.embed_tokens.weight')!;
  const [, columns] = embedding.shape;
  const shape = [config.vocab_size, columns];
  const bytes = embedding.bytes.slice(0, config.vocab_size * columns * 2);
  sample.set('model.embed_tokens.weight', { ...embedding, shape, bytes });
  const file = join(await temporaryFolder(), 'tokenizer.gguf');
  await writeFile(file, makeGguf(sample, config, 'f16', keysOf(tokenizer)));
  const texts = [...TOKENIZER_TEXTS, ...SPECIAL_TEXTS];
  const { ids } = await askLlamaCpp(file, texts, [[1, 2]]);
  for (const [index, text] of texts.entries()) {
    expect([...encode(text)], JSON.stringify(text)).toEqual(ids[index]);
  }
});

const VOCABULARY = 320;
const MIXTURE = {
  ...{ vocab_size: VOCABULARY, hidden_size: 64, intermediate_size: 96, num_hidden_layers: 2 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16, rope_theta: 10000 },
  ...{ rms_norm_eps: 1e-6, max_position_embeddings: 64, num_experts: 8, num_experts_per_tok: 3 },
};

/** Random weights of a small mixture of experts, large enough that experts and positions matter. */
function randomMixture(
  module: string,
  [gate, up, down]: readonly string[],
  width: number,
  hasNorms: boolean,
): Map<string, RawTensor> {
  const tensors = new Map<string, RawTensor>();
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const add = (name: string, shape: readonly number[], scale = 0.6) => {
    const values = Float32Array.from(
      { length: shape.reduce((all, size) => all * size, 1) },
      () => (shape.length === 1 ? 1 : 0) + scale * random(),
    );
    tensors.set(`${name}.weight`, f32Tensor(shape, values));
  };
  const {
    hidden_size: hidden,
    num_attention_heads: heads,
    num_key_value_heads: keyHeads,
  } = MIXTURE;
  const head = MIXTURE.head_dim;
  add('model.embed_tokens', [VOCABULARY, hidden], 2);
  add('model.norm', [hidden]);
  add('lm_head', [VOCABULARY, hidden]);
  for (let layer = 0; layer < MIXTURE.num_hidden_layers; layer++) {
    const at = `model.layers.${layer}`;
    for (const norm of ['input_layernorm', 'post_attention_layernorm'])
      add(`${at}.${norm}`, [hidden]);
    add(`${at}.self_attn.q_proj`, [heads * head, hidden]);
    add(`${at}.self_attn.k_proj`, [keyHeads * head, hidden]);
    add(`${at}.self_attn.v_proj`, [keyHeads * head, hidden]);
    add(`${at}.self_attn.o_proj`, [hidden, heads * head]);
    if (hasNorms) for (const norm of ['q_norm', 'k_norm']) add(`${at}.self_attn.${norm}`, [head]);
    add(`${at}.${module}.gate`, [MIXTURE.num_experts, hidden]);
    for (let expert = 0; expert < MIXTURE.num_experts; expert++) {
      const name = `${at}.${module}.experts.${expert}`;
      add(`${name}.${gate}`, [width, hidden]);
      add(`${name}.${up}`, [width, hidden]);
      add(`${name}.${down}`, [hidden, width]);
    }
  }
  return tensors;
}

/** Three special tokens, all bytes, and letters; none is ever looked up. */
const SMALL_VOCABULARY: ConvertedTokenizer = {
  model: {
    vocab: Object.fromEntries(
      Array.from({ length: VOCABULARY }, (_, id): [string, number] => {
        const byte = (id - 3).toString(16).toUpperCase().padStart(2, '0');
        const token = ['<unk>', '<s>', '</s>'][id] ?? `<0x${byte}>`;
        return [id < 3 + 256 ? token : String.fromCharCode(0x400 + id), id];
      }),
    ),
    merges: [],
  },
  added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => ({ content, id, special: true })),
};

it.each([
  ['mixtral', 'block_sparse_moe', ['w1', 'w3', 'w2'], 96],
  ['qwen3_moe', 'mlp', ['gate_proj', 'up_proj', 'down_proj'], 32],
])('perplexity of %s as GGUF is that of llama.cpp', async (modelType, module, names, width) => {
  const isQwen = modelType === 'qwen3_moe';
  const tensors = randomMixture(module, names, width, isQwen);
  const config = {
    ...MIXTURE,
    model_type: modelType,
    ...(isQwen && { moe_intermediate_size: width, norm_topk_prob: true }),
  };
  const file = join(await temporaryFolder(), 'mixture.gguf');
  const input = [tensors, config, 'f32', sentencePieceKeys(SMALL_VOCABULARY)] as const;
  await writeFile(file, makeGguf(...input));
  const windows = Array.from({ length: 4 }, (_, window) =>
    Array.from({ length: 48 }, (_, i) => (window * 17 + i * i * 7 + i) % VOCABULARY),
  );
  await writeFile(`${file}.ids.json`, JSON.stringify(windows));
  const options = ['--token-ids', `${file}.ids.json`, '--no-cache', '--json', '--quiet'];
  const { stdout, stderr } = await run('perplexity', file, ...options);
  expect(stderr).toBe('');
  const { baseline } = JSON.parse(stdout) as { baseline: { perplexity: { value: number } } };
  // llama.cpp takes the parts that tests make for those of one file.
  const parts = makeSplitGguf(3, ...input);
  const nameOf = (part: number) => file.replace('.gguf', `-0000${part + 1}-of-00003.gguf`);
  await Promise.all(parts.map((bytes, part) => writeFile(nameOf(part), bytes)));
  const whole = await askLlamaCpp(file, [], windows);
  const { sums } = await askLlamaCpp(nameOf(0), [], windows);
  expect(sums).toEqual(whole.sums);
  const ofParts = await run('perplexity', nameOf(0), ...options);
  expect((JSON.parse(ofParts.stdout) as { baseline: unknown }).baseline).toEqual(baseline);
  const theirs = Math.exp(sums.reduce((a, b) => a + b) / (4 * 47));
  const relative = baseline.perplexity.value / theirs - 1;
  console.log(modelType, baseline.perplexity.value, theirs, relative);
  // llama.cpp keeps keys and values in half precision, which such random weights make much of.
  expect(Math.abs(relative)).toBeLessThan(1e-3);
});

import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { run } from '../../../src/cli/run.js';
import {
  compareFormats,
  type CompareRequest,
  type ComparisonRunners,
} from '../../../src/jobs/comparison/compareFormats.js';
import {
  measureInThread,
  measureOutputsInThread,
} from '../../../src/jobs/perplexity/measureInThread.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { formatReportJson } from '../../../src/reports/present.js';
import { nameBosChoice, readBosChoice } from '../../../src/vscode/comparison/comparisonRequest.js';
import { createPool, HOST, SAMPLE } from '../../support/checkpoints.js';

const MODEL = join(SAMPLE, 'model.safetensors');
const THREADS = 2;

/** What `quantscope` prints on standard output. */
async function commandLine(...args: readonly string[]): Promise<string> {
  const stdout = new PassThrough();
  const printed = text(stdout);
  const stderr = Object.assign(new PassThrough().resume(), { isTTY: false });
  const signal = new AbortController().signal;
  const code = await run([...args, '--quiet'], { stdout, stderr, host: HOST, signal });
  stdout.end();
  expect(code).toBe(0);
  return printed;
}

/** A document, byte by byte, without what differs from run to run: the numbers among its timings. */
function untimed(json: string): string {
  return json.replace(/"timings": \{[^}]*\}/, (timings) =>
    timings.replaceAll(/: [\d.e-]+/g, ': …'),
  );
}

it(
  'save the same document for the same request, apart from timings',
  { timeout: 120_000 },
  async () => {
    const tensors = ['q_proj', 'k_proj'].map((name) => `model.layers.2.self_attn.${name}.weight`);
    const request: CompareRequest = {
      formats: ['int4', 'dint4'],
      tensors,
      perplexity: { windows: 2, perLayer: true },
    };
    const model = await openLocalModel(MODEL);
    const pool = await createPool({ threads: THREADS });
    // As the panel does it: weights on the shared pool, the model in a thread of its own.
    const panel: ComparisonRunners = {
      withPool: (job) => job(pool),
      measurePerplexity: (...measurement) =>
        measureInThread(HOST, { threads: THREADS }, ...measurement),
      measureOutputs: (...outputs) =>
        measureOutputsInThread(HOST, { threads: THREADS }, ...outputs),
    };
    const atOnce = await compareFormats(panel, model, request);
    const weights = await compareFormats(panel, model, { ...request, perplexity: undefined });
    const later = await compareFormats(panel, model, request, { known: weights });

    const args = ['compare', MODEL, '--json', '--threads', String(THREADS)];
    const formats = ['--format', 'int4', '--format', 'dint4'];
    const globs = tensors.flatMap((name) => ['--tensor', name]);
    const measured = ['--windows', '2', '--per-layer', '--no-cache'];
    const printed = untimed(await commandLine(...args, ...formats, ...globs, ...measured));
    expect(untimed(formatReportJson(atOnce))).toEqual(printed);
    expect(untimed(formatReportJson(later))).toEqual(printed);
    expect(atOnce.formats[0].layers).toMatchObject([{ layer: 'layers.2', tensors: 2 }]);

    const plain = untimed(await commandLine(...args, ...formats, ...globs));
    expect(untimed(formatReportJson(weights))).toEqual(plain);
  },
);

it.each([
  ['default', 'first', []],
  ['every', 'every', ['--bos-every-window']],
  ['tokenizer', 'first', ['--no-bos-every-window']],
] as const)(
  'save the same document with BOS as chosen: %s',
  { timeout: 120_000 },
  async (choice, stated, options) => {
    const model = await openLocalModel(MODEL);
    const panel: ComparisonRunners = {
      withPool: async (job) => job(await createPool({ threads: THREADS })),
      measurePerplexity: (...measurement) =>
        measureInThread(HOST, { threads: THREADS }, ...measurement),
      measureOutputs: (...outputs) =>
        measureOutputsInThread(HOST, { threads: THREADS }, ...outputs),
    };
    const tensor = 'model.layers.2.self_attn.q_proj.weight';
    const bosEveryWindow = readBosChoice(choice);
    const report = await compareFormats(panel, model, {
      ...{ formats: ['int4'], tensors: [tensor] },
      perplexity: { windows: 2, bosEveryWindow },
    });
    expect(report.text?.bos).toBe(stated);
    const args = ['compare', MODEL, '--json', '--threads', String(THREADS), '--format', 'int4'];
    const measured = ['--tensor', tensor, '--windows', '2', '--no-cache', ...options];
    const printed = await commandLine(...args, ...measured);
    expect(untimed(formatReportJson(report))).toEqual(untimed(printed));
    expect(nameBosChoice({ bosEveryWindow })).toBe(choice);
  },
);

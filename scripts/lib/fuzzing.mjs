import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { outFolder, root } from './paths.mjs';

/** @typedef {import('../../test/fuzz/input.js').Input} Input */
/** @typedef {import('../../test/fuzz/fuzzer.js').FuzzResult} FuzzResult */
/** @typedef {import('../../test/fuzz/serve.js').FuzzStart} FuzzStart */
/** @typedef {import('../../test/fuzz/serve.js').FuzzReply} FuzzReply */

/** Bundles, and inputs that broke something. */
const fuzzFolder = path.join(outFolder, 'fuzz');

/** What the last run came to, for `npm test`. */
export const fuzzReportFile = path.join(fuzzFolder, 'report.json');

const MAX_INPUT_BYTES = 8 << 20;
/** An input that holds a thread for so long hangs it, however busy the machine is. */
const HANG_MILLISECONDS = 20_000;
/** As long, for one that has hung once and is being made smaller. */
const HANG_AGAIN_MILLISECONDS = 3000;
const SHRINK_MILLISECONDS = 60_000;
const WATCH_MILLISECONDS = 200;
/** What a thread may take: readers of small inputs need little. */
const MEMORY_MB = 768;

/**
 * Bundles the program of the fuzzing threads.
 * @param {string} entry
 * @param {string} name of the bundle
 * @returns {Promise<string>} its file
 */
export async function bundleFuzzing(entry, name) {
  const { build } = await import('esbuild');
  const outfile = path.join(fuzzFolder, `${name}.mjs`);
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    logLevel: 'warning',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  return outfile;
}

/**
 * Runs a thread until it answers, dies, or stays with one input for too long.
 * @param {string} program
 * @param {Omit<FuzzStart, 'root' | 'counter' | 'current'>} what
 * @param {number} hangMilliseconds
 * @returns {Promise<FuzzReply | { hung: Buffer, why: string, inputs: number }>} `hung`: the input, as
 *   `writeInput` writes it
 */
async function runThread(program, what, hangMilliseconds) {
  const counter = new SharedArrayBuffer(4);
  const current = new SharedArrayBuffer(MAX_INPUT_BYTES);
  const count = new Int32Array(counter);
  const worker = new Worker(program, {
    workerData: { ...what, root, counter, current },
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
    execArgv: ['--enable-source-maps'],
    // Libraries comment on hostile files.
    stdout: true,
    stderr: true,
  });
  /** @type {NodeJS.Timeout | undefined} */
  let watch;
  try {
    return await new Promise((resolve) => {
      const stop = (/** @type {string} */ why) =>
        resolve({ hung: Buffer.from(current), why, inputs: count[0] });
      worker.once('message', resolve);
      worker.once('error', (error) => stop(`the thread died: ${error.message}`));
      worker.once('exit', (code) => stop(`the thread ended with code ${code}`));
      let seen = -1;
      let since = performance.now();
      watch = setInterval(() => {
        const now = performance.now();
        if (count[0] !== seen) [seen, since] = [count[0], now];
        else {
          // Until the first input, the thread is being started.
          const limit = count[0] === 0 ? HANG_MILLISECONDS : hangMilliseconds;
          if (now - since > limit) stop(`no answer within ${limit / 1000} s`);
        }
      }, WATCH_MILLISECONDS);
    });
  } finally {
    clearInterval(watch);
    await worker.terminate();
  }
}

/**
 * Reads what `writeInput` wrote.
 * @param {Buffer} bytes
 * @returns {Input}
 */
function readInput(bytes) {
  let at = 4;
  const take = () => {
    const length = bytes.readUInt32BE(at);
    at += 4 + length;
    return bytes.subarray(at - length, at);
  };
  return Array.from({ length: bytes.readUInt32BE(0) }, () => {
    const name = take().toString('utf8');
    return { name, bytes: Uint8Array.from(take()) };
  });
}

/**
 * Makes an input on which a thread hangs or dies smaller, each try in a thread of its own.
 * @param {string} program
 * @param {Omit<FuzzStart, 'root' | 'counter' | 'current' | 'only'>} what
 * @param {Input} input
 * @param {{ hang: number, shrink: number }} milliseconds
 */
async function shrinkInThreads(program, what, input, milliseconds) {
  const bundle = await bundleFuzzing(path.join(root, 'test/fuzz/shrink.ts'), 'shrink');
  /** @type {typeof import('../../test/fuzz/shrink.js')} */
  const { shrink } = await import(pathToFileURL(bundle).href);
  return shrink(
    input,
    async (only) => 'hung' in (await runThread(program, { ...what, only }, milliseconds.hang)),
    milliseconds.shrink,
  );
}

/**
 * Fuzzes one target.
 * @param {string} program bundle of the threads' program
 * @param {{ target: string, seed: number, milliseconds: number, only?: Input }} what
 * @param {{ hangMilliseconds?: number, shrinkMilliseconds?: number }} [limits]
 * @returns {Promise<FuzzResult>}
 */
export async function fuzzTarget(program, what, limits = {}) {
  const { hangMilliseconds = HANG_MILLISECONDS, shrinkMilliseconds = SHRINK_MILLISECONDS } = limits;
  fs.mkdirSync(fuzzFolder, { recursive: true });
  const scratch = fs.mkdtempSync(path.join(fuzzFolder, 'scratch-'));
  const started = performance.now();
  try {
    const reply = await runThread(program, { ...what, scratch }, hangMilliseconds);
    if ('runs' in reply) return reply;
    const milliseconds = performance.now() - started;
    const nothing = { runs: 0, accepted: 0, milliseconds, slowestMilliseconds: 0 };
    if ('failure' in reply) {
      const finding = { key: 'failure', message: reply.failure, input: [] };
      return { ...nothing, findings: [finding] };
    }
    const { why, inputs, hung } = reply;
    const input = await shrinkInThreads(program, { ...what, scratch }, readInput(hung), {
      hang: Math.min(HANG_AGAIN_MILLISECONDS, hangMilliseconds),
      shrink: shrinkMilliseconds,
    });
    const slowestMilliseconds = hangMilliseconds;
    return {
      ...nothing,
      runs: inputs,
      slowestMilliseconds,
      findings: [{ key: why, message: why, input }],
    };
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Keeps an input as a folder of its files.
 * @param {string} target
 * @param {string} name
 * @param {Input} input
 * @returns {string} the folder
 */
export function saveInput(target, name, input) {
  const folder = path.join(fuzzFolder, 'found', target, name);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  for (const part of input) fs.writeFileSync(path.join(folder, part.name), part.bytes);
  return folder;
}

// npm run fuzz [-- --seconds N] [--target NAME …] [--seed N] [--input FOLDER]: gives every reader
// inputs that are almost right, and says which of its promises they break (test/fuzz).
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { installDependencies } from './setup.mjs';
import { bundleFuzzing, fuzzReportFile, fuzzTarget, saveInput } from './lib/fuzzing.mjs';
import { inRoot, root } from './lib/paths.mjs';
import { runMain, say, UserError } from './lib/terminal.mjs';

/** @typedef {import('../test/fuzz/fuzzer.js').FuzzResult} FuzzResult */

const DEFAULT_SECONDS = 60;
const SHOWN_BYTES = 400;

const OPTIONS = /** @type {const} */ ({
  seconds: { type: 'string' },
  seed: { type: 'string' },
  target: { type: 'string', multiple: true },
  input: { type: 'string' },
});

function parseOptions() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    throw new UserError(error instanceof Error ? error.message : String(error));
  }
}

function readOptions() {
  const values = parseOptions();
  const number = (/** @type {'seconds' | 'seed'} */ name, /** @type {number} */ otherwise) => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new UserError(`--${name} "${values[name]}" is not a whole number`);
    }
    return value;
  };
  if (values.input !== undefined && values.target?.length !== 1) {
    throw new UserError('--input FOLDER is for one --target');
  }
  return {
    seconds: number('seconds', DEFAULT_SECONDS),
    // Another one each time finds more; it is printed, and the same one gives the same inputs.
    seed: number('seed', Date.now() % 1_000_000),
    targets: values.target,
    input: values.input,
  };
}

/**
 * The names of the targets, in their order.
 * @param {readonly string[] | undefined} wanted
 */
async function targetNames(wanted) {
  const bundle = await bundleFuzzing(inRoot('test/fuzz/targets/index.ts'), 'targets');
  /** @type {typeof import('../test/fuzz/targets/index.js')} */
  const { TARGETS } = await import(pathToFileURL(bundle).href);
  const known = TARGETS.map(({ name }) => name);
  const unknown = wanted?.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UserError(`There is no target "${unknown}"; there are ${known.join(', ')}`);
  }
  return wanted ?? known;
}

/** @param {string} folder */
function readFolder(folder) {
  if (!fs.existsSync(folder)) throw new UserError(`There is no folder ${folder}`);
  return fs.readdirSync(folder).map((name) => {
    return { name, bytes: Uint8Array.from(fs.readFileSync(path.join(folder, name))) };
  });
}

/**
 * Says what was found, and where the input that shows it lies.
 * @param {string} target
 * @param {number} seed
 * @param {FuzzResult} result
 */
function sayFindings(target, seed, { findings }) {
  for (const [index, { message, input }] of findings.entries()) {
    say(`\n✘ ${target} (seed ${seed}): ${message}`);
    const folder = path.relative(root, saveInput(target, `${seed}-${index + 1}`, input));
    for (const { name, bytes } of input) {
      const shown = JSON.stringify(Buffer.from(bytes).toString('latin1')).slice(0, SHOWN_BYTES);
      say(`  ${name}, ${bytes.length} bytes: ${shown}`);
    }
    say(`  kept in ${folder}; again: npm run fuzz -- --target ${target} --input ${folder}`);
    say(`  once it is mended: cp -r ${folder} test/fixtures/fuzz/${target}/NAME`);
  }
}

/** @param {FuzzResult} result */
function isUseful({ runs, accepted }) {
  return accepted > 0 && accepted < runs;
}

/** @param {ReadonlyMap<string, FuzzResult>} results */
function sayTable(results) {
  say(`\n${'target'.padEnd(14)}${'runs'.padStart(9)}${'runs/s'.padStart(9)}  accepted  slowest`);
  for (const [target, result] of results) {
    const { runs, accepted, milliseconds, slowestMilliseconds, findings } = result;
    const columns = [
      target.padEnd(14),
      String(runs).padStart(9),
      String(Math.round((runs / milliseconds) * 1000)).padStart(9),
      `${((100 * accepted) / Math.max(1, runs)).toFixed(1)} %`.padStart(10),
      `${slowestMilliseconds.toFixed(1)} ms`.padStart(11),
    ];
    const verdict =
      findings.length > 0
        ? `  ✘ ${findings.length} found`
        : isUseful(result)
          ? ''
          : '  ✘ useless: all inputs end alike';
    say(columns.join('') + verdict);
  }
}

await runMain(async () => {
  const { seconds, seed, targets, input } = readOptions();
  await installDependencies();
  const program = await bundleFuzzing(inRoot('test/fuzz/main.ts'), 'main');
  const only = input === undefined ? undefined : readFolder(input);
  const waiting = await targetNames(targets);
  /** @type {Map<string, FuzzResult>} */
  const results = new Map(waiting.map((name) => [name, /** @type {any} */ (undefined)]));
  const queue = [...waiting];
  const runNext = async () => {
    for (let target = queue.shift(); target; target = queue.shift()) {
      const what = { target, seed, milliseconds: seconds * 1000, only };
      const result = await fuzzTarget(program, what);
      results.set(target, result);
      sayFindings(target, seed, result);
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, runNext));
  if (only) {
    const [{ findings, accepted }] = results.values();
    if (findings.length === 0)
      say(`The input is ${accepted ? 'accepted' : 'refused'}, as it may be.`);
    return findings.length === 0 ? 0 : 1;
  }
  sayTable(results);
  say(`seed ${seed}`);
  const failed = [...results.values()].filter(
    (result) => result.findings.length > 0 || !isUseful(result),
  ).length;
  const counts = { passed: results.size - failed, failed, skipped: 0 };
  fs.writeFileSync(fuzzReportFile, JSON.stringify(counts));
  return failed === 0 ? 0 : 1;
});

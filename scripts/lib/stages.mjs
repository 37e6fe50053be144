import os from 'node:os';
import { say, seconds, UserError } from './terminal.mjs';

/**
 * A step of a longer check.
 * @typedef {object} Stage
 * @property {string} name
 * @property {(options: import('./process.mjs').RunOptions) => Promise<string>} work resolves with what
 *   the command printed, where it did not print by itself; the options are for that command
 */

/**
 * @param {Stage} stage
 * @param {import('./process.mjs').RunOptions} options
 * @param {() => void} onFailure
 */
async function runStage({ name, work }, options, onFailure) {
  const started = performance.now();
  const took = () => seconds(performance.now() - started);
  const heading = `\n=== ${name}`;
  if (!options.quiet) say(heading);
  let output;
  let failed = false;
  try {
    output = await work(options);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    output = error.message;
    failed = true;
  }
  // By the failure of another: what it has to say no longer matters, not even that it ended well.
  if (options.signal?.aborted) return say(`${heading}: stopped after ${took()}`);
  if (failed) onFailure();
  if (options.quiet) say(heading);
  if (output.trim() !== '') say(output.trimEnd());
  say(`=== ${name}: ${failed ? 'FAILED after ' : ''}${took()}`);
}

/**
 * Runs stages side by side, as many at once as there are processors. What each prints stays together
 * and appears when it ends; a stage alone prints as it goes. The first failure ends all.
 * @param {readonly Stage[]} stages in the order in which they begin
 * @param {number} [atOnce]
 * @returns {Promise<boolean>} false where one has failed
 */
export async function runTogether(stages, atOnce = os.availableParallelism()) {
  const stop = new AbortController();
  const options = stages.length > 1 ? { quiet: true, signal: stop.signal } : {};
  const waiting = [...stages];
  const runNext = async () => {
    for (let stage = waiting.shift(); stage; stage = waiting.shift()) {
      await runStage(stage, options, () => {
        waiting.length = 0;
        stop.abort();
      });
    }
  };
  const lanes = Math.min(atOnce, stages.length);
  await Promise.all(Array.from({ length: lanes }, runNext));
  return !stop.signal.aborted;
}

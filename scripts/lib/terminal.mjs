/** An error whose message alone is what the user should read: no stack trace. */
export class UserError extends Error {}

/** Prints a line. @param {string} line */
export function say(line) {
  process.stdout.write(`${line}\n`);
}

/** Seconds for people. @param {number} milliseconds */
export function seconds(milliseconds) {
  return milliseconds < 9950
    ? `${(milliseconds / 1000).toFixed(1)} s`
    : `${Math.round(milliseconds / 1000)} s`;
}

/**
 * Says what is about to be done, does it, and says how long it took when that was over a second.
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(what, work) {
  say(`› ${what} …`);
  const started = performance.now();
  const result = await work();
  const took = performance.now() - started;
  if (took > 1000) say(`  done in ${seconds(took)}`);
  return result;
}

/**
 * Runs a script's main function; failures end the process with exit code 1 and a readable message.
 * @param {() => Promise<number | void>} main resolves with the exit code
 */
export async function runMain(main) {
  try {
    process.exit((await main()) ?? 0);
  } catch (error) {
    const text =
      error instanceof UserError
        ? error.message
        : String(error instanceof Error ? error.stack : error);
    process.stderr.write(`${text}\n`);
    process.exit(1);
  }
}

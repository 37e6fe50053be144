import { sizeOf, type Input } from './input.js';
import { Random } from './random.js';
import { shrink } from './shrink.js';
import { SLOW_MILLISECONDS, type FuzzTarget } from './target.js';

/** What is the matter with an input. */
export interface Finding {
  /** Tells one fault from another. */
  readonly key: string;
  readonly message: string;
  readonly input: Input;
}

/** What came of a run. */
export interface FuzzResult {
  readonly runs: number;
  readonly accepted: number;
  readonly milliseconds: number;
  readonly slowestMilliseconds: number;
  readonly findings: readonly Finding[];
}

export interface FuzzOptions {
  readonly seed: number;
  readonly milliseconds: number;
  /** Inputs larger than this are not tried. */
  readonly maxInputBytes: number;
  /** Hears of every input before it is tried, so that one that hangs is known. */
  readonly onInput: (input: Input) => void;
  /** An error that came to light outside of the call, such as a rejection that nobody handles. */
  readonly takeStrayError: () => unknown;
}

/** Different faults after which a run ends. */
const MAX_FINDINGS = 5;
/** Accepted inputs that others are made of, beside the seeds. */
const MAX_KEPT = 300;
const MAX_POOLED_BYTES = 100_000;
const SHRINK_MILLISECONDS = 4000;
/** Runs between two turns of the event loop. */
const RUNS_AT_ONCE = 32;

/** What became of one input. */
type Outcome = { readonly accepted: boolean } | { readonly error: unknown };

class SlowInput extends Error {
  override readonly name = 'SlowInput';
}

/** What an error says apart from the names and numbers of its input. */
function keyOf(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const what = message.replace(/"(?:[^"\\]|\\.)*"|[-\d.e+]+/g, '#').slice(0, 60);
  return `${name}: ${what}`;
}

/** An error with its stack. */
export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Gives a target inputs until the time is up or enough is found. */
export async function fuzz(
  target: FuzzTarget,
  seeds: readonly Input[],
  options: FuzzOptions,
): Promise<FuzzResult> {
  const { milliseconds, maxInputBytes, onInput, takeStrayError } = options;
  const { slowMilliseconds = SLOW_MILLISECONDS } = target;
  const random = new Random(options.seed);
  const pool = [...seeds];
  const findings = new Map<string, Finding>();
  const begin = performance.now();
  let [runs, accepted, slowest] = [0, 0, 0];

  const timed = async (input: Input): Promise<{ outcome: Outcome; took: number }> => {
    onInput(input);
    const from = performance.now();
    let outcome: Outcome;
    try {
      outcome = { accepted: await target.check(input) };
    } catch (error) {
      outcome = { error };
    }
    const stray = takeStrayError();
    return {
      outcome: stray === undefined ? outcome : { error: stray },
      took: performance.now() - from,
    };
  };
  /** Slow counts only what is slow again: the machine may have been busy. */
  const outcomeOf = async (input: Input): Promise<Outcome> => {
    let { outcome, took } = await timed(input);
    for (let again = 0; again < 2 && took > slowMilliseconds && !('error' in outcome); again++) {
      const next = await timed(input);
      outcome = next.outcome;
      took = Math.min(took, next.took);
    }
    slowest = Math.max(slowest, took);
    if ('error' in outcome || took <= slowMilliseconds) return outcome;
    return { error: new SlowInput(`the input took ${Math.round(took)} ms`) };
  };
  const found = async (input: Input, error: unknown): Promise<void> => {
    const key = keyOf(error);
    if (findings.has(key)) return;
    const stillFails = async (smaller: Input) => {
      const outcome = await outcomeOf(smaller);
      return 'error' in outcome && keyOf(outcome.error) === key;
    };
    const smallest = await shrink(input, stillFails, SHRINK_MILLISECONDS);
    findings.set(key, { key, message: describe(error), input: smallest });
  };

  while (
    findings.size < MAX_FINDINGS &&
    (runs < seeds.length || performance.now() - begin < milliseconds)
  ) {
    const isSeed = runs < seeds.length;
    const input = isSeed ? seeds[runs] : target.mutate(random.pick(pool), random, pool);
    const size = sizeOf(input);
    if (size > maxInputBytes) continue;
    const outcome = await outcomeOf(input);
    runs++;
    if ('error' in outcome) await found(input, outcome.error);
    else if (outcome.accepted) {
      accepted++;
      if (!isSeed && size <= MAX_POOLED_BYTES) {
        // What was taken is a better beginning than what was refused.
        if (pool.length < seeds.length + MAX_KEPT) pool.push(input);
        else pool[seeds.length + random.below(MAX_KEPT)] = input;
      }
    }
    if (runs % RUNS_AT_ONCE === 0) {
      await turn();
      const stray = takeStrayError();
      if (stray !== undefined) await found(input, stray);
    }
  }
  return {
    runs,
    accepted,
    milliseconds: performance.now() - begin,
    slowestMilliseconds: slowest,
    findings: [...findings.values()],
  };
}

import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  READERS,
  READING_FOLDERS,
  TAKES_NO_TEXT,
  type Reader,
} from '../support/worstCases/readers.js';

const MEGABYTE = 1_000_000;
/** Milliseconds of processor time that a megabyte may take. */
const TARGET = 100;
/**
 * Where that is missed, as on a busy machine, an eighth of the input tells what grows faster than its
 * length: squares grow 64-fold. Between them lies room for all that disturbs a measurement.
 */
const PARTS = 8;
const MOST_GROWTH = 3 * PARTS;
/** Less cannot be told from nothing. */
const PART_AT_LEAST = TARGET / 16;
const MOST_TIME = 2000;
const ATTEMPTS = 4;
const ROUNDS = 8;

/** Processor time, which other programs lengthen far less than the time of the clock. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function timeOf(run: () => unknown, attempts: number, enough = TARGET): Promise<number> {
  let best = Infinity;
  for (let attempt = 0; attempt < attempts && best > enough; attempt++) {
    const begin = processorTime();
    try {
      await run();
    } catch {
      // That something cannot be read is an answer.
    }
    best = Math.min(best, processorTime() - begin);
  }
  return best;
}

interface Worst {
  readonly label: string;
  readonly milliseconds: number;
}

/** What takes less of a tenth would not be too slow at a megabyte were it to grow with the square. */
const NEGLIGIBLE = TARGET / 100;
const SLOWEST = 3;

/** Times of all cases of a size. */
async function timesOf({ cases }: Reader, bytes: number): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for (const [label, prepare] of cases(bytes)) {
    times.set(label, await timeOf(prepare(), 2, NEGLIGIBLE));
  }
  return times;
}

/** Cases worth a megabyte: of a tenth the slowest, and what takes far more of it than of a fortieth. */
async function suspectsOf(reader: Reader): Promise<Set<string>> {
  const small = await timesOf(reader, MEGABYTE / 40);
  const large = [...(await timesOf(reader, MEGABYTE / 10))]
    .filter(([, time]) => time > NEGLIGIBLE)
    .sort(([, a], [, b]) => b - a);
  const suspects = large.filter(
    ([label, time], place) => place < SLOWEST || time > 8 * (small.get(label) ?? 0),
  );
  return new Set(suspects.map(([label]) => label));
}

/** The slowest case of a reader. */
async function worstOf(reader: Reader): Promise<Worst> {
  const suspects = await suspectsOf(reader);
  let worst: Worst = { label: '', milliseconds: 0 };
  for (const [label, prepare] of reader.cases(MEGABYTE)) {
    if (!suspects.has(label)) continue;
    const milliseconds = await timeOf(prepare(), ATTEMPTS);
    if (milliseconds > worst.milliseconds) worst = { label, milliseconds };
    if (milliseconds > TARGET) await expectLinear(reader, label, milliseconds);
  }
  return worst;
}

/** The input of a case, made anew by each call of what is returned. */
function preparing(reader: Reader, label: string, bytes: number): () => () => unknown {
  for (const [each, prepare] of reader.cases(bytes)) if (each === label) return prepare;
  throw new Error(`${reader.name} has no case "${label}" of ${bytes} bytes`);
}

/** Both lengths in turns, until they tell or the rounds are over: a busy moment spoils one of them only. */
async function expectLinear(reader: Reader, label: string, measured: number): Promise<void> {
  const whole = preparing(reader, label, MEGABYTE);
  const part = preparing(reader, label, MEGABYTE / PARTS);
  const what = `${reader.name}: ${label}`;
  let most = measured;
  let least = Infinity;
  const growth = () => most / Math.max(least, PART_AT_LEAST);
  for (let round = 0; round < ROUNDS && (round === 0 || growth() >= MOST_GROWTH); round++) {
    least = Math.min(least, await timeOf(part(), ATTEMPTS, 0));
    most = Math.min(most, await timeOf(whole(), 1));
  }
  expect(most, `${what}: milliseconds`).toBeLessThan(MOST_TIME);
  expect(growth(), `${what}: growth from 1/${PARTS}`).toBeLessThan(MOST_GROWTH);
}

/** QUANTSCOPE_WORST_CASES=1 npx vitest run --project unit test/property/worstCases.test.ts */
const PRINTS = process.env.QUANTSCOPE_WORST_CASES !== undefined;

describe('a megabyte of the worst takes no longer than other text', () => {
  it.each(READERS.map((reader) => [reader.name, reader] as const))('%s', async (name, reader) => {
    const { label, milliseconds } = await worstOf(reader);
    const time = milliseconds === 0 ? '< 10.0' : milliseconds.toFixed(1);
    if (PRINTS) console.log(`${name.padEnd(48)}${time.padStart(8)} ms  ${label}`);
  });
});

describe('the list of what reads text', () => {
  it.each(READING_FOLDERS)('has all of %s', async (folder) => {
    const path = fileURLToPath(new URL(`../../${folder}`, import.meta.url));
    const files = (await readdir(path)).filter((name) => name.endsWith('.ts'));
    const listed = new Set([...READERS.map(({ file }) => file), ...TAKES_NO_TEXT]);
    expect(files.map((name) => `${folder}/${name}`).filter((file) => !listed.has(file))).toEqual(
      [],
    );
  });
});

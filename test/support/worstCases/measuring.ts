// How long readers take for the worst that files may hold, told apart from what else a machine does.
import { expect } from 'vitest';
import type { Reader } from './readers.js';

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
const ROUNDS = 12;
/** What takes less of a tenth would not be too slow at a megabyte were it to grow with the square. */
const NEGLIGIBLE = TARGET / 100;
/** From a fortieth to a tenth, what grows with the length grows four times, with its square 16 times. */
const SUSPICIOUS_GROWTH = 8;

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

export interface Worst {
  readonly label: string;
  readonly milliseconds: number;
}

/** The input of each case of a size that is asked for, made anew by each call of what is returned. */
function* preparing(reader: Reader, bytes: number, labels?: ReadonlySet<string>) {
  let left = labels?.size ?? Infinity;
  if (left === 0) return;
  for (const [label, prepare] of reader.cases(bytes)) {
    if (labels && !labels.has(label)) continue;
    yield [label, prepare] as const;
    if (--left === 0) return;
  }
}

async function timesOf(
  reader: Reader,
  bytes: number,
  attempts: number,
  labels?: ReadonlySet<string>,
) {
  const times = new Map<string, number>();
  for (const [label, prepare] of preparing(reader, bytes, labels)) {
    times.set(label, await timeOf(prepare(), attempts, NEGLIGIBLE));
  }
  return times;
}

/**
 * Cases worth a megabyte: what takes far more of a tenth than of a fortieth.
 * @param slowest so many beside them, the slowest of a tenth
 */
async function suspectsOf(reader: Reader, slowest: number): Promise<Set<string>> {
  const labelsOf = (some: readonly (readonly [string, number])[]) =>
    new Set(some.map(([label]) => label));
  const large = [...(await timesOf(reader, MEGABYTE / 10, 1))]
    .filter(([, time]) => time > NEGLIGIBLE)
    .sort(([, a], [, b]) => b - a);
  const small = await timesOf(reader, MEGABYTE / 40, 2, labelsOf(large));
  const growsFast = ([label, time]: readonly [string, number]) =>
    time > SUSPICIOUS_GROWTH * small.get(label)!;
  // Once more: one of these took long by chance as often as not.
  const again = await timesOf(reader, MEGABYTE / 10, 2, labelsOf(large.filter(growsFast)));
  return labelsOf([...large.slice(0, slowest), ...[...again].filter(growsFast)]);
}

/**
 * The slowest of the cases that are worth a megabyte.
 * @param slowest so many cases at least, where a tenth takes any time worth speaking of
 * @throws where one takes too long, and grows faster than its length
 */
export async function worstOf(reader: Reader, slowest: number): Promise<Worst> {
  const suspects = await suspectsOf(reader, slowest);
  let worst: Worst = { label: '', milliseconds: 0 };
  for (const [label, prepare] of preparing(reader, MEGABYTE, suspects)) {
    let milliseconds = await timeOf(prepare(), 1);
    if (milliseconds > TARGET) milliseconds = await expectLinear(reader, label, milliseconds);
    if (milliseconds > worst.milliseconds) worst = { label, milliseconds };
  }
  return worst;
}

/** What grows with the length and no faster: a text's lines as objects of a map, sorted and put together again. */
function linearWork(bytes: number): () => unknown {
  const text = Array.from({ length: bytes / 40 }, (_, i) => `line ${i} ${'x'.repeat(26)}`).join(
    '\n',
  );
  return () => {
    const lines = new Map(text.split('\n').map((line, place) => [line, { line, place }]));
    const sorted = [...lines.values()].sort((a, b) => b.place - a.place);
    return sorted.map(({ line, place }) => `${line}${place}`).join();
  };
}

/** The shortest times of some work on a megabyte and on a part of it. */
class Growth {
  private least = Infinity;

  constructor(
    private readonly whole: () => unknown,
    private readonly part: () => unknown,
    public most = Infinity,
  ) {}

  async measurePart(): Promise<void> {
    // The first time of a part is that of code which is still being compiled.
    this.least = Math.min(this.least, await timeOf(this.part, 3, 0));
  }

  async measureWhole(): Promise<void> {
    this.most = Math.min(this.most, await timeOf(this.whole, 1));
  }

  /** @param least milliseconds that the part takes at least */
  times(least = 0): number {
    return this.most / Math.max(this.least, least);
  }
}

function caseOf(reader: Reader, label: string, bytes: number): () => unknown {
  for (const [, prepare] of preparing(reader, bytes, new Set([label]))) return prepare();
  throw new Error(`${reader.name} has no case "${label}" of ${bytes} bytes`);
}

/**
 * Both lengths in turns, until they tell or the rounds are over: a busy moment spoils one of them only. A
 * machine whose memory is busy all the time is slower with a megabyte than with a part that its caches
 * hold, whatever is done: how much slower, work tells that is known to grow with its length.
 * @returns the shortest time of a megabyte
 */
async function expectLinear(reader: Reader, label: string, measured: number): Promise<number> {
  const what = `${reader.name}: ${label}`;
  const own = new Growth(
    caseOf(reader, label, MEGABYTE),
    caseOf(reader, label, MEGABYTE / PARTS),
    measured,
  );
  const known = new Growth(linearWork(MEGABYTE), linearWork(MEGABYTE / PARTS));
  // Never less than one: where the known work grows less, that is no reason to ask for less of others.
  const growth = () => own.times(PART_AT_LEAST) / Math.max(1, (known.times() || 0) / PARTS);
  await own.measurePart();
  for (let round = 0; round < ROUNDS && growth() >= MOST_GROWTH; round++) {
    for (const each of [own, known]) {
      await each.measureWhole();
      await each.measurePart();
    }
  }
  expect(own.most, `${what}: milliseconds`).toBeLessThan(MOST_TIME);
  expect(growth(), `${what}: growth from 1/${PARTS}`).toBeLessThan(MOST_GROWTH);
  return own.most;
}

/** With QUANTSCOPE_WORST_CASES=1 in the environment, tests print what they find. */
export function report(name: string, { label, milliseconds }: Worst): void {
  if (process.env.QUANTSCOPE_WORST_CASES === undefined) return;
  const time = milliseconds === 0 ? '< 10.0' : milliseconds.toFixed(1);
  console.log(`${name.padEnd(48)}${time.padStart(8)} ms  ${label}`);
}

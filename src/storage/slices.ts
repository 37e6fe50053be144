/**
 * Work that says where it may be interrupted: it yields now and then. The same code runs at once
 * ({@link runAtOnce}) or in slices between which the thread does other things ({@link runInSlices}).
 */
export type Steps<Result> = Generator<void, Result, void>;

/** How work in slices is stopped and watched; a call of the RPC has the same. */
export interface SliceOptions {
  readonly signal?: AbortSignal;
}

/** A thread that answers its user is not kept busy for longer than this at a time. */
const SLICE_MILLISECONDS = 20;

/** Items that are worked on between two yields: few, since a tensor may have thousands of dimensions. */
const ITEMS_PER_STEP = 32;

/** Does all of the work without a pause. */
export function runAtOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * Does the work in slices of some {@link SLICE_MILLISECONDS}, letting the thread answer others between.
 * @throws the signal's reason once it is aborted
 */
export async function runInSlices<Result>(
  steps: Steps<Result>,
  { signal }: SliceOptions = {},
): Promise<Result> {
  for (;;) {
    signal?.throwIfAborted();
    const end = performance.now() + SLICE_MILLISECONDS;
    do {
      const step = steps.next();
      if (step.done) return step.value;
    } while (performance.now() < end);
    await letOthersRun();
  }
}

/** Lets the thread answer others. Node waits a millisecond for a timer, and none for this; browsers do not have it. */
export function letOthersRun(): Promise<void> {
  const { setImmediate = setTimeout } = globalThis as {
    readonly setImmediate?: (done: () => void) => unknown;
  };
  return new Promise((resolve) => setImmediate(resolve));
}

/** Calls `use` for each item in steps. */
export function* forEachInSteps<Item>(
  items: Iterable<Item>,
  use: (item: Item) => void,
): Steps<void> {
  let done = 0;
  for (const item of items) {
    use(item);
    if (++done % ITEMS_PER_STEP === 0) yield;
  }
}

/**
 * Puts something else in the place of each item, in steps. The array is used again, so that of a
 * million items there are never two lists; who passed it in must not use it any more.
 * @returns the same array
 */
export function* replaceInSteps<From, To>(items: From[], replace: (item: From) => To): Steps<To[]> {
  const replaced = items as unknown as To[];
  for (let i = 0; i < items.length; i++) {
    replaced[i] = replace(items[i]);
    if ((i + 1) % ITEMS_PER_STEP === 0) yield;
  }
  return replaced;
}

/** Items sorted at once; longer lists are merged from runs of this many. */
const SORTED_RUN = 4096;

/**
 * Sorts in steps, equal items staying in order. What is in order already costs one look at each item.
 * @returns the items themselves where they are in order, else a new array
 */
export function* sortInSteps<Item>(
  items: Item[],
  compare: (a: Item, b: Item) => number,
): Steps<Item[]> {
  let ordered = 1;
  while (ordered < items.length && compare(items[ordered - 1], items[ordered]) <= 0) {
    if (++ordered % ITEMS_PER_STEP === 0) yield;
  }
  if (ordered >= items.length) return items;
  let from: Item[] = [];
  for (let start = 0; start < items.length; start += SORTED_RUN) {
    for (const item of items.slice(start, start + SORTED_RUN).sort(compare)) from.push(item);
    yield;
  }
  let to = new Array<Item>(items.length);
  for (let run = SORTED_RUN; run < items.length; run *= 2) {
    for (let start = 0; start < items.length; start += 2 * run) {
      yield* mergeRuns(from, to, start, run, compare);
    }
    [from, to] = [to, from];
  }
  return from;
}

/** Merges the sorted runs of `from` that begin at `start` and `start + run` into the same places of `to`. */
function* mergeRuns<Item>(
  from: readonly Item[],
  to: Item[],
  start: number,
  run: number,
  compare: (a: Item, b: Item) => number,
): Steps<void> {
  const middle = Math.min(start + run, from.length);
  const end = Math.min(start + 2 * run, from.length);
  let [a, b] = [start, middle];
  for (let at = start; at < end; at++) {
    to[at] = a < middle && (b >= end || compare(from[a], from[b]) <= 0) ? from[a++] : from[b++];
    if (at % SORTED_RUN === 0) yield;
  }
}

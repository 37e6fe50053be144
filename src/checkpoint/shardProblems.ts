import { CheckpointError, listQuoted } from '../storage/errors.js';
import type { ShardOutcome } from './mergeShards.js';

/** Shards that are told of by name for each kind of problem; the rest is counted. */
const TOLD_SHARDS = 5;

/** Names kept of many, for a message that lists the first few. */
const KEPT_NAMES = 10;

/** Tensors of one shard: how many, and the names of the first. */
class TensorTally {
  readonly #first: string[] = [];
  count = 0;

  add(name: string): void {
    this.count++;
    if (this.#first.length < KEPT_NAMES) this.#first.push(name);
  }

  /** `tensors "a", "b" and 7 more` */
  toString(): string {
    return `${this.count === 1 ? 'tensor' : 'tensors'} ${listQuoted(this.#first, this.count)}`;
  }
}

/** What is wrong with the shards of a model: however many there are, a bounded number of lines. */
export class ShardProblems {
  readonly #absent = new Map<string, TensorTally>();
  readonly #unlisted = new Map<string, TensorTally>();
  readonly #superseded = new Map<string, TensorTally>();
  /** Missing shards that are not told of by name. */
  readonly #otherMissing = new Set<string>();
  #tensorsInOtherMissing = 0;
  readonly #errors: CheckpointError[] = [];
  readonly #notes: CheckpointError[] = [];

  /** @param outcomes of all shards, in the order in which they are told */
  constructor(
    private readonly indexName: string,
    private readonly outcomes: readonly ShardOutcome[],
  ) {
    let missing = 0;
    for (const outcome of outcomes) {
      if ('missing' in outcome && ++missing > TOLD_SHARDS) this.#otherMissing.add(outcome.shard);
    }
  }

  /** Notes a tensor that the index promises in a shard, which does not hold it or is not there. */
  addAbsent(shard: string, tensor: string): void {
    if (this.#otherMissing.has(shard)) this.#tensorsInOtherMissing++;
    else tally(this.#absent, shard).add(tensor);
  }

  /** Notes a tensor that a shard holds and the index does not place there. */
  addUnlisted(shard: string, tensor: string): void {
    tally(this.#unlisted, shard).add(tensor);
  }

  /** Notes a tensor that a shard holds, and of which the copy in another shard counts. */
  addSuperseded(shard: string, tensor: string): void {
    tally(this.#superseded, shard).add(tensor);
  }

  /** Tensors that are read from other shards than the index says, or not at all: nothing is lost. */
  tellNotes(): readonly CheckpointError[] {
    const surplus = new Kind(this.#notes);
    const superseded = new Kind(this.#notes);
    for (const { shard } of this.outcomes) {
      const unlisted = this.#unlisted.get(shard);
      if (unlisted) {
        surplus.add(unlisted.count, () => {
          const detail = `the shard holds ${unlisted}, which the index does not place here`;
          return new CheckpointError(shard, 'header', 'TensorNotInIndex', detail);
        });
      }
      const copies = this.#superseded.get(shard);
      if (copies) {
        superseded.add(copies.count, () => {
          const one = copies.count === 1;
          const detail =
            `${one ? '1 tensor is' : `${copies.count} tensors are`} superseded: the index places ` +
            `${copies} in another shard, and the ${one ? 'copy' : 'copies'} here ${one ? 'is' : 'are'} left out`;
          return new CheckpointError(shard, 'header', 'TensorNotInIndex', detail);
        });
      }
    }
    this.#tellMore(surplus, (tensors) => `with ${tensors} that the index does not place there`);
    this.#tellMore(superseded, (tensors) => `with ${tensors} that are superseded`);
    return this.#notes;
  }

  /** All problems, shard by shard: the first of each kind, then how many more. */
  tell(): readonly CheckpointError[] {
    const missing = new Kind(this.#errors);
    const damaged = new Kind(this.#errors);
    const lacking = new Kind(this.#errors);
    for (const outcome of this.outcomes) {
      const { shard } = outcome;
      const absent = this.#absent.get(shard);
      if ('missing' in outcome) {
        missing.add(0, () => {
          const detail = `this shard is missing, and with it ${absent ?? 'its tensors'}`;
          return new CheckpointError(shard, '', 'MissingShard', detail);
        });
        continue;
      }
      if ('error' in outcome) {
        damaged.add(0, () => outcome.error);
        continue;
      }
      if (absent) {
        lacking.add(absent.count, () => {
          const detail = `the index promises ${absent} here, which the shard does not hold`;
          return new CheckpointError(shard, 'header', 'TensorNotInShard', detail);
        });
      }
    }
    missing.moreTensors = this.#tensorsInOtherMissing;
    this.#tellMore(missing, (tensors) =>
      missing.moreTensors > 0 ? `missing, and with them ${tensors}` : 'missing',
    );
    this.#tellMore(damaged, () => 'damaged');
    this.#tellMore(lacking, (tensors) => `without ${tensors} that the index promises there`);
    return this.#errors;
  }

  #tellMore({ errors, more, moreTensors, rule }: Kind, what: (tensors: string) => string): void {
    if (more === 0 || rule === undefined) return;
    const shards = more === 1 ? '1 more shard is' : `${more} more shards are`;
    const tensors = moreTensors === 1 ? '1 tensor' : `${moreTensors} tensors`;
    errors.push(new CheckpointError(this.indexName, '', rule, `${shards} ${what(tensors)}`));
  }
}

/** Problems of one kind, of which the first are told one by one. */
class Kind {
  #told = 0;
  more = 0;
  moreTensors = 0;
  rule: CheckpointError['rule'] | undefined;

  constructor(readonly errors: CheckpointError[]) {}

  add(tensors: number, makeError: () => CheckpointError): void {
    if (this.#told < TOLD_SHARDS) {
      const error = makeError();
      this.rule ??= error.rule;
      this.errors.push(error);
      this.#told++;
      return;
    }
    this.more++;
    this.moreTensors += tensors;
  }
}

function tally(tallies: Map<string, TensorTally>, shard: string): TensorTally {
  let found = tallies.get(shard);
  if (!found) tallies.set(shard, (found = new TensorTally()));
  return found;
}

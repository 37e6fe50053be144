/**
 * Which windows a step of training takes: all of them once an epoch, each epoch in an order of its own. A step's windows
 * depend on its number and the seed alone, so that training can go on at any step.
 */
export class WindowOrder {
  private epoch = -1;
  private order: number[] = [];

  constructor(
    private readonly windows: number,
    private readonly seed: number,
  ) {}

  /** @param step from 0 @param batch windows of a step */
  ofStep(step: number, batch: number): readonly number[] {
    return Array.from({ length: batch }, (_, i) => this.at(step * batch + i));
  }

  private at(place: number): number {
    const epoch = Math.floor(place / this.windows);
    if (epoch !== this.epoch) {
      this.order = shuffled(this.windows, this.seed, epoch);
      this.epoch = epoch;
    }
    return this.order[place % this.windows];
  }
}

/** Fisher and Yates' shuffle with the generator mulberry32. */
function shuffled(count: number, seed: number, epoch: number): number[] {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca6b)) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const order = Array.from({ length: count }, (_, index) => index);
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(next() * (i + 1));
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}

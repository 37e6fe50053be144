import type { MachineRates } from '../../model/evaluation/probeMachine.js';
import { throwIfCancelled } from '../../rpc/rpc.js';

/** What machines do in a second, by their names. Plain data. */
export type RatesByMachine = Readonly<Record<string, MachineRates>>;

/** What machines do in a second, each measured once, however many jobs ask for it. */
export class MeasuredRates {
  private readonly known = new Map<string, MachineRates>();
  private readonly underWay = new Map<string, Promise<MachineRates>>();

  constructor(known: RatesByMachine = {}) {
    this.add(known);
  }

  /** Adds what was measured elsewhere, such as in another thread. */
  add(rates: RatesByMachine): void {
    for (const [name, each] of Object.entries(rates)) this.known.set(name, each);
  }

  /** All that is known, for another thread. */
  get all(): RatesByMachine {
    return Object.fromEntries(this.known);
  }

  /**
   * What a machine does.
   * @param measure is called where it is not known; what it throws leaves it unknown
   */
  async of(
    name: string,
    measure: () => Promise<MachineRates>,
    signal?: AbortSignal,
  ): Promise<MachineRates> {
    for (;;) {
      throwIfCancelled(signal);
      const known = this.known.get(name);
      if (known) return known;
      const other = this.underWay.get(name);
      if (!other) break;
      // Another job measures; where that is cancelled or fails, this one tries.
      await other.catch(() => undefined);
    }
    const measuring = measure();
    this.underWay.set(name, measuring);
    try {
      const rates = await measuring;
      this.known.set(name, rates);
      return rates;
    } finally {
      this.underWay.delete(name);
    }
  }
}

/** Magnitudes of several lists in bins of equal ratio, the same for all lists. */
export interface LogHistogram {
  /** log10 of the lower edge of the first bin, and of the ratio from one edge to the next. */
  readonly first: number;
  readonly step: number;
  /** For each list, how many magnitudes lie in each bin. */
  readonly counts: readonly (readonly number[])[];
  /** For each list, how many magnitudes are zero; they are in no bin. */
  readonly zeros: readonly number[];
}

/**
 * Counts positive magnitudes of lists in bins whose edges are a fixed ratio apart, from the smallest to the
 * largest of all lists.
 * @param lists finite and not negative
 * @param bins how many; one where all magnitudes are equal
 */
export function makeLogHistogram(lists: readonly ArrayLike<number>[], bins: number): LogHistogram {
  let [smallest, largest] = [Infinity, 0];
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      if (list[i] > 0) smallest = Math.min(smallest, list[i]);
      largest = Math.max(largest, list[i]);
    }
  }
  if (largest === 0) {
    return {
      first: 0,
      step: 0,
      counts: lists.map(() => []),
      zeros: lists.map(({ length }) => length),
    };
  }
  const [low, high] = [Math.log10(smallest), Math.log10(largest)];
  const count = high > low ? bins : 1;
  const step = (high - low) / count;
  const zeros: number[] = [];
  const counts = lists.map((list) => {
    const ofList = new Array<number>(count).fill(0);
    let none = 0;
    for (let i = 0; i < list.length; i++) {
      if (list[i] === 0) none++;
      else {
        const bin = step > 0 ? Math.floor((Math.log10(list[i]) - low) / step) : 0;
        ofList[Math.min(count - 1, Math.max(0, bin))]++;
      }
    }
    zeros.push(none);
    return ofList;
  });
  return { first: low, step, counts, zeros };
}

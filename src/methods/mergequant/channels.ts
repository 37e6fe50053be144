/** Steps above this many medians are split. */
const SPLIT_ABOVE = 4;
/** No channel is split in more. */
const MOST_COPIES = 64;

/** How the channels of an input are laid out anew, with as many of them as before. */
export interface ChannelPlan {
  /** Copies of each channel; 0: it is left out. */
  readonly copies: Int32Array;
}

/** The median of positive numbers; 0 where there are none. */
export function medianOf(values: Float32Array): number {
  const sorted = values.filter((value) => value > 0).sort();
  return sorted.length === 0 ? 0 : sorted[Math.floor((sorted.length - 1) / 2)];
}

/** Largest over median of positive numbers; 1 where there are none. */
export function unevennessOf(values: Float32Array): number {
  const median = medianOf(values);
  return median === 0 ? 1 : values.reduce((most, value) => Math.max(most, value), 0) / median;
}

/**
 * Dimensional reconstruction: channels whose step is above four medians are split in as many copies as bring their
 * steps down to that, and as many others are left out, those with the least energy.
 * @param steps of the channels, 0 or more
 * @param energies what each adds to the squared outputs
 */
export function planChannels(steps: Float32Array, energies: Float64Array): ChannelPlan {
  const most = SPLIT_ABOVE * medianOf(steps);
  const copies = Int32Array.from(steps, (step) =>
    Math.min(Math.max(1, Math.ceil(step / most) || 1), MOST_COPIES),
  );
  const byEnergy = Array.from(energies.keys())
    .filter((channel) => copies[channel] === 1)
    .sort((one, other) => energies[one] - energies[other] || one - other);
  let added = copies.reduce((sum, count) => sum + count - 1, 0);
  for (const channel of byEnergy) {
    if (added === 0) break;
    copies[channel] = 0;
    added--;
  }
  // More copies than there is room for: those of the largest steps give way.
  while (added > 0) {
    const largest = copies.indexOf(copies.reduce((many, count) => Math.max(many, count), 0));
    copies[largest]--;
    added--;
  }
  return { copies };
}

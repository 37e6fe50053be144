import type { TaskMachine } from '../../compute/taskMachine.js';
import type { Variant } from './types.js';

/** Where scales of single inputs lie, by their arrays; those of equal values share a place. */
export type ChannelScalePlaces = ReadonlyMap<Float32Array, number>;

/** Whether a variant rounds inputs of some linear map with a scale for each: what threads alone do. */
export function hasChannelScales({ activations }: Pick<Variant, 'activations'>): boolean {
  return [...(activations?.values() ?? [])].some(
    ({ fixed }) => fixed?.scale instanceof Float32Array,
  );
}

/** Brings the scales of all variants into a machine's memory, for as long as it lives. */
export function placeChannelScales(
  machine: TaskMachine,
  variants: readonly Pick<Variant, 'activations'>[],
): ChannelScalePlaces {
  const places = new Map<Float32Array, number>();
  const known = new Map<string, number>();
  for (const { activations } of variants) {
    for (const { fixed } of activations?.values() ?? []) {
      const scale = fixed?.scale;
      if (!(scale instanceof Float32Array) || places.has(scale)) continue;
      const key = scale.join();
      let at = known.get(key);
      if (at === undefined) {
        // Kernels read four at a time.
        at = machine.reserve((scale.length + 4) * 4).start;
        machine.write(at, scale);
        known.set(key, at);
      }
      places.set(scale, at);
    }
  }
  return places;
}

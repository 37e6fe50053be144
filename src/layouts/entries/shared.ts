import type { StoredTensor } from '../../storage/container.js';
import type { ElementTypeName } from '../../storage/elementTypes.js';
import { codeValue } from '../../storage/elementValues.js';
import type { QuantizationConfig } from '../layout.js';

/** What scales are stored in that are numbers as they stand. */
export const SCALE_TYPES: readonly ElementTypeName[] = ['F16', 'BF16', 'F32', 'F64'];

/** Powers of two, one byte each. */
export const EXPONENT_TYPES: readonly ElementTypeName[] = ['U8', 'F8_E8M0'];

/** Parts that there are, without those that there are not. */
export function presentParts(
  parts: Readonly<Record<string, StoredTensor | undefined>>,
): Record<string, StoredTensor> {
  return Object.fromEntries(
    Object.entries(parts).filter(
      (entry): entry is [string, StoredTensor] => entry[1] !== undefined,
    ),
  );
}

export function sameShape(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((dimension, i) => dimension === other[i]);
}

export function describeShape(shape: readonly number[]): string {
  return `[${shape.slice(0, 8).join(', ')}${shape.length > 8 ? ', …' : ''}]`;
}

/** An object that came from a file: anything may be in it. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A whole number of the configuration from `least`, or undefined where it holds none. */
export function wholeNumber(
  config: QuantizationConfig,
  key: string,
  least = 1,
): number | undefined {
  const value = Object.hasOwn(config, key) ? config[key] : undefined;
  return Number.isSafeInteger(value) && (value as number) >= least ? (value as number) : undefined;
}

/** An object within the configuration, {} where there is none. */
export function section(config: QuantizationConfig, key: string): QuantizationConfig {
  const value = Object.hasOwn(config, key) ? config[key] : undefined;
  return typeof value === 'object' && value !== null ? (value as QuantizationConfig) : {};
}

export function text(config: QuantizationConfig, key: string): string | undefined {
  const value = Object.hasOwn(config, key) ? config[key] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** "g128", or "per channel" where a row has one group, as long as itself, and nobody calls it a group. */
export function describeGroup(groupSize: number, columns: number, named = false): string {
  return groupSize >= columns && !named ? 'per channel' : `g${groupSize}`;
}

/** The values of 4-bit floats E2M1, by code: sign, then 0, 0.5, 1, 1.5, 2, 3, 4, 6 (OCP MX 1.0, table 4). */
export const E2M1_VALUES = Float32Array.from(
  { length: 16 },
  (_, code) => [0, 0.5, 1, 1.5, 2, 3, 4, 6][code & 7] * (code & 8 ? -1 : 1),
);

/** The power of two that an E8M0 byte stands for; 255 is NaN (OCP MX 1.0, section 5.4.1). */
export const e8m0Value = codeValue('F8_E8M0')!;

import { codeValue } from '../../storage/elementValues.js';
import { countBitsPerElement, type ElementTypeName } from '../../storage/elementTypes.js';
import { orderedBits } from './valueOrder.js';

/** The codes of an element type of at most 16 bits by the values that they stand for. */
export interface CodeOrder {
  /** Number of codes: 256 or 65,536. */
  readonly codes: number;
  /** Place of each code: finite values first, ascending, equal ones by code; then NaN and ±Inf. */
  readonly placeOf: Uint16Array;
  /** Value at each place. */
  readonly values: Float64Array;
  /** Number of codes that stand for finite values. */
  readonly finite: number;
  /** The codes of NaN and ±Inf. */
  readonly special: Uint16Array;
}

const orders = new Map<ElementTypeName, CodeOrder>();

/** The order of an element type, made at its first use; undefined for wider types. */
export function orderCodes(dtype: ElementTypeName): CodeOrder | undefined {
  const known = orders.get(dtype);
  if (known) return known;
  const valueOf = codeValue(dtype);
  if (!valueOf) return undefined;
  const codes = 2 ** countBitsPerElement(dtype);
  const order = sortCodes(codes, valueOf);
  orders.set(dtype, order);
  return order;
}

function sortCodes(codes: number, valueOf: (code: number) => number): CodeOrder {
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  // Order of the value and code in one number, which sorts natively: all such values are exact in f32.
  const keys = new Float64Array(codes);
  for (let code = 0; code < codes; code++) {
    const value = valueOf(code);
    // −0 is as large as 0.
    float[0] = value + 0;
    const order = Number.isFinite(value) ? orderedBits(bits[0]) : 2 ** 32;
    keys[code] = order * codes + code;
  }
  keys.sort();
  const placeOf = new Uint16Array(codes);
  const special: number[] = [];
  const values = Float64Array.from(keys, (key, place) => {
    const code = key % codes;
    placeOf[code] = place;
    const value = valueOf(code);
    if (!Number.isFinite(value)) special.push(code);
    return value;
  });
  const finite = codes - special.length;
  return { codes, placeOf, values, finite, special: Uint16Array.from(special) };
}

/** A number as a page shows it, and how far rounding may have moved it. */
export interface ShownNumber {
  readonly value: number;
  readonly halfStep: number;
}

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** The factor of a unit: "10⁻⁵" and "%" scale a number, "dB" and "KB" do not. */
function factor(unit: string): number {
  if (unit.startsWith('%')) return 0.01;
  const [, sign, digits] = /^10(⁻?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+)/.exec(unit) ?? [];
  if (digits === undefined) return 1;
  const exponent = Number([...digits].map((digit) => SUPERSCRIPTS.indexOf(digit)).join(''));
  return 10 ** (sign ? -exponent : exponent);
}

/**
 * Reads a number out of a table cell, "19.75", "−3.2", "1,536" or "3.55e−5", in the column's unit.
 */
export function readShownNumber(text: string, unit: string): ShownNumber {
  const plain = text.replaceAll('−', '-').replaceAll(',', '');
  const found = /^(-?\d+(?:\.(\d+))?)(?:e(-?\d+))?$/.exec(plain);
  if (!found) throw new Error(`No number: "${text}"`);
  const [number, , decimals = '', exponent = '0'] = found;
  const scale = factor(unit);
  return {
    value: Number(number) * scale,
    halfStep: 0.5 * 10 ** (Number(exponent) - decimals.length) * scale,
  };
}

/** A number as a page shows it, and how far rounding may have moved it. */
export interface ShownNumber {
  readonly value: number;
  readonly halfStep: number;
}

/**
 * Reads a number out of a table cell: "19.75", "−3.2", "1,536", "3.55e−5", "3.55 × 10⁻⁵".
 * Marks and units around it do not matter.
 */
export function readShownNumber(text: string): ShownNumber {
  const plain = text
    .replaceAll('−', '-')
    .replaceAll(',', '')
    .replace(/\s*[×·]\s*10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)/, (_, exponent: string) => {
      const digits = [...exponent].map((c) => (c === '⁻' ? '-' : '⁰¹²³⁴⁵⁶⁷⁸⁹'.indexOf(c)));
      return `e${digits.join('')}`;
    });
  const found = /(-?\d+)(?:\.(\d+))?(?:e(-?\d+))?/.exec(plain);
  if (!found) throw new Error(`No number in "${text}"`);
  const [number, , decimals = '', exponent = '0'] = found;
  return { value: Number(number), halfStep: 0.5 * 10 ** (Number(exponent) - decimals.length) };
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatJsonParts } from '../../../src/reports/jsonParts.js';
import { formatReportJson } from '../../../src/reports/present.js';

describe('JSON in parts', () => {
  it('is the text that JSON has as a whole', () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const report = fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), value);
    fc.assert(
      fc.property(report, (given) => {
        expect([...formatJsonParts(given)].join('')).toBe(formatReportJson(given));
      }),
    );
  });

  it('comes in pieces, from lists that are made meanwhile', () => {
    const tensors = Array.from({ length: 20_000 }, (_, i) => ({ name: `t${i}`, shape: [i, 2] }));
    const whole = { files: [], absent: undefined, metadata: { a: 'b', c: undefined }, tensors };
    let made = 0;
    const parts = formatJsonParts({
      ...whole,
      tensors: (function* () {
        for (const tensor of tensors) {
          made++;
          yield tensor;
        }
      })(),
    });
    const [first, ...rest] = (function* () {
      for (const part of parts) {
        if (made < tensors.length) expect(part.length).toBeLessThan(600_000);
        yield part;
      }
    })();
    expect(rest.length).toBeGreaterThan(3);
    expect([first, ...rest].join('')).toBe(formatReportJson(whole));
  });
});

import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleFuzzing, fuzzTarget } from '../../../scripts/lib/fuzzing.mjs';
import { evaluateTree, parseTree, printTree } from '../../fuzz/json.js';
import { mutateJson } from '../../fuzz/mutateJson.js';
import { Random } from '../../fuzz/random.js';

describe('a fuzzing run', () => {
  let program: string;
  beforeAll(async () => {
    const entry = fileURLToPath(new URL('plantedTargets.ts', import.meta.url));
    program = await bundleFuzzing(entry, 'planted');
  });

  /** @returns the findings, each with the text of its input */
  async function findingsOf(target: string, hangMilliseconds = 2000) {
    const what = { target, seed: 1, milliseconds: 800 };
    const limits = { hangMilliseconds, shrinkMilliseconds: 1500 };
    const result = await fuzzTarget(program, what, limits);
    const findings = result.findings.map(({ message, input }) => {
      return { message, text: Buffer.from(input[0].bytes).toString() };
    });
    return { ...result, findings };
  }

  it('finds nothing in a sound reader, which it gives inputs of both kinds', async () => {
    const { findings, runs, accepted } = await findingsOf('sound');
    expect(findings).toEqual([]);
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(runs);
  });

  it('finds an accident and makes its input small', async () => {
    const { findings } = await findingsOf('accident');
    expect(findings).toHaveLength(1);
    expect(findings[0].message).toContain('TypeError: A size below nothing');
    expect(findings[0].text).toBe('"sizes":[-');
  });

  it('ends what hangs and knows its input', async () => {
    const { findings } = await findingsOf('hang', 1000);
    expect(findings).toHaveLength(1);
    expect(findings[0].message).toBe('no answer within 1 s');
    expect(findings[0].text).toContain('"hang"');
  });

  it('hears of a rejection that nobody handles', async () => {
    const { findings } = await findingsOf('stray');
    expect(findings[0].message).toContain('Nobody waits for this');
  });

  it('survives a reader that takes all memory', async () => {
    const { findings } = await findingsOf('memory', 1000);
    expect(findings).toHaveLength(1);
    expect(findings[0].text).toContain('"hang"');
  });
});

describe('the mutator of JSON texts', () => {
  it('reads and prints JSON as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const tree = parseTree(text)!;
        expect(evaluateTree(tree)).toEqual(JSON.parse(text));
        expect(printTree(tree)).toBe(JSON.stringify(value));
      }),
    );
  });

  it('keeps keys that stand twice, digits, escapes and words', () => {
    const text = '{"a":1.0,"a":NaN,"\\u0061":[-0,1e999,"\\ud800"]}';
    expect(printTree(parseTree(text)!)).toBe(text);
  });

  it('makes the same texts of the same seed, and others of another', () => {
    const seed = '{"a":[1,2,{"b":null}],"c":"d"}';
    const texts = (number: number) => {
      const random = new Random(number);
      return Array.from({ length: 50 }, () => Buffer.from(mutateJson(seed, random)).toString());
    };
    expect(texts(3)).toEqual(texts(3));
    expect(texts(3)).not.toEqual(texts(4));
  });
});

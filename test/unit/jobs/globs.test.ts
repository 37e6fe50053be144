import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileGlob } from '../../../src/jobs/globs/globMatcher.js';

describe('globs', () => {
  it.each([
    ['*', ['', 'a', '.', 'a.b/c', 'a\nb', '🦙'], []],
    ['**.weight', ['.weight', 'a.b.weight'], ['weight', 'a.weight2']],
    ['*.q_proj.*', ['model.layers.0.q_proj.weight'], ['q_proj.weight', 'a.q_proj']],
    ['layers.?.w', ['layers.0.w', 'layers.🦙.w'], ['layers.10.w', 'layers..w']],
    ['layers.[13]', ['layers.1', 'layers.3'], ['layers.2', 'layers.13', 'layers.']],
    ['layers.[2-4a]', ['layers.2', 'layers.4', 'layers.a'], ['layers.1', 'layers.-']],
    ['x[!0-8]', ['x9', 'xa'], ['x8', 'x', 'x99']],
    ['x[^a-]', ['xb'], ['xa', 'x-']],
    ['x[]a]y', ['x]y', 'xay'], ['xy', 'x[]a]y']],
    ['x[\\]\\-]', ['x]', 'x-'], ['x\\']],
    ['[[:digit:]_][[:upper:]]', ['3A', '_Z'], ['AA', '3a']],
    ['{q,k,v}_proj', ['q_proj', 'v_proj'], ['o_proj', '{q,k,v}_proj']],
    ['a{,.b{c,d}}', ['a', 'a.bc', 'a.bd'], ['a.b', 'a.bcd']],
    [
      'layers.{8..11}.*',
      ['layers.8.a', 'layers.10.b'],
      ['layers.7.a', 'layers.12.a', 'layers.1.a'],
    ],
    ['{-1..1}', ['-1', '0', '1'], ['2', '-1..1']],
    ['@(q|k)_proj', ['q_proj', 'k_proj'], ['_proj', 'qk_proj']],
    ['(q|k)', ['q', 'k'], ['qk', '(q|k)']],
    ['a?(.b)', ['a', 'a.b'], ['a.b.b']],
    ['a*(.b)', ['a', 'a.b', 'a.b.b'], ['a.c']],
    ['a+(.b|.c)d', ['a.bd', 'a.c.bd'], ['ad']],
    ['*.!(norm|bias)', ['a.weight', 'a.norms'], ['a.norm', 'bias']],
    ['!(*norm*).weight', ['q_proj.weight', '.weight'], ['input_norm.weight', 'q_proj.bias']],
    ['!*.bias', ['a.weight', 'bias'], ['a.bias']],
    ['!!a', ['a'], ['b', '!!a']],
    ['\\*[*?]', ['**', '*?'], ['a*', '*a']],
    ['a{b', ['a{b'], ['ab']],
    ['a{b}', ['a{b}'], ['ab']],
    ['a(b|c', ['a(b|c'], ['ab']],
    ['a]}b)', ['a]}b)'], ['ab']],
    ['[a', ['[a'], ['a']],
    ['', [''], ['a']],
  ])('%s', (glob, matching, others) => {
    const matches = compileGlob(glob);
    expect(matching.filter((name) => !matches(name))).toEqual([]);
    expect(others.filter(matches)).toEqual([]);
  });

  /** A glob's part, and the regular expression that means the same. */
  const part = fc.letrec<{ part: [string, string]; list: [string, string][] }>((tie) => ({
    part: fc.oneof(
      { maxDepth: 2 },
      fc.constantFrom<[string, string]>(
        ['a', 'a'],
        ['b', 'b'],
        ['\\*', '\\*'],
        ['*', '.*'],
        ['?', '.'],
        ['[ab]', '[ab]'],
        ['[!a]', '[^a]'],
      ),
      tie('list').map((list): [string, string] => [
        `{${list.map(([glob]) => glob).join(',')}}`,
        `(?:${list.map(([, expression]) => expression).join('|')})`,
      ]),
      fc
        .tuple(fc.constantFrom('@', '?', '*', '+'), tie('list'))
        .map(([times, list]): [string, string] => [
          `${times}(${list.map(([glob]) => glob).join('|')})`,
          `(?:${list.map(([, expression]) => expression).join('|')})${times === '@' ? '' : times}`,
        ]),
    ),
    list: fc.array(tie('part'), { minLength: 2, maxLength: 3 }),
  })).part;

  it('mean what the regular expressions mean that they could be written as', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 7 });
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 4 }),
        fc.array(name),
        (parts, names) => {
          const matches = compileGlob(parts.map(([glob]) => glob).join(''));
          const expression = new RegExp(`^${parts.map(([, each]) => each).join('')}$`, 's');
          for (const each of names)
            expect([each, matches(each)]).toEqual([each, expression.test(each)]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('remember little, whatever a name makes of them', () => {
    const matches = compileGlob(`*a${'?'.repeat(16)}`);
    let state = 1;
    const next = () => ((state = (state * 48271) % 2147483647) & 64 ? 'a' : 'b');
    const name = Array.from({ length: 20_000 }, next).join('');
    expect(matches(name)).toBe(name.at(-17) === 'a');
  });
});

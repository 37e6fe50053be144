import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContext, Script } from 'node:vm';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What only ever meets numbers that this program wrote itself, of at most some thirty characters. */
const MEETS_NUMBERS_ONLY = new Set([
  // Thousands of a count.
  String.raw`/\B(?=(\d{3})+$)/g`,
]);

/** Every regular expression in the program's own text, with the first place where it stands. */
function regularExpressions(): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of ['src', 'webview']) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (!/\.ts$/.test(name) || name.includes('assembly')) continue;
      const path = join(ROOT, folder, name);
      const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);
      const visit = (node: ts.Node): void => {
        if (ts.isRegularExpressionLiteral(node) && !found.has(node.text)) {
          found.set(node.text, relative(ROOT, path));
        }
        ts.forEachChild(node, visit);
      };
      visit(source);
    }
  }
  return found;
}

/** Characters that expressions tell apart, and words that they look for. */
function piecesFor(expression: string): string[] {
  const words = expression.match(/[A-Za-z0-9_]{2,}/g) ?? [];
  return [...Array.from('a0 .-_/:,"<[({+=×x\n\r\\'), '[:', 'h.0.', '1,000', '\u0001', ...words];
}

/** Texts that make an expression try again what it has tried: a piece, over and over, then another. */
function attacks(expression: string, length: number): string[] {
  const pieces = piecesFor(expression);
  const fill = (piece: string) => piece.repeat(Math.ceil(length / piece.length));
  const own = [...new Set(expression.match(/[^\w\s]/g))];
  return [
    ...pieces.flatMap((piece) => ['', '!', '\n'].map((end) => fill(piece) + end)),
    ...pieces.flatMap((piece) => pieces.map((before) => `${before}${fill(piece)}!`)),
    // What escapes and what it escapes, and the like.
    ...own.flatMap((one) => own.map((other) => `${fill(one + other)}!`)),
  ];
}

/** Long enough that trying every place to every end takes many seconds. */
const LENGTH = 40_000;
/** Milliseconds for all texts, on a machine that is busy with much else; the script is stopped then. */
const LIMIT = 25_000;

describe('regular expressions of the program', () => {
  const script = new Script('for (const text of texts) text.replace(expression, "")');
  const expressions = [...regularExpressions()].filter(([text]) => !MEETS_NUMBERS_ONLY.has(text));

  it.each(expressions)('%s (%s) reads any text in linear time', (text) => {
    const [, body, flags] = /^\/(.*)\/([a-z]*)$/s.exec(text)!;
    const expression = new RegExp(body, flags);
    // Short ones first: where there are exponentially many ways, they are enough, and soon stopped.
    for (const length of [40, LENGTH]) {
      const context = createContext({ texts: attacks(text, length), expression });
      expect(() => script.runInContext(context, { timeout: LIMIT })).not.toThrow();
    }
  });

  it.each([
    ['/^(a+)+$/', 40],
    [String.raw`/[-.]+$/`, 4 * LENGTH],
    [String.raw`/"(?:[^"\\]|\\.)*"|NaN/gs`, 4 * LENGTH],
  ])('would not be read in linear time were they %s', (text, length) => {
    const [, body, flags] = /^\/(.*)\/([a-z]*)$/s.exec(text)!;
    const context = createContext({
      texts: attacks(text, length),
      expression: new RegExp(body, flags),
    });
    // Minutes, were it not stopped.
    expect(() => script.runInContext(context, { timeout: 500 })).toThrow('timed out');
  });

  it('are found', () => {
    expect(expressions.length).toBeGreaterThan(30);
  });
});

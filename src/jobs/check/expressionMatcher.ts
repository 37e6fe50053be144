import { compileGlob } from '../globs/globMatcher.js';

/** Characters that stand for themselves in expressions and in globs. */
const PLAIN = /^[A-Za-z0-9_\-/:]$/;

/**
 * Regular expressions of configurations as far as they are written in practice: names, any characters,
 * numbers, choices. They match from the beginning of a name, as Python's `re.match`.
 * @returns a matcher whose time grows with a name's length alone, whatever a file holds; undefined where the
 *   expression has anything else in it
 */
export function makeExpressionMatcher(
  expression: string,
): ((module: string) => boolean) | undefined {
  const glob = toGlob(expression);
  return glob === undefined ? undefined : compileGlob(glob);
}

/** A longer one is no name of modules. */
const MAX_EXPRESSION = 1000;

function toGlob(expression: string): string | undefined {
  if (expression.length > MAX_EXPRESSION) return undefined;
  let glob = '';
  let depth = 0;
  let at = expression.startsWith('^') ? 1 : 0;
  const takes = (piece: string): boolean => {
    if (!expression.startsWith(piece, at)) return false;
    at += piece.length;
    return true;
  };
  while (at < expression.length) {
    const character = expression[at];
    if (takes('.*')) glob += '*';
    else if (takes('.+')) glob += '?*';
    else if (takes('\\d+') || takes('[0-9]+')) glob += '+([0-9])';
    else if (takes('\\.')) glob += '.';
    else if (takes('$')) return at === expression.length && depth === 0 ? glob : undefined;
    else if (takes('(?:') || takes('(')) {
      if (depth++ > 0) return undefined;
      glob += '@(';
    } else if (depth === 1 && takes('|')) glob += '|';
    else if (takes(')')) {
      if (depth-- === 0) return undefined;
      glob += ')';
    } else if (takes('.')) glob += '?';
    else if (PLAIN.test(character)) {
      glob += character;
      at++;
    } else return undefined;
    // Repetitions of anything else.
    if ('?*+{'.includes(expression[at] ?? ' ')) return undefined;
  }
  return depth === 0 ? `${glob}*` : undefined;
}

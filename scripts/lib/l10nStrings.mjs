// The strings of the extension that VS Code can translate: first arguments of vscode.l10n.t.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/**
 * @param {string} folder of sources
 * @returns {string[]} each string once, in alphabetical order
 */
export function findStrings(folder) {
  const strings = new Set();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const path = join(folder, name);
    const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);
    /** @param {ts.Node} node */
    const visit = (node) => {
      if (ts.isCallExpression(node) && node.expression.getText(file) === 'vscode.l10n.t') {
        const [text] = node.arguments;
        if (!ts.isStringLiteralLike(text)) {
          throw new Error(`${path}: vscode.l10n.t takes a string as it stands in the bundle`);
        }
        strings.add(text.text);
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return [...strings].sort();
}

/** The bundle that translators begin with: l10n/bundle.l10n.json. @param {string} folder of sources */
export function makeBundle(folder) {
  const entries = findStrings(folder).map((text) => [text, text]);
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}

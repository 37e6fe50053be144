import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';

const SOURCES = join(import.meta.dirname, '../../../src');

/** Texts in a source file that people may read: what stands in quotation marks, not what comments say. */
function textsOf(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  const texts: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) texts.push(node.text);
    if (ts.isTemplateMiddleOrTemplateTail(node)) texts.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return texts;
}

const FLAG = /(?:^|[\s("'`])--[a-z]/;

function filesWithFlags(inside: (path: string) => boolean): string[] {
  return readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && inside(path))
    .filter((path) => textsOf(join(SOURCES, path)).some((text) => FLAG.test(text)));
}

test('only the command line speaks of its flags: the editor shows the same messages', () => {
  expect(filesWithFlags((path) => !path.startsWith('cli/'))).toEqual([]);
  // The search does find them.
  expect(filesWithFlags((path) => path.startsWith('cli/'))).toContain('cli/help.ts');
});

// Runs the built command line on cases made after public reports, and says what it prints now beside what is
// right: node test/field/run.mjs [FOLDER] [CASE…]. The cases do not come with the project.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { inRoot, outFolder } from '../../scripts/lib/paths.mjs';

/** How far a perplexity may be from one computed in double precision, relative. */
const TOLERANCE = 1e-4;
const [folder = inRoot('..', 'shared', 'field-cases'), ...chosen] = process.argv.slice(2);

/** @typedef {{ id: string, kind: string, expected: string, observed: string, verdict: string, right_perplexity?: number | Record<string, number> }} FieldCase */

/** @param {string} name @returns {FieldCase} */
const readCase = (name) =>
  JSON.parse(fs.readFileSync(path.join(folder, name, 'case.json'), 'utf8'));

/**
 * Perplexities that are right and that the output does not have.
 * @param {FieldCase} fieldCase
 * @param {string} output
 */
function missingPerplexities({ right_perplexity: right }, output) {
  if (right === undefined) return [];
  const wanted = typeof right === 'number' ? { '': right } : right;
  const printed = output.match(/\b\d+\.\d{3,}\b/g)?.map(Number) ?? [];
  return Object.entries(wanted)
    .filter(([, value]) => !printed.some((each) => Math.abs(each / value - 1) < TOLERANCE))
    .map(([variant, value]) => `${variant} ${value}`.trim());
}

if (!fs.existsSync(folder)) {
  console.log(`Skipped: there are no cases in ${folder}`);
  process.exit(0);
}
const names = fs
  .readdirSync(folder)
  .filter((name) => fs.existsSync(path.join(folder, name, 'case.json')))
  .filter((name) => chosen.length === 0 || chosen.some((each) => name.startsWith(each)));
const report = [
  '| case | before | perplexity as is right | exit codes |',
  '| --- | --- | --- | --- |',
];
const outputs = [];
for (const name of names) {
  const fieldCase = readCase(name);
  const { stdout } = spawnSync('bash', [path.join(folder, name, 'run.sh')], {
    cwd: inRoot(),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    timeout: 600_000,
  });
  const missing = missingPerplexities(fieldCase, stdout);
  const codes = [...stdout.matchAll(/^rc=(\d+)$/gm)].map(([, code]) => code).join(' ');
  const right =
    fieldCase.right_perplexity === undefined
      ? '–'
      : missing.length === 0
        ? 'yes'
        : `NO: ${missing.join(', ')}`;
  report.push(`| ${name} | ${fieldCase.verdict} | ${right} | ${codes} |`);
  outputs.push(
    `## ${name}\n\n${fieldCase.kind}\n\nExpected: ${fieldCase.expected}\n\nBefore: ${fieldCase.observed}\n\n` +
      `Now:\n\n${stdout.replace(/^/gm, '    ')}\n`,
  );
  console.log(report.at(-1));
}
fs.mkdirSync(outFolder, { recursive: true });
const file = path.join(outFolder, 'field.md');
fs.writeFileSync(file, `${report.join('\n')}\n\n${outputs.join('\n')}`);
console.log(`${names.length} cases; what each prints: ${file}`);

import { FORMAT_CATALOGUE } from './catalogue.js';
import { formatGrouping, makeFormat } from './names.js';
import { ruleProperties } from './rules.js';
import { computeBitsPerWeight } from './storage.js';
import type { FormatEntry } from './types.js';

/** Bits per weight of a 4096 × 4096 tensor with F16 scales. */
function typicalBits(entry: FormatEntry): string {
  const format = makeFormat(entry, entry.fixedGroup ?? { kind: 'columns', size: 128 });
  return computeBitsPerWeight(format, [4096, 4096]).toFixed(3);
}

function row(entry: FormatEntry): string {
  const group = entry.fixedGroup
    ? entry.family === 'Cast'
      ? '–'
      : formatGrouping(entry.fixedGroup)
    : 'g128';
  const remarks = [entry.reconstructed ? '**reconstructed**' : '', ...entry.notes];
  const cells = [
    `\`${entry.name}\``,
    entry.label,
    entry.description,
    String(entry.levelCount),
    group,
    typicalBits(entry),
    ruleProperties(entry.rule).tieRule,
    entry.source,
    remarks.filter(Boolean).join(' '),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** The catalogue as a Markdown document; `docs/formats.md` is this text. */
export function writeCatalogueDocument(): string {
  return `# Number formats

Made from the catalogue by \`npm run docs\`; a test keeps it current. Bits per weight are those of a
4096 × 4096 tensor with F16 scales, everything stored counted. Where the group is g128 it can be chosen
(\`:gN\`, \`:row\`, \`:tensor\`); formats with scales of their own fix it. \`afpN-eXmY\` and \`fpN-eXmY\` exist for
any X ≥ 1 with N = 1 + X + Y ≤ 8, listed or not.

Options: \`+mse\` shrinks both ends of a group's range by the same factor, 80 candidates, error norm 2.4
(GPTQ's code); \`+clip\` moves both ends apart, 10 × 10 candidates, squared weight error (BitDistiller's search
without activations, which is our substitution). Both for integers, dINT, FP, NF and AFPQ.

| name | label | what | levels | group | bits/weight | ties | source | remarks |
| --- | --- | --- | ---: | --- | ---: | --- | --- | --- |
${FORMAT_CATALOGUE.map(row).join('\n')}
`;
}

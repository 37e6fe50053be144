import { formatReportJson } from '../../reports/present.js';
import {
  FORMAT_CATALOGUE,
  computeBitsPerWeight,
  formatGrouping,
  parseFormat,
} from '../../formats/index.js';
import type { FormatEntry } from '../../formats/index.js';
import { formatFixed } from '../numbers.js';
import { formatTable } from '../tables.js';
import type { Session } from './session.js';

/** Shape whose columns every usual group size divides, so that no ragged group blurs the figure. */
const EXAMPLE_SHAPE = [4096, 4096];

function exampleBits(entry: FormatEntry): number {
  return computeBitsPerWeight(parseFormat(entry.name), EXAMPLE_SHAPE);
}

function groupText({ family, fixedGroup }: FormatEntry): string {
  if (!fixedGroup) return 'any';
  return family === 'Cast' ? '–' : formatGrouping(fixedGroup);
}

/** `formats`: the catalogue, as a table or as JSON. */
export async function formats(json: boolean, session: Session): Promise<void> {
  if (json) {
    const list = FORMAT_CATALOGUE.map((entry) => ({
      name: entry.name,
      id: parseFormat(entry.name).id,
      label: entry.label,
      family: entry.family,
      bits: entry.bits,
      bitsPerWeight: exampleBits(entry),
      fixedGroup: entry.fixedGroup ? formatGrouping(entry.fixedGroup) : null,
      description: entry.description,
      source: entry.source,
      reconstructed: entry.reconstructed,
      notes: entry.notes,
    }));
    return session.write(formatReportJson({ formats: list }));
  }
  const rows = FORMAT_CATALOGUE.map((entry) => [
    entry.name,
    entry.label,
    groupText(entry),
    formatFixed(exampleBits(entry), 3),
    entry.description,
    entry.source,
  ]);
  const text = formatTable(
    [
      { title: 'Name', align: 'left' },
      { title: 'Label', align: 'left' },
      { title: 'Group', align: 'left' },
      { title: 'bits/weight', align: 'right' },
      { title: 'Description', align: 'left' },
      { title: 'Source', align: 'left' },
    ],
    rows,
  );
  await session.write(
    `${text}\nBits per weight with F16 scales, and g128 where the group is any.\n`,
  );
}

import { FORMAT_PRESETS } from '../../jobs/presets.js';
import { optionsOf } from '../../methods/schemes.js';
import { ACTIVATION_CATALOGUE } from '../../formats/activations.js';
import { METHODS } from '../../methods/index.js';
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
    const methods = METHODS.map(
      ({ name, label, description, source, reconstructed, notes, options, defaults }) => ({
        ...{ name, label, description, source, reconstructed, notes, options },
        calibration: defaults,
      }),
    );
    const activations = ACTIVATION_CATALOGUE.map(
      ({ name, label, bits, description, source, notes }) => ({
        ...{ name, label, bits, description, source, notes },
      }),
    );
    const presets = FORMAT_PRESETS;
    return session.write(formatReportJson({ formats: list, methods, activations, presets }));
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
    `${text}\nBits per weight with F16 scales, and g128 where the group is any.\n\n` +
      `Methods of compare and perplexity, behind a format: int4:g128+gptq\n\n${methodTable()}\n` +
      `What linear layers take, behind all of it: int4:g128+gptq/int8-token\n\n${activationTable()}\n` +
      `Formats of papers' tables, as --preset\n\n${presetTable()}`,
  );
}

function presetTable(): string {
  return formatTable(
    [
      { title: 'Name', align: 'left' },
      { title: 'Description', align: 'left' },
      { title: 'Formats', align: 'right' },
    ],
    FORMAT_PRESETS.map(({ name, description, formats }) => [
      name,
      description,
      String(formats.length),
    ]),
  );
}

function methodTable(): string {
  return formatTable(
    [
      { title: 'Name', align: 'left' },
      { title: 'Options', align: 'left' },
      { title: 'Description', align: 'left' },
      { title: 'Source', align: 'left' },
    ],
    METHODS.map((method) => [
      `+${method.name}`,
      optionsOf(method)
        .map((option) => option.name)
        .join(', '),
      method.description,
      method.reconstructed ? `${method.source}; reconstructed` : method.source,
    ]),
  );
}

function activationTable(): string {
  return formatTable(
    [
      { title: 'Name', align: 'left' },
      { title: 'Description', align: 'left' },
      { title: 'Source', align: 'left' },
    ],
    ACTIVATION_CATALOGUE.map(({ name, description, source }) => [`/${name}`, description, source]),
  );
}

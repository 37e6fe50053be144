import { FORMAT_ALIASES, FORMAT_CATALOGUE } from './catalogue.js';
import type { FormatEntry, Grouping, NumberFormat } from './types.js';

/** A format name that cannot be understood; the message is one line and says what is allowed. */
export class FormatNameError extends Error {
  override readonly name = 'FormatNameError';
}

const DEFAULT_GROUP: Grouping = { kind: 'columns', size: 128 };
const entriesByName = new Map(FORMAT_CATALOGUE.map((entry) => [entry.name, entry]));

/** The catalogue entry of a format name without group and options. */
export function findFormatEntry(name: string): FormatEntry | undefined {
  return entriesByName.get(FORMAT_ALIASES[name] ?? name);
}

function parseGroup(text: string, whole: string): Grouping {
  if (text === 'row') return { kind: 'row' };
  if (text === 'tensor') return { kind: 'tensor' };
  const size = /^g([1-9][0-9]{0,8})$/.exec(text);
  if (size && Number(size[1]) >= 2) return { kind: 'columns', size: Number(size[1]) };
  throw new FormatNameError(`Format "${whole}": group "${text}" is not gN (N ≥ 2), row or tensor`);
}

/** The text of a grouping as it stands in format names: "g128", "row", "tensor". */
export function groupingText(group: Grouping): string {
  return group.kind === 'columns' ? `g${group.size}` : group.kind;
}

/**
 * Reads a format name, NUMBER[-VARIANT][:GROUP]; ":g128" where no group is said.
 * @throws FormatNameError naming the part that is wrong
 */
export function parseFormat(text: string): NumberFormat {
  const [number, groupText, ...rest] = text.trim().toLowerCase().split(':');
  if (rest.length > 0) throw new FormatNameError(`Format "${text}": more than one ":"`);
  const option = /\+.*$/.exec(groupText ?? number);
  if (option) throw new FormatNameError(`Format "${text}": option "${option[0]}" is not known`);
  const entry = findFormatEntry(number);
  if (!entry) {
    throw new FormatNameError(
      `Format "${text}": "${number}" is not in the catalogue (see "quantscope formats")`,
    );
  }
  const group = groupText === undefined ? DEFAULT_GROUP : parseGroup(groupText, text);
  return { id: `${entry.name}:${groupingText(group)}`, entry, group };
}

/** The same format with another grouping. */
export function withGrouping(format: NumberFormat, group: Grouping): NumberFormat {
  return { ...format, group, id: `${format.entry.name}:${groupingText(group)}` };
}

/** Label with group, e.g. "AFP4 g128". */
export function formatLabel(format: NumberFormat): string {
  return `${format.entry.label} ${groupingText(format.group)}`;
}

import { findFormatEntry } from './catalogue.js';
import { ruleProperties } from './rules.js';
import type { FormatEntry, Grouping, NumberFormat, RangeSearch } from './types.js';

/** A format name that cannot be understood; the message is one line and says what is allowed. */
export class FormatNameError extends Error {
  override readonly name = 'FormatNameError';
}

const DEFAULT_GROUP: Grouping = { kind: 'columns', size: 128 };

function parseGroup(text: string, whole: string, entry: FormatEntry): Grouping {
  if (entry.fixedGroup && !entry.groupIsDefault) {
    throw new FormatNameError(
      `Format "${whole}": ${entry.name} fixes its own grouping, "${text}" cannot be chosen`,
    );
  }
  const size = /^g([1-9][0-9]{0,8})$/.exec(text);
  if (size && Number(size[1]) >= 2) {
    return {
      kind: entry.fixedGroup?.kind === 'blocks' ? 'blocks' : 'columns',
      size: Number(size[1]),
    };
  }
  if (!entry.fixedGroup && (text === 'row' || text === 'tensor')) return { kind: text };
  const allowed = entry.fixedGroup ? 'gN (N ≥ 2)' : 'gN (N ≥ 2), row or tensor';
  throw new FormatNameError(`Format "${whole}": group "${text}" is not ${allowed}`);
}

/** True where a better range than the extremes can be searched for. */
export function allowsSearch({ rule }: FormatEntry): boolean {
  return ruleProperties(rule).hasRangeSearch;
}

function parseSearch(
  options: readonly string[],
  whole: string,
  entry: FormatEntry,
  group: Grouping,
): RangeSearch {
  if (options.length === 0) return 'none';
  if (options.length > 1) throw new FormatNameError(`Format "${whole}": only one search at a time`);
  const [option] = options;
  if (option !== 'mse' && option !== 'clip') {
    throw new FormatNameError(`Format "${whole}": option "+${option}" is not +mse or +clip`);
  }
  if (!allowsSearch(entry)) {
    throw new FormatNameError(`Format "${whole}": ${entry.name} has no range to search for`);
  }
  // A range is searched for where its group is at hand; that of a whole tensor never is at once.
  if (group.kind === 'tensor') {
    throw new FormatNameError(
      `Format "${whole}": "+${option}" needs groups of a row or less; one range for a whole tensor cannot be searched for`,
    );
  }
  return option;
}

/** The text of a grouping as it stands in format names: "g128", "row", "tensor". */
export function formatGrouping(group: Grouping): string {
  return group.kind === 'columns' || group.kind === 'blocks' ? `g${group.size}` : group.kind;
}

/** A format of given parts, with its canonical name. */
export function makeFormat(
  entry: FormatEntry,
  group: Grouping,
  search: RangeSearch = 'none',
): NumberFormat {
  const isDefault =
    entry.fixedGroup !== undefined && formatGrouping(entry.fixedGroup) === formatGrouping(group);
  const id =
    entry.name +
    (isDefault ? '' : `:${formatGrouping(group)}`) +
    (search === 'none' ? '' : `+${search}`);
  return { id, entry, group, search };
}

/**
 * Reads a format name, NUMBER[-VARIANT][:GROUP][+OPTION]; ":g128" where no group is said and the
 * format does not fix it.
 * @throws FormatNameError naming the part that is wrong
 */
export function parseFormat(text: string): NumberFormat {
  const [base, ...options] = text.trim().toLowerCase().split('+');
  const [number, groupText, ...rest] = base.split(':');
  if (rest.length > 0) throw new FormatNameError(`Format "${text}": more than one ":"`);
  const entry = findFormatEntry(number);
  if (!entry) {
    throw new FormatNameError(
      `Format "${text}": "${number}" is not in the catalogue (see "quantscope formats")`,
    );
  }
  const group =
    groupText === undefined
      ? (entry.fixedGroup ?? DEFAULT_GROUP)
      : parseGroup(groupText, text, entry);
  return makeFormat(entry, group, parseSearch(options, text, entry, group));
}

/** The same format with another grouping, or as it is where the format fixes its own. */
export function withGrouping(format: NumberFormat, group: Grouping): NumberFormat {
  return format.entry.fixedGroup ? format : makeFormat(format.entry, group, format.search);
}

/** Label with group and options, e.g. "AFP4 g128", "INT4 g128 +mse". */
export function formatLabel({ entry, group, search }: NumberFormat): string {
  const fixed = entry.fixedGroup && formatGrouping(entry.fixedGroup) === formatGrouping(group);
  return (
    entry.label +
    (fixed ? '' : ` ${formatGrouping(group)}`) +
    (search === 'none' ? '' : ` +${search}`)
  );
}

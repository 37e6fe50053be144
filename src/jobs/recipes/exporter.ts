import type { NumberFormat } from '../../formats/index.js';
import { parseFormat } from '../../formats/index.js';
import type { FormatMix } from '../mixes.js';

/** What an exporter is given. */
export interface ExportRequest {
  readonly tensors: FormatMix['tensors'];
  /** Linear weights of the model that the recipe leaves as they are. */
  readonly kept: readonly string[];
}

/** A recipe for another program. */
export interface ExportedRecipe {
  readonly text: string;
  /** What the other program does differently or cannot do, in sentences. */
  readonly notes: readonly string[];
}

/** Writes recipes for another program. */
export interface RecipeExporter {
  /** As typed at the command line. */
  readonly name: string;
  /** What is written, for people. */
  readonly label: string;
  /** @throws where nothing of a recipe can be said to the program */
  write(request: ExportRequest): ExportedRecipe;
}

/** A tensor that the other program can be told of, and how. */
export interface Expressed<Settings> {
  readonly name: string;
  readonly settings: Settings;
}

/**
 * Tensors as another program's settings, and notes of those that have none.
 * @param express settings for a tensor in a format, or why there are none
 * @throws where there are none for any of them
 */
export function expressAll<Settings extends object>(
  label: string,
  tensors: FormatMix['tensors'],
  express: (name: string, format: NumberFormat) => Settings | string,
): { readonly expressed: readonly Expressed<Settings>[]; readonly notes: readonly string[] } {
  const expressed: Expressed<Settings>[] = [];
  const reasons = new Map<string, string[]>();
  for (const { name, format } of tensors) {
    const settings = express(name, parseFormat(format));
    if (typeof settings !== 'string') expressed.push({ name, settings });
    else reasons.set(settings, [...(reasons.get(settings) ?? []), name]);
  }
  const notes = [...reasons].map(([reason, names]) => {
    const others = names.length === 1 ? '' : ` and ${names.length - 1} more`;
    return `Not in the file: "${names[0]}"${others}, since ${reason}.`;
  });
  if (expressed.length === 0) {
    throw new Error(`${label}: nothing of this recipe can be expressed. ${notes.join(' ')}`);
  }
  return { expressed, notes };
}

/** The name of a linear map's module: that of its weight without the last part. */
export function moduleOf(weight: string): string {
  return weight.replace(/\.weight$/, '');
}

/** Columns of a group; −1 for whole rows; undefined for other groups. */
export function groupSizeOf({ group }: NumberFormat): number | undefined {
  if (group.kind === 'row') return -1;
  return group.kind === 'columns' ? group.size : undefined;
}

/** A text that a regular expression matches as it stands. */
export function escapeExpression(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** Settings with the names that have them, in the order of the first ones. */
export function groupBySettings<Settings extends object>(
  expressed: readonly Expressed<Settings>[],
): readonly { readonly settings: Settings; readonly names: readonly string[] }[] {
  const groups = new Map<string, { settings: Settings; names: string[] }>();
  for (const { name, settings } of expressed) {
    const key = JSON.stringify(settings);
    const group = groups.get(key);
    if (group) group.names.push(name);
    else groups.set(key, { settings, names: [name] });
  }
  return [...groups.values()];
}

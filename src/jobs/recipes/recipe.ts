import { parseJson } from '../../checkpoint/jsonText.js';
import { parseFormat, type ScaleDtype } from '../../formats/index.js';
import { quoted, visible } from '../../storage/errors.js';
import { shorten } from '../../storage/shorten.js';
import type { FormatMix } from '../mixes.js';

/** A decision as a file: which tensors of a model are stored in which format (docs/recipes.md). */
export interface Recipe {
  /** Version of the file's format. */
  readonly recipe: 1;
  /** Type that scales are rounded to. */
  readonly scaleDtype: ScaleDtype;
  /** In checkpoint order; the other tensors stay as they are. Formats by their canonical names. */
  readonly tensors: FormatMix['tensors'];
  /** Where it comes from, for people: readers ignore what is in it. */
  readonly about?: unknown;
}

/** A file that is no recipe; one line. */
export class RecipeError extends Error {
  override readonly name = 'RecipeError';
}

/** Characters of what is wrong. */
const MAX_DETAIL = 300;

const KEYS = ['recipe', 'scaleDtype', 'tensors', 'about'];
const SCALE_DTYPES: readonly string[] = ['f16', 'bf16', 'f32'] satisfies ScaleDtype[];

/** A recipe as a file's text, a line for each tensor. */
export function formatRecipe({ recipe, scaleDtype, about, tensors }: Recipe): string {
  const lines = tensors.map(
    ({ name, format }) =>
      `    { "name": ${JSON.stringify(name)}, "format": ${JSON.stringify(format)} }`,
  );
  const head = [
    `  "recipe": ${recipe}`,
    ...(about === undefined ? [] : [`  "about": ${JSON.stringify(about)}`]),
    `  "scaleDtype": ${JSON.stringify(scaleDtype)}`,
    `  "tensors": [\n${lines.join(',\n')}\n  ]`,
  ];
  return `{\n${head.join(',\n')}\n}\n`;
}

/**
 * Reads a recipe; strict: what is not known is refused, since it would change what is meant.
 * @param file for messages
 * @throws an Error of one line that names the file, the place and the rule
 */
export function parseRecipe(text: string, file: string): Recipe {
  const fail = (place: string, detail: string): never => {
    throw new RecipeError(
      `${visible(file)}: ${place}${place ? ' ' : ''}${shorten(detail, MAX_DETAIL, visible)}`,
    );
  };
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    return fail('', `is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const root = asObject(value) ?? fail('', 'is no recipe: a JSON object is wanted');
  refuseOthers(root, KEYS, (key) => fail(quoted(key), `is not one of ${KEYS.join(', ')}`));
  const { recipe, scaleDtype, tensors, about } = root;
  if (recipe !== 1) {
    return fail('"recipe"', 'is not 1, the version that can be read');
  }
  if (typeof scaleDtype !== 'string' || !SCALE_DTYPES.includes(scaleDtype)) {
    return fail('"scaleDtype"', `is not one of ${SCALE_DTYPES.join(', ')}`);
  }
  if (!Array.isArray(tensors) || tensors.length === 0) {
    return fail('"tensors"', 'is not a list of at least one tensor');
  }
  const seen = new Set<string>();
  const read = tensors.map((each: unknown, index) => {
    const place = `"tensors"[${index}]`;
    const tensor = asObject(each) ?? fail(place, 'is not an object');
    refuseOthers(tensor, ['name', 'format'], (key) =>
      fail(`${place} ${quoted(key)}`, 'is not one of name, format'),
    );
    const { name, format } = tensor;
    if (typeof name !== 'string' || name === '') return fail(`${place} "name"`, 'is no name');
    if (seen.has(name)) return fail(`${place} "name"`, `${quoted(name)} is there twice`);
    seen.add(name);
    if (typeof format !== 'string') return fail(`${place} "format"`, 'is no name of a format');
    try {
      return { name, format: parseFormat(format).id };
    } catch (error) {
      return fail(`${place} "format":`, error instanceof Error ? error.message : String(error));
    }
  });
  return {
    recipe,
    scaleDtype: scaleDtype as ScaleDtype,
    tensors: read,
    ...(about !== undefined && { about }),
  };
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
}

function refuseOthers(
  value: Readonly<Record<string, unknown>>,
  known: readonly string[],
  refuse: (key: string) => never,
): void {
  const other = Object.keys(value).find((key) => !known.includes(key));
  if (other !== undefined) refuse(other);
}

import { quoted } from '../../../storage/errors.js';
import type { TokenizerDocument } from '../tokenizerDocument.js';

/** The special ids that a text gets before and behind its own. */
export interface Frame {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const NOTHING: Frame = { before: [], after: [] };

function template({ single, special_tokens }: TokenizerDocument): Frame {
  const specials = new Map(Object.entries(special_tokens ?? {})) as Map<
    string,
    { ids: readonly number[] }
  >;
  const before: number[] = [];
  const after: number[] = [];
  let texts = 0;
  for (const piece of (single ?? []) as TokenizerDocument[]) {
    if (piece.Sequence !== undefined) {
      texts++;
      continue;
    }
    const { id } = (piece.SpecialToken ?? {}) as { id?: unknown };
    const special = typeof id === 'string' ? specials.get(id) : undefined;
    if (!special) {
      throw new Error(`"post_processor": its template names ${quoted(String(id))} without ids`);
    }
    (texts > 0 ? after : before).push(...special.ids);
  }
  if (texts !== 1) throw new Error('"post_processor": its template has not exactly one text');
  return { before, after };
}

/** The id of a pair of a token and its id. */
function idOf(pair: unknown, name: string): number {
  const id: unknown = Array.isArray(pair) ? pair[1] : undefined;
  if (Number.isInteger(id) && (id as number) >= 0) return id as number;
  throw new Error(`"post_processor": "${name}" is not a token and its id`);
}

/**
 * What a post-processor puts around a single text.
 * @throws an Error that names the kind that is not known
 */
export function readFrame(step: unknown): Frame {
  if (step === null || step === undefined) return NOTHING;
  const fields = step as TokenizerDocument;
  switch (fields.type) {
    case 'ByteLevel':
      return NOTHING;
    case 'TemplateProcessing':
      return template(fields);
    case 'BertProcessing':
    case 'RobertaProcessing':
      return { before: [idOf(fields.cls, 'cls')], after: [idOf(fields.sep, 'sep')] };
    case 'Sequence':
      return ((fields.processors ?? []) as unknown[]).map(readFrame).reduce(
        (inner, outer) => ({
          before: [...outer.before, ...inner.before],
          after: [...inner.after, ...outer.after],
        }),
        NOTHING,
      );
    default:
      throw new Error(`"post_processor": its type ${quoted(String(fields.type))} is not known`);
  }
}

import { quoted } from '../../storage/errors.js';
import type { Frame } from './steps/postProcessors.js';
import type { TokenizerDocument } from './tokenizerDocument.js';

/** Classes of the reference that begin a text with BOS unless told not to, with the tokens that they take by default. */
const CLASSES_WITH_BOS: ReadonlyMap<unknown, { readonly bos: string; readonly eos: string }> =
  new Map(
    (
      [
        ['Llama', '<s>', '</s>'],
        ['CodeLlama', '<s>', '</s>'],
        ['Gemma', '<bos>', '<eos>'],
        ['Cohere', '<BOS_TOKEN>', '<|END_OF_TURN_TOKEN|>'],
      ] as const
    ).flatMap(([name, bos, eos]) =>
      ['Tokenizer', 'TokenizerFast'].map((kind) => [name + kind, { bos, eos }] as const),
    ),
  );

/** Names of special tokens in a configuration. */
export const SPECIAL_NAMES = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;

/** The text of a special token, written as a text or as an added token. */
export function textOf(token: unknown): string | undefined {
  if (typeof token === 'string') return token;
  const { content } = (token ?? {}) as { content?: unknown };
  return typeof content === 'string' ? content : undefined;
}

/**
 * The added tokens of a document, and behind them those that only its configuration names.
 * @param vocabulary of the model
 */
export function withConfiguredTokens(
  added: readonly TokenizerDocument[],
  configuration: TokenizerDocument,
  vocabulary: ReadonlyMap<string, number>,
): readonly TokenizerDocument[] {
  const known = new Set(added.map(({ content }) => content as string));
  const all = [...added];
  const add = (token: TokenizerDocument) => {
    if (typeof token.content !== 'string' || token.content === '' || known.has(token.content)) {
      return;
    }
    known.add(token.content);
    all.push(token);
  };
  const decoder = configuration.added_tokens_decoder;
  if (typeof decoder === 'object' && decoder !== null && !Array.isArray(decoder)) {
    for (const [id, token] of Object.entries(decoder as Record<string, unknown>)) {
      if (typeof token === 'object' && token !== null) add({ ...token, id: Number(id) });
    }
  }
  for (const name of SPECIAL_NAMES) {
    const content = textOf(configuration[name]);
    const id = content === undefined ? undefined : vocabulary.get(content);
    // Those that have no id yet stand in no text that a model was made for.
    if (id !== undefined) add({ content, id, special: true, normalized: false });
  }
  return all;
}

/** What a tokenizer says of BOS. */
export interface BosFacts {
  /** Its id; absent where there is none. */
  readonly id?: number;
  /** True where texts begin with it. */
  readonly added: boolean;
  /** True where models of its family are useless in windows without it. */
  readonly needed: boolean;
}

/** What the special tokens of texts are, by document and configuration. */
export interface SpecialTokens {
  readonly frame: Frame;
  readonly bos: BosFacts;
}

/**
 * What stands around a text: as the document's post-processor says, unless the configuration or the class of
 * the tokenizer has it rebuilt.
 * @param frame what the post-processor says
 * @param idOf id of a token by its text
 * @throws an Error where a token is to be added that there is not
 */
export function readSpecialTokens(
  frame: Frame,
  configuration: TokenizerDocument,
  idOf: (token: string) => number | undefined,
): SpecialTokens {
  const { add_bos_token, add_eos_token, tokenizer_class } = configuration;
  const byClass = CLASSES_WITH_BOS.get(tokenizer_class);
  const token = (name: 'bos' | 'eos'): string | undefined => {
    const given = configuration[`${name}_token`];
    return given === undefined ? byClass?.[name] : textOf(given);
  };
  const isExplicit = typeof add_bos_token === 'boolean' || typeof add_eos_token === 'boolean';
  const frameToken = (name: 'bos' | 'eos', adds: boolean): readonly number[] => {
    if (!adds) return [];
    const text = token(name);
    const id = text === undefined ? undefined : idOf(text);
    if (id !== undefined) return [id];
    const missing = text === undefined ? `there is no ${name}_token` : `${quoted(text)} has no id`;
    throw new Error(`${name.toUpperCase()} is to be added, but ${missing}`);
  };
  const adds = {
    bos: typeof add_bos_token === 'boolean' ? add_bos_token : byClass !== undefined,
    eos: add_eos_token === true,
  };
  // Other classes than these leave the template as it is where a token to be added is none.
  const lacks =
    byClass === undefined &&
    ((adds.bos && token('bos') === undefined) || (adds.eos && token('eos') === undefined));
  const rebuilt = (isExplicit || byClass !== undefined) && !lacks;
  const made = rebuilt
    ? { before: frameToken('bos', adds.bos), after: frameToken('eos', adds.eos) }
    : frame;
  const text = token('bos');
  const id = (text === undefined ? undefined : idOf(text)) ?? made.before[0];
  return {
    frame: made,
    bos: {
      id,
      added: id !== undefined && made.before.includes(id),
      needed: typeof tokenizer_class === 'string' && tokenizer_class.startsWith('Gemma'),
    },
  };
}

import { quoted } from '../../../storage/errors.js';
import type { TokenizerDocument } from '../tokenizerDocument.js';
import type { Normalize } from './normalizers.js';

/** A token that is found in the text as it stands, before anything is cut. */
export interface AddedToken {
  readonly content: string;
  readonly id: number;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
}

/** A stretch of text, or the id of the added token that stands there. */
export type Section = string | number;

const WORD_CHARACTER = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WHITE_SPACE = /^\p{White_Space}$/u;

/**
 * The added tokens of a document with the ids that they have.
 * @throws an Error where the reference would give a token another id than the file does
 */
export function readAddedTokens(
  added: readonly TokenizerDocument[],
  vocabulary: ReadonlyMap<string, number>,
): AddedToken[] {
  const tokens: AddedToken[] = [];
  const seen = new Set<string>();
  let next = vocabulary.size;
  for (const entry of added) {
    const content = entry.content as string;
    if (seen.has(content)) continue;
    seen.add(content);
    // As the reference numbers them, which warns of a difference and goes on.
    const id = vocabulary.get(content) ?? next;
    next = Math.max(next, id + 1);
    if (id !== entry.id) {
      throw new Error(
        `"added_tokens": ${quoted(content)} has id ${String(entry.id)} in the file but gets ${id} from its place behind the vocabulary`,
      );
    }
    const { single_word, lstrip, rstrip, special, normalized } = entry;
    tokens.push({
      content,
      id,
      single_word: single_word === true,
      lstrip: lstrip === true,
      rstrip: rstrip === true,
      normalized: (normalized ?? special !== true) === true,
    });
  }
  return tokens;
}

interface Node {
  readonly next: Map<number, Node>;
  token?: AddedToken;
}

/** Finds added tokens: the leftmost, and of those the longest. */
export class AddedTokenFinder {
  private readonly root: Node = { next: new Map() };

  constructor(tokens: readonly AddedToken[], normalize?: Normalize) {
    for (const token of tokens) {
      const content = normalize ? normalize(token.content) : token.content;
      if (content === '') {
        throw new Error(
          `"added_tokens": nothing is left of ${quoted(token.content)} once normalized`,
        );
      }
      let node = this.root;
      for (let at = 0; at < content.length; at++) {
        const unit = content.charCodeAt(at);
        let next = node.next.get(unit);
        if (!next) node.next.set(unit, (next = { next: new Map() }));
        node = next;
      }
      if (node.token) {
        const both = `${quoted(node.token.content)} and ${quoted(token.content)}`;
        throw new Error(`"added_tokens": ${both} are the same once normalized`);
      }
      node.token = token;
    }
  }

  /** The longest token at a place, and its length. */
  private tokenAt(text: string, begin: number): [AddedToken, number] | undefined {
    let node: Node | undefined = this.root;
    let found: [AddedToken, number] | undefined;
    for (let at = begin; at < text.length; at++) {
      node = node.next.get(text.charCodeAt(at));
      if (!node) break;
      if (node.token) found = [node.token, at + 1 - begin];
    }
    return found;
  }

  /** Cuts a text at the added tokens; white space that a token takes goes with it. */
  *split(text: string): Generator<{ readonly section: Section; readonly begin: number }> {
    let done = 0;
    if (this.root.next.size > 0) {
      for (let at = 0; at < text.length;) {
        const found = this.tokenAt(text, at);
        if (!found) {
          at++;
          continue;
        }
        const [token, length] = found;
        let begin = at;
        let end = at + length;
        at = end;
        if (token.single_word && (isWordBefore(text, begin) || isWordAt(text, end))) continue;
        while (token.lstrip && begin > done && WHITE_SPACE.test(text[begin - 1])) begin--;
        while (token.rstrip && end < text.length && WHITE_SPACE.test(text[end])) end++;
        if (done < begin) yield { section: text.slice(done, begin), begin: done };
        yield { section: token.id, begin };
        done = end;
      }
    }
    if (done < text.length) yield { section: text.slice(done), begin: done };
  }
}

function isWordAt(text: string, at: number): boolean {
  const code = text.codePointAt(at);
  return code !== undefined && WORD_CHARACTER.test(String.fromCodePoint(code));
}

function isWordBefore(text: string, at: number): boolean {
  if (at === 0) return false;
  const low = text.charCodeAt(at - 1);
  const isPair = low >= 0xdc00 && low <= 0xdfff && at > 1;
  return isWordAt(text, isPair ? at - 2 : at - 1);
}

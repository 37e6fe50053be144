import { CheckpointError } from './errors.js';

/** What is read of a file that is read whole. */
export interface SizeLimit {
  /** What the file is, with its article. */
  readonly what: string;
  readonly maxBytes: number;
  /** What to do about a larger one. */
  readonly advice: string;
}

const MEBIBYTE = 1024 * 1024;
const WRONG_FILE = 'this is another file, or a damaged one';

/**
 * The files that are read whole, beside those of weights. Each bound is several times what is
 * published, and small enough that reading and parsing take seconds.
 */
export const WHOLE_FILES = Object.freeze({
  /** A few kilobytes, everywhere. */
  configuration: { what: 'a configuration', maxBytes: 16 * MEBIBYTE, advice: WRONG_FILE },
  /** The largest published vocabularies take some 35 MB. */
  tokenizer: { what: 'a tokenizer', maxBytes: 256 * MEBIBYTE, advice: WRONG_FILE },
  tokenizerConfiguration: {
    what: 'the configuration of a tokenizer',
    maxBytes: 64 * MEBIBYTE,
    advice: WRONG_FILE,
  },
  vocabulary: { what: 'a vocabulary', maxBytes: 64 * MEBIBYTE, advice: WRONG_FILE },
  merges: { what: 'a list of merges', maxBytes: 64 * MEBIBYTE, advice: WRONG_FILE },
  specialTokens: { what: 'a map of special tokens', maxBytes: 16 * MEBIBYTE, advice: WRONG_FILE },
  /** The bound of a header, which names the same tensors. */
  shardIndex: { what: 'an index of shards', maxBytes: 100_000_000, advice: WRONG_FILE },
  /** A token takes some 200 bytes on its way, and the tokenizing thread has 4 GB. */
  streamText: {
    what: 'a text that is tokenized as one stream',
    maxBytes: 64 * MEBIBYTE,
    advice: 'take a part of it, or score it document by document',
  },
  /** Documents are tokenized one after the other; a string has at most 512 million characters. */
  documentsText: {
    what: 'a text of documents',
    maxBytes: 256 * MEBIBYTE,
    advice: 'take a part of it',
  },
  /** Some six million ids, parsed in about a second. */
  tokenIds: {
    what: 'a list of token ids',
    maxBytes: 32 * MEBIBYTE,
    advice: 'score it in several parts',
  },
  /** Two numbers for each input of a linear map at most, for each expert: those of the largest models take 1 GB. */
  importanceMatrix: { what: 'an importance matrix', maxBytes: 2048 * MEBIBYTE, advice: WRONG_FILE },
  comparison: {
    what: 'a comparison of formats',
    maxBytes: 256 * MEBIBYTE,
    advice: 'run it again',
  },
  /** Some 100 bytes for each tensor. */
  recipe: { what: 'a recipe', maxBytes: 64 * MEBIBYTE, advice: WRONG_FILE },
  scores: { what: 'a file of scores', maxBytes: 256 * MEBIBYTE, advice: 'remove it' },
} satisfies Record<string, SizeLimit>);

/** @throws CheckpointError FileTooLarge where a file of `bytes` bytes is over the limit */
export function refuseLarger(file: string, bytes: number, limit: SizeLimit): void {
  const { what, maxBytes, advice } = limit;
  if (bytes <= maxBytes) return;
  const size = bytes === maxBytes + 1 ? `more than ${maxBytes} bytes` : `${bytes} bytes`;
  const detail = `${size}, where ${what} may have ${maxBytes} at most; ${advice}`;
  throw new CheckpointError(file, '', 'FileTooLarge', detail);
}

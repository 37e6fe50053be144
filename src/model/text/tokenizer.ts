import type { OpenedModel } from '../../checkpoint/types.js';
import type { Host } from '../../host/host.js';
import { makeCancelledError } from '../../rpc/rpc.js';
import { visible } from '../../storage/errors.js';
import type { BosFacts } from './specialTokens.js';
import { readTokenizerFiles, TokenizerError } from './tokenizerFiles.js';
import type { TokenizerApi, TokenizerReply } from './tokenizerApi.js';

/** Memory of the tokenizing thread: a token takes some 200 bytes there on its way. */
const THREAD = {
  description: 'The tokenizing thread',
  maxOldGenerationMB: 4096,
  stackMB: 64,
};

/**
 * How long tokenizing may take. `tokenizer.json` brings regular expressions of its own, and some never
 * finish. Nothing else is meant to reach the limit: where twelve programs share two processors, the
 * sample's text takes a sixtieth of it, and megabytes a twentieth.
 */
const LIMIT = {
  seconds: 60,
  secondsPerMillionCharacters: 60,
  /** What a text costs beside its characters, in characters. */
  charactersPerText: 20,
};

/** Seconds after which texts are given up. */
function limitFor(texts: readonly string[]): number {
  const { seconds, secondsPerMillionCharacters, charactersPerText } = LIMIT;
  const characters = texts.reduce((sum, { length }) => sum + length + charactersPerText, 0);
  return Math.ceil(seconds + (secondsPerMillionCharacters * characters) / 1e6);
}

/** Problems quote the text, which may be one long word. */
const MAX_PROBLEM_CHARACTERS = 200;

export interface TokenizeOptions {
  readonly signal?: AbortSignal;
  /** After this the tokenizer is given up; default: what grows with the texts. */
  readonly limitSeconds?: number;
  /** The model's, which tells the tokenizer where no configuration of it does. */
  readonly modelType?: string;
}

/** Ids of each text, and what the tokenizer says of BOS. */
export interface Tokenized {
  readonly ids: readonly Int32Array[];
  readonly bos: BosFacts;
}

/**
 * Token ids of texts by a model folder's `tokenizer.json`, or GPT-2's two files, with the special tokens
 * that it adds itself. Runs in a thread of its own, which is ended when it takes too long.
 * @param texts each is tokenized by itself
 * @returns one list of ids per text, and more
 * @throws an Error of one line that names the file at fault; an AbortError when cancelled
 */
export async function tokenize(
  host: Host,
  { folder, fileSystem }: Pick<OpenedModel, 'folder' | 'fileSystem'>,
  texts: readonly string[],
  { signal, limitSeconds = limitFor(texts), modelType }: TokenizeOptions = {},
): Promise<Tokenized> {
  const { files, contents } = await readTokenizerFiles(folder, fileSystem, modelType);
  const request = { ...contents, texts };
  if (signal?.aborted) throw makeCancelledError();
  const thread = host.startThread<TokenizerApi>('tokenizerWorker.js', null, THREAD);
  const limit = AbortSignal.timeout(limitSeconds * 1000);
  const givenUp = signal ? AbortSignal.any([signal, limit]) : limit;
  let reply: TokenizerReply;
  try {
    const call = thread.remote.tokenize(request, { signal });
    reply = await untilAborted(thread.whileAlive(call), givenUp);
  } catch (error) {
    if (limit.aborted && !signal?.aborted) {
      throw new TokenizerError(
        `${visible(files.tokenizer)}: its expressions did not finish within ${limitSeconds} seconds on this text`,
      );
    }
    const { code } = ((error as Error).cause ?? {}) as { code?: unknown };
    if (code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error;
    const message = `${visible(files.tokenizer)}: the text is too long to be tokenized at once`;
    throw new Error(message, { cause: error });
  } finally {
    // What it is in the midst of may take long to leave: nobody waits for a thread that was given up.
    const ended = thread.terminate();
    if (!givenUp.aborted) await ended;
  }
  if ('ids' in reply) return { ids: reply.ids, bos: reply.bos };
  const problem = visible(reply.problem.slice(0, MAX_PROBLEM_CHARACTERS).split('\n', 1)[0]);
  throw new Error(
    `${visible(files[reply.file])}: this is no tokenizer that can be used: ${problem}`,
  );
}

/** Rejects as soon as the signal is aborted: a thread that computes hears of nothing. */
async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  work.catch(() => undefined);
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(makeCancelledError());
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

// Entry point of the thread that tokenizes: a large vocabulary and a long text take seconds, and the
// host must answer meanwhile. It lives for one request.
import { readFile } from 'node:fs/promises';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { textEncoder, type TokenizerDocument } from './textEncoder.js';

export interface TokenizerStart {
  readonly tokenizerFile: string;
  /** Absent where the model has no `tokenizer_config.json`. */
  readonly configurationFile?: string;
  readonly texts: readonly string[];
}

/** Ids of each text, or what is wrong with which file. */
export type TokenizerReply =
  | { readonly ids: readonly Int32Array<ArrayBuffer>[] }
  | { readonly file: string; readonly problem: string };

async function start(port: MessagePort, request: TokenizerStart): Promise<void> {
  let file = request.tokenizerFile;
  const read = async (path: string) => {
    file = path;
    return JSON.parse(await readFile(path, 'utf8')) as TokenizerDocument;
  };
  try {
    const configuration = request.configurationFile ? await read(request.configurationFile) : {};
    const encode = textEncoder(await read(request.tokenizerFile), configuration);
    const ids = request.texts.map((text) => encode(text) as Int32Array<ArrayBuffer>);
    const buffers = ids.map(({ buffer }) => buffer);
    port.postMessage({ ids } satisfies TokenizerReply, buffers);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    port.postMessage({ file, problem } satisfies TokenizerReply);
  }
}

if (parentPort) void start(parentPort, workerData as TokenizerStart);

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../../../checkpoint/jsonText.js';
import { tokenize } from '../../../model/text/tokenizer.js';
import type { LanguageModel } from '../../../model/evaluation/types.js';
import {
  chooseContext,
  cutDocumentWindows,
  splitDocuments,
  cutStreamWindows,
  readTokenIdWindows,
  WindowError,
  type Windows,
} from '../../../model/text/windows.js';
import type { Host } from '../../../host/host.js';
import type { TextRequest } from '../measurement.js';
import { describeSystemError, visible } from '../../../storage/errors.js';

export interface EvaluationText {
  readonly windows: Windows;
  /** Path of the file that was read. */
  readonly source: string;
  /** True for the text that comes with Quantscope. */
  readonly bundled: boolean;
}

const OWN_TEXT = 'eval.txt';
/** More characters than this do not fit into one string. */
const MAX_BYTES = 500 * 1024 * 1024;

async function readText(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    if ((await stat(path)).size > MAX_BYTES) throw new Error('the file is over 500 MB');
    bytes = await readFile(path);
  } catch (error) {
    throw new Error(`${visible(path)}: ${describeSystemError(error)}`, { cause: error });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Error(`${visible(path)}: this is not UTF-8 text`, { cause: error });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** A model folder's own text, if there is one. */
export async function findOwnTextFile(folder: string): Promise<string | undefined> {
  const path = join(folder, OWN_TEXT);
  return (await exists(path)) ? path : undefined;
}

async function readTokenIds(path: string): Promise<unknown> {
  const text = await readText(path);
  try {
    return parseJson(text);
  } catch (error) {
    throw new Error(`${visible(path)}: ${describeSystemError(error)}`, {
      cause: error,
    });
  }
}

/**
 * The windows that a request asks for.
 * @throws an Error of one line that names the file at fault; an AbortError when cancelled
 */
export async function readWindows(
  host: Host,
  { opened, plan }: LanguageModel,
  request: TextRequest,
  signal?: AbortSignal,
): Promise<EvaluationText> {
  const { textFile, tokenIdsFile, perDocument } = request;
  const bundledText = host.assets.path('sample text');
  const own = await findOwnTextFile(opened.folder);
  const source = tokenIdsFile ?? textFile ?? own ?? bundledText;
  // The sample's own text is the bundled one; there it belongs to the model.
  const bundled = source === bundledText && source !== own;
  try {
    // Before anything is read: it costs nothing and needs no tokenizer.
    chooseContext(request, plan);
    if (tokenIdsFile) {
      const windows = readTokenIdWindows(await readTokenIds(source), request, plan);
      return { windows, source, bundled };
    }
    const text = await readText(source);
    const texts = perDocument === undefined ? [text] : splitDocuments(text, perDocument);
    if (texts.length === 0) throw new WindowError('there is no document in the text');
    const ids = await tokenize(host, opened, texts, { signal });
    const windows =
      perDocument === undefined
        ? cutStreamWindows(ids[0], request, plan)
        : cutDocumentWindows(ids, request, plan);
    return { windows, source, bundled };
  } catch (error) {
    if (!(error instanceof WindowError)) throw error;
    throw new Error(`${visible(source)}: ${error.message}`, { cause: error });
  }
}

import type { FuzzTarget } from '../target.js';
import { commandLine } from './commandLine.js';
import { configFile } from './config.js';
import { folder } from './folder.js';
import { foreign } from './foreign.js';
import { formats } from './formats.js';
import { ggufFile } from './ggufFile.js';
import { ggufTokenizer } from './ggufTokenizer.js';
import { header } from './header.js';
import { imatrix } from './imatrix.js';
import { layout } from './layout.js';
import { names } from './names.js';
import { pageArguments } from './pageArguments.js';
import { plan } from './plan.js';
import { recipe } from './recipe.js';
import { rpc, wireNumbers } from './rpc.js';
import { scores } from './scores.js';
import { sentencePiece } from './sentencePiece.js';
import { shardIndex } from './shardIndex.js';
import { storedWeights } from './storedWeights.js';
import { tekken } from './tekken.js';
import { tokenizer } from './tokenizer.js';
import { text, tokenIds } from './windows.js';
import { wordPieces } from './wordPieces.js';

/** One target per reader. */
export const TARGETS: readonly FuzzTarget[] = [
  header,
  shardIndex,
  folder,
  configFile,
  plan,
  tokenizer,
  text,
  tokenIds,
  scores,
  names,
  formats,
  commandLine,
  ggufFile,
  ggufTokenizer,
  imatrix,
  recipe,
  sentencePiece,
  tekken,
  storedWeights,
  wordPieces,
  layout,
  foreign,
  pageArguments,
  rpc,
  wireNumbers,
];

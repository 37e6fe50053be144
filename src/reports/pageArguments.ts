import {
  anything,
  bytes,
  either,
  fields,
  list,
  nothing,
  oneOf,
  optional,
  text,
  wholeNumber,
} from '../rpc/schema.js';
import { wireMessage } from '../rpc/wire.js';
import { MAX_DROPPED_CHARACTERS } from './pageLimits.js';

/** Longer than any name that a model's author means. */
const MAX_NAME_CHARACTERS = 65_536;
const MAX_TENSORS = 1_000_000;
const MAX_URI_CHARACTERS = 32_768;
/** Tables and messages, for the clipboard. */
const MAX_COPIED_CHARACTERS = 16 * 1024 * 1024;
const MAX_IMAGE_BYTES = 64 * 1024 * 1024;
const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** More columns or bins than a screen has pixels. */
const MAX_DRAWN = 16_384;
const MAX_GROUP_SIZE = 999_999_999;
const MAX_REASON_CHARACTERS = 1024;

const name = text(MAX_NAME_CHARACTERS);
const groupSize = wholeNumber(0, MAX_GROUP_SIZE);
const groups = wholeNumber(0, Number.MAX_SAFE_INTEGER);
const copied = fields({ text: text(MAX_COPIED_CHARACTERS) });

/** A text that was dropped on a page: where it is, or, from outside of VS Code, what it holds. */
const droppedText = either(
  fields({ uri: text(MAX_URI_CHARACTERS) }),
  fields({ name, content: text(MAX_DROPPED_CHARACTERS) }),
);

/**
 * Whether windows begin with BOS: as the model's family needs it, each of them, or where the tokenizer puts it
 * (`--bos-every-window`, `--no-bos-every-window`).
 */
const bosChoice = oneOf('default', 'every', 'tokenizer');

/**
 * What the page of a safetensors editor may send. Pages show what strangers wrote: what they send is
 * checked before anything is done.
 */
export const editorArguments = {
  open: nothing,
  tensorDetails: fields({ tensor: name, bins: wholeNumber(1, MAX_DRAWN) }),
  groupRanges: fields({
    tensor: name,
    /** Columns per group; 0 for whole rows. */
    groupSize,
    /** Groups to show; the whole tensor where absent. */
    firstGroup: optional(groups),
    shownGroups: optional(groups),
    /** At most this many columns come back. */
    maxColumns: wholeNumber(1, MAX_DRAWN),
  }),
  quantizeLayer: fields({ tensors: list(name, MAX_TENSORS), label: name }),
  copyText: copied,
  setGroupSize: fields({ groupSize }),
  reload: nothing,
  openWholeModel: nothing,
  checkIntegrity: nothing,
  cancelCheck: nothing,
  copyFindings: nothing,
  saveFindings: nothing,
};

/** What a row of an editor's page says of itself to the commands of its context menu. */
export const menuContext = fields({
  /** Whose menu it is; VS Code's own word, which a page cannot change. */
  webview: name,
  tensor: optional(name),
  tensors: optional(list(name, MAX_TENSORS)),
  layer: optional(name),
  // For the menu alone.
  webviewSection: optional(anything),
  quantizable: optional(anything),
  preventDefaultContextMenuItems: optional(anything),
});

const worker = wholeNumber(1, Number.MAX_SAFE_INTEGER);

/**
 * What a page may send whose worker has the GPU. Of a message that is passed on, only the form is checked here:
 * what it asks for has a schema where it is answered (`compute/webgpu/node/connectGpu.ts`).
 */
export const gpuPageArguments = {
  receiveFromGpu: fields({ worker, message: wireMessage }),
  gpuEnded: fields({ worker, reason: text(MAX_REASON_CHARACTERS) }),
};

/** What a comparison page may send. */
export const comparisonArguments = {
  ...gpuPageArguments,
  open: nothing,
  cancel: nothing,
  measurePerplexity: fields({ text: optional(droppedText) }),
  addFormats: nothing,
  removeFormat: fields({ format: name }),
  moveFormat: fields({ format: name, to: wholeNumber(0, MAX_TENSORS) }),
  chooseBos: fields({ bos: bosChoice }),
  runAgain: nothing,
  copyCsv: nothing,
  saveJson: nothing,
  saveHtml: nothing,
  copyText: copied,
  savePng: fields({ name, png: bytes(MAX_IMAGE_BYTES, PNG_SIGNATURE) }),
  revealTensor: fields({ tensor: name }),
};

import { quoted } from '../storage/errors.js';
import { recognizePlaceholder } from '../storage/placeholders.js';

/** Bytes of a file's beginning that are enough to recognize it. */
const SNIFF_BYTES = 4096;

/** Formats that begin with fixed bytes (latin-1). */
const SIGNATURES: readonly (readonly [signature: string, what: string])[] = [
  ['GGUF', 'a GGUF file'],
  ['tjgg', 'a GGML file (the format before GGUF)'],
  ['fmgg', 'a GGML file (the format before GGUF)'],
  ['lmgg', 'a GGML file (the format before GGUF)'],
  ['\x89HDF\r\n\x1a\n', 'an HDF5 file (Keras .h5)'],
  ['\x93NUMPY', 'a NumPy .npy file'],
  ['\x1f\x8b', 'a gzip archive: unpack it first'],
  ['\x28\xb5\x2f\xfd', 'a Zstandard archive: unpack it first'],
  ['\xfd7zXZ\x00', 'an xz archive: unpack it first'],
  ['7z\xbc\xaf\x27\x1c', 'a 7-Zip archive: unpack it first'],
  ['BZh', 'a bzip2 archive: unpack it first'],
  ['%PDF-', 'a PDF document'],
];

/**
 * What a file that is no safetensors file really is, as the end of the sentence "this is …".
 * @param start the file's beginning, {@link SNIFF_BYTES} long where the file has that many
 * @returns undefined when nothing is recognized
 */
export function recognizeForeign(start: Uint8Array): string | undefined {
  const text = latin1(start);
  if (text === '') return undefined;
  const placeholder = recognizePlaceholder(start);
  if (placeholder !== undefined) return placeholder;
  if (text.startsWith('PK\x03\x04')) return zipArchive(text);
  for (const [signature, what] of SIGNATURES) if (text.startsWith(signature)) return what;
  if (start[0] === 0x80 && start[1] >= 2 && start[1] <= 5) return pickle(text);
  if (text.slice(257, 262) === 'ustar') return 'a tar archive: unpack it first';
  if (text.slice(4, 8) === 'TFL3') return 'a TensorFlow Lite model';
  if (start.every((byte) => byte === 0)) {
    return 'a file filled with zeros: a download that was set up but not filled, or a damaged disk';
  }
  return textual(text);
}

/** Bytes as characters of the same numbers. */
function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let done = 0; done < bytes.length; done += SNIFF_BYTES) {
    text += String.fromCharCode(...bytes.subarray(done, done + SNIFF_BYTES));
  }
  return text;
}

function zipArchive(text: string): string {
  if (text.includes('data.pkl')) return 'a PyTorch checkpoint (zip): convert it to safetensors';
  if (/\.npy\b/.test(text)) return 'a NumPy .npz archive';
  return 'a zip archive (PyTorch checkpoints are such): convert or unpack it first';
}

function pickle(text: string): string {
  // The magic number that torch.save wrote before it turned to zip files.
  if (text.includes('\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19')) {
    return 'a PyTorch checkpoint (pickle, the old form): convert it to safetensors';
  }
  return 'a Python pickle: convert it to safetensors';
}

function textual(text: string): string | undefined {
  const body = text.replace(/^(?:\xef\xbb\xbf)?\s+/, '').replace(/^\xef\xbb\xbf/, '');
  if (/^<(?:!doctype html|html|head|body)\b/i.test(body)) {
    return 'a web page (HTML): the download fetched a page instead of the file';
  }
  if (/^<(?:\?xml|[a-z])/i.test(body)) return 'an XML document: probably an error answer';
  if (/^\{\s*["}]/.test(body)) return 'a JSON text, not a safetensors file';
  if (/^[\s\x21-\x7e]+$/.test(text)) {
    const firstLine = body.split(/[\r\n]/, 1)[0].slice(0, 60);
    return `plain text, beginning ${quoted(firstLine)}`;
  }
  return undefined;
}

import { CheckpointError, quoted } from './errors.js';

/** Such files are some 130 bytes long; Git LFS allows 1,024. */
const MAX_BYTES = 1024;

/** What pointers of Git LFS begin with, those of its first name included. */
const LFS = ['version https://git-lfs.github.com/spec/', 'version https://hawser.github.com/spec/'];

/**
 * What a file is that stands for another, which was not fetched, as the end of the sentence "this is …".
 * @param start the file, or its beginning
 * @returns undefined where it is anything else
 */
export function recognizePlaceholder(start: Uint8Array): string | undefined {
  const text = new TextDecoder('latin1').decode(start.subarray(0, MAX_BYTES));
  const bare = text.startsWith('\xef\xbb\xbf') ? text.slice(3) : text;
  if (LFS.some((begin) => bare.startsWith(begin))) {
    return `a Git LFS pointer, not the file itself: run "git lfs pull" to fetch the file${sizeOf(bare)}`;
  }
  if (bare.startsWith('# xet version ')) {
    return 'a pointer of Xet storage, not the file itself: download the file';
  }
  if (bare.startsWith('/annex/objects/') || bare.includes('.git/annex/objects/')) {
    return 'a git-annex pointer, not the file itself: run "git annex get" to fetch the file';
  }
  if (start.length < MAX_BYTES && isLinkText(bare)) {
    return `the text of a link to ${quoted(bare.trim())}, not the file itself: it was copied without what it leads to`;
  }
  return undefined;
}

/** @throws CheckpointError NotDownloaded where a file that was read stands for another */
export function refusePlaceholder(file: string, bytes: Uint8Array): void {
  if (bytes.length > MAX_BYTES) return;
  const what = recognizePlaceholder(bytes);
  if (what !== undefined) {
    throw new CheckpointError(file, '', 'NotDownloaded', `this is ${what}`);
  }
}

/** The pointer names the size of the real file; saying it tells the user what to expect. */
function sizeOf(pointer: string): string {
  const size = /^size (\d{1,15})$/m.exec(pointer);
  return size ? ` of ${size[1]} bytes` : '';
}

/** True for one path that leads up and down again, as links of model caches do: "../../blobs/0123". */
function isLinkText(text: string): boolean {
  const path = text.trim();
  return path.startsWith('../') && path.includes('/blobs/') && !/\s/.test(path);
}

/** Names that files have in every model's folder. */
const COMMON_NAME = /^(model|consolidated)\b/;
/** The Hugging Face cache: models--OWNER--NAME/snapshots/REVISION. */
const CACHED = /(?:^|\/)models--([^/]+)\/snapshots\/[^/]+$/;

/**
 * What a model is called in titles: its file, after its folder where the file's name tells nothing,
 * and the folder alone for an index of shards. In the Hugging Face cache the folder is OWNER/NAME.
 * @param path of the file, with slashes
 */
export function makeModelTitle(path: string): string {
  const end = path.lastIndexOf('/');
  const [place, file] = [path.slice(0, Math.max(end, 0)), path.slice(end + 1)];
  const cached = CACHED.exec(place)?.[1].replaceAll('--', '/');
  const folder = cached ?? place.slice(place.lastIndexOf('/') + 1);
  if (folder === '' || folder.endsWith(':')) return file;
  if (file.endsWith('.index.json')) return folder;
  return COMMON_NAME.test(file) ? `${folder}/${file}` : file;
}

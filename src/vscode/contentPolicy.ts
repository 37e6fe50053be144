/**
 * The content security policy of a page: it runs the one script that has the nonce, loads styles and
 * fonts of its own folder, and speaks to nobody. Charts are exported as PNG from blob: and data: images.
 * @param source where the page's own folder is served from
 * @param nonce new for each page
 * @param options whether the page starts workers, of programs that the extension host sends it; they are under
 *   the same policy
 */
export function makeContentPolicy(
  source: string,
  nonce: string,
  { startsWorkers = false }: { readonly startsWorkers?: boolean } = {},
): string {
  return [
    // Connections, workers, frames, objects, media and whatever else there will be.
    `default-src 'none'`,
    `img-src ${source} blob: data:`,
    `style-src ${source}`,
    `font-src ${source}`,
    `script-src 'nonce-${nonce}'`,
    ...(startsWorkers ? ['worker-src blob:'] : []),
    // These do not fall back to default-src.
    `form-action 'none'`,
    `base-uri 'none'`,
  ].join('; ');
}

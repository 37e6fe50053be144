/**
 * F6 goes round the regions of a page, Escape back to the first.
 * @param regions in the order of F6; those that are not there are passed over
 */
export function onRegionKey(event: KeyboardEvent, regions: readonly (HTMLElement | null)[]): void {
  const shown = regions.filter((region) => region !== null);
  const at = shown.findIndex((region) => region.contains(document.activeElement));
  // From outside of all, F6 goes where something is read.
  const next = at < 0 ? 1 : (at + 1) % shown.length;
  if (event.key === 'Escape' && at > 0) shown[0].focus();
  else if (event.key === 'F6') shown[next]?.focus();
  else return;
  event.preventDefault();
}

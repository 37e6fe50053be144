import { visible } from '../storage/errors.js';

/** What to know about formats' figures; what holds for every format is said once. */
export function formatNotes(
  formats: readonly { readonly id: string; readonly notes: readonly string[] }[],
): string {
  const idsByNote = new Map<string, string[]>();
  for (const { id, notes } of formats) {
    for (const note of notes) idsByNote.set(note, [...(idsByNote.get(note) ?? []), id]);
  }
  const lines = [...idsByNote].map(([note, ids]) => {
    const about = ids.length === formats.length && ids.length > 1 ? '' : `${ids.join(', ')}: `;
    return `${about}${visible(note)}\n`;
  });
  return lines.length > 0 ? `\n${lines.join('')}` : '';
}

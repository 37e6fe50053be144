import type { Finding } from './checkReport.js';
import { formatCsv } from './csv.js';
import { formatJsonParts } from './jsonParts.js';

/** Findings as CSV: a line each, in their order. */
export function formatFindingsCsv(findings: readonly Finding[]): string {
  return formatCsv([
    ['severity', 'finding', 'file', 'tensor', 'message', 'source'],
    ...findings.map(({ severity, id, file, tensor = '', message, source }) => [
      ...[severity, id, file],
      ...[tensor, message, source],
    ]),
  ]);
}

/** Findings as JSON, in parts: `{ "findings": [ … ] }`. */
export function formatFindingsJson(findings: readonly Finding[]): Iterable<string> {
  return formatJsonParts({ findings });
}

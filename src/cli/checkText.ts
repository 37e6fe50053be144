import type { Finding } from '../jobs/check/check.js';
import { visible } from '../storage/errors.js';
import { shorten } from '../storage/shorten.js';
import { showName } from './shownNames.js';
import { formatTable, type Column } from './tables.js';

/** Characters of a message that are shown; names within are shortened before. */
const MAX_MESSAGE = 600;

const COLUMNS: readonly Column[] = [
  { title: 'Severity', align: 'left' },
  { title: 'Finding', align: 'left' },
  { title: 'Tensor', align: 'left' },
  { title: 'What was found', align: 'left' },
];

function count(findings: readonly Finding[], severity: Finding['severity'], word: string): string {
  const found = findings.filter((finding) => finding.severity === severity).length;
  return `${found} ${word}${found === 1 ? '' : 's'}`;
}

/** What a check found, for people at a terminal, and where such faults were reported. */
export function formatFindings(path: string, findings: readonly Finding[]): string {
  const title = shorten(path, MAX_MESSAGE, visible);
  if (findings.length === 0) return `${title}\nnothing was found\n`;
  const rows = findings.map(({ severity, id, tensor, file, message }) => [
    severity,
    id,
    showName(tensor ?? file),
    shorten(message, MAX_MESSAGE, visible),
  ]);
  const counts = [
    count(findings, 'error', 'error'),
    count(findings, 'warning', 'warning'),
    count(findings, 'info', 'note'),
  ];
  const sources = new Map(findings.map(({ id, source }) => [id, source]));
  const reports = [...sources].map(([id, source]) => [id, source]);
  const reported: readonly Column[] = [
    { title: 'Finding', align: 'left' },
    { title: 'Reported at', align: 'left' },
  ];
  return `${title}\n${counts.join(', ')}\n\n${formatTable(COLUMNS, rows)}\n${formatTable(reported, reports)}`;
}

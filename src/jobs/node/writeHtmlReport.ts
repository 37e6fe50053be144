import type { Assets, Host, ReportFile } from '../../host/host.js';
import { renderHtmlReport, type ReportProgram } from '../../reports/htmlReport.js';
import type { ComparisonReport } from '../../reports/reports.js';
import { writeAtomically, type WriteOptions } from '../../storage/node/atomicFile.js';

/** Scripts and styles of a comparison in a file of its own, as they are shipped. */
export async function readReportProgram(assets: Assets): Promise<ReportProgram> {
  const read = async (name: ReportFile) => new TextDecoder().decode(await assets.read(name));
  return {
    hostScript: await read('report.js'),
    pageScript: await read('comparison.js'),
    pageStyles: await read('comparison.css'),
    themeStyles: await read('report.css'),
    chartStyles: await read('plotly.css'),
  };
}

/** What was quantized, for people. */
function describeScope({ formats }: ComparisonReport): string {
  const tensors = formats[0]?.tensors ?? [];
  return tensors.length === 1
    ? tensors[0].name
    : `${tensors.length.toLocaleString('en-US')} tensors`;
}

/**
 * Writes a comparison as one HTML file with its tables and charts, whole or not at all.
 * @throws CheckpointError WouldOverwriteInput or WriteFailed; an AbortError when cancelled
 */
export async function writeHtmlReport(
  { assets }: Pick<Host, 'assets'>,
  report: ComparisonReport,
  file: string,
  options: WriteOptions,
): Promise<void> {
  const program = await readReportProgram(assets);
  const text = await renderHtmlReport(report, describeScope(report), program);
  await writeAtomically(file, options, (append) => append(new TextEncoder().encode(text)));
}

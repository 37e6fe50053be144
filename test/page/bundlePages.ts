import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { ReportProgram } from '../../src/reports/htmlReport.js';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

let bundled: Promise<ReadonlyMap<string, Uint8Array>> | undefined;

/**
 * Bundles of both pages, and of the worker that has the GPU, by file name ("editor.js"), as the product's own build
 * makes them; made once for all files of tests.
 */
export function bundlePages(): Promise<ReadonlyMap<string, Uint8Array>> {
  return (bundled ??= bundle());
}

/** What a comparison in a file of its own is made of. */
export async function bundleReport(): Promise<ReportProgram> {
  const files = await bundlePages();
  const text = (name: string) => new TextDecoder().decode(files.get(name));
  return {
    hostScript: text('report.js'),
    pageScript: text('comparison.js'),
    pageStyles: text('comparison.css'),
    themeStyles: text('report.css'),
    chartStyles: text('plotly.css'),
  };
}

async function bundle(): Promise<ReadonlyMap<string, Uint8Array>> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'iife',
    target: ['chrome132'],
    entryPoints: {
      editor: 'webview/editor/main.ts',
      comparison: 'webview/comparison/main.ts',
      report: 'webview/report/main.ts',
      gpuWorker: 'src/workers/gpuPage.ts',
      plotly: 'webview/components/plotly.css',
    },
    outdir: 'dist/webview',
    define: { 'process.env.NODE_ENV': '"production"' },
    loader: { '.wgsl': 'text' },
    write: false,
    logLevel: 'error',
  });
  return new Map(outputFiles.map(({ path, contents }) => [path.split(/[\\/]/).at(-1)!, contents]));
}

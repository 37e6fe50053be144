// Writes docs/formats.md from the catalogue: npm run docs.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'quantscope-docs-'));
try {
  const outfile = join(folder, 'document.mjs');
  const entryPoints = [join(root, 'src/formats/document.ts')];
  await build({ entryPoints, outfile, bundle: true, format: 'esm', platform: 'node' });
  const { writeCatalogueDocument } = await import(pathToFileURL(outfile).href);
  mkdirSync(join(root, 'docs'), { recursive: true });
  writeFileSync(join(root, 'docs/formats.md'), writeCatalogueDocument());
} finally {
  rmSync(folder, { recursive: true, force: true });
}

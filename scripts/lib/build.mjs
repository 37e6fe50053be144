import fs from 'node:fs';
import path from 'node:path';
import { inRoot, outFolder } from './paths.mjs';
import { runNode, runTool } from './process.mjs';
import { step } from './terminal.mjs';

/** The packaged extension that scripts and tests install. */
export const vsixFile = path.join(outFolder, 'quantscope.vsix');

/** Bundles everything that ships into dist/. */
export async function build() {
  await step('Building', () => runNode(['esbuild.js', '--production'], { quiet: true }));
}

/**
 * Packages an extension that needs no build.
 * @param {string} folder
 * @param {string} file the VSIX to write
 */
async function packageVsix(folder, file) {
  await runTool(
    '@vscode/vsce/vsce',
    [
      'package',
      // Everything is bundled: nothing of node_modules ships.
      ...['--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links'],
      ...['--out', file],
    ],
    { cwd: folder, quiet: true },
  );
}

/**
 * Copies what .vscodeignore lets ship into a folder of its own. vsce could find it by itself, but
 * looks at every file of .vscode-test for it, which takes four times as long as all else.
 * @returns {string} the folder
 */
function stage() {
  const folder = path.join(outFolder, 'package');
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const patterns = fs
    .readFileSync(inRoot('.vscodeignore'), 'utf8')
    .split(/\r?\n/)
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1).replace('/**', '').replaceAll('.', '\\.').replaceAll('*', '.*'));
  const ships = new RegExp(`^(${patterns.join('|')})$`);
  const shipped = fs.readdirSync(inRoot()).filter((name) => ships.test(name));
  for (const name of [...shipped, '.vscodeignore']) {
    fs.cpSync(inRoot(name), path.join(folder, name), { recursive: true });
  }
  const manifest = JSON.parse(fs.readFileSync(inRoot('package.json'), 'utf8'));
  // Their sources are not here; the build has been done.
  delete manifest.scripts;
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  return folder;
}

/** Packages the extension as it was built. @returns {Promise<string>} the VSIX */
export async function packageExtension() {
  await step('Packaging the extension', () => packageVsix(stage(), vsixFile));
  return vsixFile;
}

/** Packages the helper that opens a model in a new window. @returns {Promise<string>} the VSIX */
export async function packageOpener() {
  const file = path.join(outFolder, 'opener.vsix');
  await packageVsix(inRoot('scripts', 'opener'), file);
  return file;
}

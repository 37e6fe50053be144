import fs from 'node:fs';
import path from 'node:path';
import { cacheFolder } from './paths.mjs';
import { npm } from './process.mjs';
import { step, UserError } from './terminal.mjs';

/** VS Code 1.139.1 as a web server, the same workbench and extension host as the desktop's. */
const VERSION = process.env.QUANTSCOPE_CODE_SERVER ?? '4.139.1';
/** code-server from 4.101 on wants this Node; it comes as an npm package for these platforms. */
const NODE_VERSION = '24.21.0';
const NODE_PACKAGES = ['linux-x64', 'linux-arm64'];
const NODE_MAJOR = Number(NODE_VERSION.split('.')[0]);

/**
 * @typedef {object} CodeServerInstall
 * @property {string} node Node program to start it with
 * @property {string} entry its main script
 * @property {boolean} hasVscodeOption whether it knows `--vscode-option`
 */

/** The oldest supported VS Code (1.100) is code-server 4.100, which runs on Node 20. */
const needsNewerNode = Number(VERSION.split('.')[1]) > 100;

function nodePackage() {
  if (!needsNewerNode) return undefined;
  const platform = `${process.platform}-${process.arch}`;
  if (NODE_PACKAGES.includes(platform)) return `node-${platform}`;
  if (Number(process.versions.node.split('.')[0]) === NODE_MAJOR) return undefined;
  throw new UserError(
    `VS Code for the browser needs Node ${NODE_MAJOR} on ${platform}. Run this with Node ${NODE_MAJOR}, ` +
      'or install desktop VS Code with its `code` command on the PATH.',
  );
}

/** @param {string} folder @returns {CodeServerInstall} */
function describe(folder) {
  const modules = path.join(folder, 'node_modules');
  const packaged = nodePackage();
  return {
    node: packaged ? path.join(modules, packaged, 'bin', 'node') : process.execPath,
    entry: path.join(modules, 'code-server', 'out', 'node', 'entry.js'),
    hasVscodeOption: needsNewerNode,
  };
}

/** Removes what interrupted installs left behind. @param {string} prefix */
function removeLeftovers(prefix) {
  for (const name of fs.readdirSync(cacheFolder)) {
    if (!name.startsWith(prefix)) continue;
    try {
      process.kill(Number(name.slice(prefix.length)), 0);
    } catch {
      fs.rmSync(path.join(cacheFolder, name), { recursive: true, force: true });
    }
  }
}

/** @param {string} folder */
async function install(folder) {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  fs.writeFileSync(path.join(folder, '.npmrc'), 'audit=false\nfund=false\n');
  const packages = [`code-server@${VERSION}`];
  const packagedNode = nodePackage();
  if (packagedNode) packages.push(`${packagedNode}@${NODE_VERSION}`);
  // No package's install script is needed (and newer npm would not run them unasked): everything
  // native arrives prebuilt, save two modules that VS Code does without.
  await npm(['install', '--ignore-scripts', ...packages], { cwd: folder });
  const vscode = path.join(folder, 'node_modules/code-server/lib/vscode');
  await npm(['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: vscode,
  });
  if (!needsNewerNode) await npm(['rebuild', 'argon2'], { cwd: folder });
}

/**
 * Installs VS Code for the browser into the cache folder, once.
 * The folder gets its name only when all is in place, so an interrupted install is done again.
 * @returns {Promise<CodeServerInstall>}
 */
export async function ensureCodeServer() {
  if (process.platform === 'win32') {
    throw new UserError(
      'Install VS Code and put its `code` command on the PATH: VS Code for the browser does not run on Windows.',
    );
  }
  const name = `code-server-${VERSION}-${process.platform}-${process.arch}`;
  const folder = path.join(cacheFolder, name);
  if (fs.existsSync(folder)) return describe(folder);
  fs.mkdirSync(cacheFolder, { recursive: true });
  const prefix = `${name}.partial-`;
  removeLeftovers(prefix);
  const partial = path.join(cacheFolder, `${prefix}${process.pid}`);
  await step(`Installing VS Code for the browser (code-server ${VERSION}, about 600 MB)`, () =>
    install(partial),
  );
  try {
    fs.renameSync(partial, folder);
  } catch (error) {
    // Another run installed it in the meantime.
    if (!fs.existsSync(folder)) throw error;
    fs.rmSync(partial, { recursive: true, force: true });
  }
  return describe(folder);
}

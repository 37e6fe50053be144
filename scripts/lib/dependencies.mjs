import fs from 'node:fs';
import { inRoot } from './paths.mjs';
import { npm } from './process.mjs';
import { step, UserError } from './terminal.mjs';

const OLDEST_NODE = [20, 19];

/** Throws where this Node is too old for the project's tools. */
export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new UserError(
    `Node ${OLDEST_NODE.join('.')} or newer is needed, this is ${process.versions.node}: https://nodejs.org`,
  );
}

/** @param {string} file @returns {Record<string, any> | undefined} */
function packagesOf(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * Whether node_modules holds what the lock file asks for. npm writes its own record last, so an
 * interrupted install counts as none; comparing contents, a fresh checkout of the same lock file
 * does not reinstall.
 */
export function dependenciesAreInstalled() {
  const wanted = packagesOf(inRoot('package-lock.json'));
  const present = packagesOf(inRoot('node_modules', '.package-lock.json'));
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(([name, entry]) => {
    if (name === '') return true;
    const found = present[name];
    return found ? found.version === entry.version : entry.optional === true;
  });
}

/** Installs the project's dependencies where they are missing or not those of the lock file. */
export async function installDependencies() {
  checkNode();
  if (dependenciesAreInstalled()) return;
  await step('Installing dependencies (npm ci)', () =>
    npm(['ci', '--no-audit', '--no-fund'], { failure: 'npm ci failed' }),
  );
}

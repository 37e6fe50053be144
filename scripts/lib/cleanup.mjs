import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** @type {Set<() => void>} */
const actions = new Set();
let installed = false;
let interruptCode = 130;

function runAll() {
  for (const action of [...actions].reverse()) {
    actions.delete(action);
    try {
      action();
    } catch {
      // The next action must still have its turn.
    }
  }
}

function install() {
  installed = true;
  process.on('exit', runAll);
  process.on('SIGINT', () => process.exit(interruptCode));
  process.on('SIGTERM', () => process.exit(143));
  process.on('SIGHUP', () => process.exit(129));
}

/** Where Ctrl-C is the way to end and no failure. @param {number} code */
export function exitCodeOnInterrupt(code) {
  interruptCode = code;
}

/**
 * Registers something to do when the process ends, however it ends (SIGKILL excepted).
 * @param {() => void} action must be synchronous
 * @returns {() => void} does it now instead
 */
export function atExit(action) {
  if (!installed) install();
  actions.add(action);
  return () => {
    if (actions.delete(action)) action();
  };
}

/**
 * Makes a temporary folder that disappears with the process.
 * @param {string} label
 */
export function temporaryFolder(label) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `quantscope-${label}-`));
  atExit(() => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  return folder;
}

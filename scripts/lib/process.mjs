import { spawn, spawnSync } from 'node:child_process';
import { atExit } from './cleanup.mjs';
import { UserError } from './terminal.mjs';
import { inRoot, root } from './paths.mjs';

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd] the repository's top folder by default
 * @property {NodeJS.ProcessEnv} [env] added to this process's environment
 * @property {boolean} [quiet] keep the output back and show it only on failure
 * @property {string} [failure] the message when it fails, instead of the command line
 * @property {AbortSignal} [signal] ends the command, and all that it started, when aborted
 */

/**
 * Runs a command to its end; rejects with a {@link UserError} when it fails.
 * @param {string} command
 * @param {readonly string[]} commandArguments
 * @param {RunOptions} [options]
 * @returns {Promise<string>} standard output, when quiet
 */
export function run(command, commandArguments, options = {}) {
  const { cwd = root, env = {}, quiet = false, failure, signal } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArguments, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
      // A process group of its own, which can be ended as a whole.
      detached: signal !== undefined && process.platform !== 'win32',
    });
    const letGo = signal ? endWith(child, signal) : () => undefined;
    let standardOutput = '';
    let everything = '';
    child.stdout?.on('data', (data) => {
      standardOutput += data;
      everything += data;
    });
    child.stderr?.on('data', (data) => (everything += data));
    child.on('error', (error) => {
      letGo();
      reject(new UserError(`Cannot start ${command}: ${error.message}`));
    });
    child.on('close', (code, killer) => {
      letGo();
      if (code === 0) return resolve(standardOutput);
      const what = failure ?? `${command} ${commandArguments.join(' ')} failed`;
      reject(new UserError(`${everything}${what} (${killer ?? `exit code ${code}`})`));
    });
  });
}

/**
 * Runs a JavaScript file with this Node.
 * @param {readonly string[]} nodeArguments
 * @param {RunOptions} [options]
 */
export function runNode(nodeArguments, options) {
  return run(process.execPath, nodeArguments, options);
}

/**
 * Runs a tool out of node_modules by its script, so that no shell and no .cmd file is involved.
 * @param {string} script path within node_modules, e.g. "typescript/bin/tsc"
 * @param {readonly string[]} toolArguments
 * @param {RunOptions} [options]
 */
export function runTool(script, toolArguments, options) {
  return runNode([inRoot('node_modules', script), ...toolArguments], options);
}

/**
 * Runs npm, quietly. On a Windows machine npm is a .cmd file, which only a shell can start; under
 * `npm run` its script is known and needs none.
 * @param {readonly string[]} npmArguments
 * @param {RunOptions & { node?: string }} [options] `node`: another Node to run npm with
 */
export function npm(npmArguments, options = {}) {
  const script = process.env.npm_execpath;
  const quietly = { quiet: true, ...options };
  if (script && /npm-cli\.c?js$/.test(script)) {
    return run(options.node ?? process.execPath, [script, ...npmArguments], quietly);
  }
  return process.platform === 'win32'
    ? run(process.env.ComSpec ?? 'cmd.exe', ['/d', '/s', '/c', 'npm', ...npmArguments], quietly)
    : run('npm', npmArguments, quietly);
}

/**
 * Whether a command exists and answers within ten seconds.
 * @param {string} command
 * @param {readonly string[]} [commandArguments]
 */
export function answers(command, commandArguments = ['--version']) {
  return spawnSync(command, commandArguments, { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

/**
 * Ends a process when a signal is aborted or this process ends, gently: it may have to clean up.
 * @param {import('node:child_process').ChildProcess} child started with `detached: true` (POSIX)
 * @param {AbortSignal} signal
 * @returns {() => void} to be called once the process has ended
 */
function endWith(child, signal) {
  const running = () => child.exitCode === null && child.signalCode === null;
  const end = atExit(() => {
    if (running()) killTree(child, 'SIGTERM');
  });
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  return () => {
    signal.removeEventListener('abort', end);
    end();
  };
}

/**
 * Ends a process and everything it started.
 * @param {import('node:child_process').ChildProcess} child started with `detached: true` (POSIX)
 * @param {NodeJS.Signals} [signal]
 */
export function killTree(child, signal = 'SIGKILL') {
  if (child.pid === undefined) return;
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/pid', String(child.pid), '/T', '/F'], { stdio: 'ignore' });
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group has ended already.
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { atExit, temporaryFolder } from './cleanup.mjs';
import { killTree, run } from './process.mjs';

/** @typedef {import('./installCodeServer.mjs').CodeServerInstall} CodeServerInstall */

/** Settings that keep the window quiet and off the network. */
const USER_SETTINGS = {
  'workbench.startupEditor': 'none',
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.tips.enabled': false,
  'workbench.welcomePage.walkthroughs.openOnInstall': false,
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': 'off',
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'update.mode': 'none',
  'git.enabled': false,
  'remote.autoForwardPorts': false,
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
};

/** Set inside a terminal of VS Code or by tools that start it; they would redirect code-server. */
const FOREIGN_VARIABLES = [
  'VSCODE_IPC_HOOK_CLI',
  'ELECTRON_RUN_AS_NODE',
  'NODE_OPTIONS',
  'PASSWORD',
  'HASHED_PASSWORD',
  'PORT',
];

/** @param {NodeJS.ProcessEnv} added */
function environment(added) {
  const variables = { ...process.env, ...added };
  for (const name of FOREIGN_VARIABLES) delete variables[name];
  return variables;
}

/** VS Code in a browser, running with its own empty profile until it is stopped. */
export class CodeServer {
  /**
   * @param {import('node:child_process').ChildProcess} child
   * @param {string} profile folder of settings and extensions
   * @param {string} address where it listens, "http://127.0.0.1:PORT"
   * @param {() => void} stop
   */
  constructor(child, profile, address, stop) {
    this.child = child;
    this.address = address;
    this.logFolder = path.join(profile, 'data', 'logs');
    /** Settles when the server ends, however it does. */
    this.ended = once(child, 'exit');
    /** Ends the server and everything it started, and removes its profile. */
    this.stop = stop;
  }

  /**
   * Name of a local file as a page of this server knows it.
   * @param {string} file absolute path
   */
  remoteUri(file) {
    const { host } = new URL(this.address);
    return `vscode-remote://${host}${file.split('/').map(encodeURIComponent).join('/')}`;
  }

  /**
   * Address that opens a folder.
   * @param {string} folder absolute path
   * @param {readonly (readonly [string, string])[]} [payload] what else the window gets, e.g. files to open
   */
  folderAddress(folder, payload = []) {
    const query = new URLSearchParams({ folder });
    if (payload.length) query.set('payload', JSON.stringify(payload));
    return `${this.address}/?${query}`;
  }
}

/** @param {string} profile */
const settingsFile = (profile) => path.join(profile, 'data', 'User', 'settings.json');

/** @param {string} file @param {unknown} value */
function writeJson(file, value) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, JSON.stringify(value, null, 2));
}

/**
 * Starts VS Code for the browser on a free port.
 * @param {CodeServerInstall} install
 * @param {object} [options]
 * @param {string[]} [options.extensions] VSIX files to install first
 * @param {boolean} [options.testDriver] let a page run tests inside the extension host
 * @param {number} [options.port] 0, the default, takes a free one
 * @param {Record<string, unknown>} [options.settings] user settings on top of the quiet ones
 * @param {NodeJS.ProcessEnv} [options.env] reaches the extension host
 * @returns {Promise<CodeServer>}
 */
export async function startCodeServer(install, options = {}) {
  const { extensions = [], testDriver = false, port = 0, settings = {}, env = {} } = options;
  const profile = temporaryFolder('vscode');
  writeJson(settingsFile(profile), { ...USER_SETTINGS, ...settings });
  const common = [
    install.entry,
    ...['--config', path.join(profile, 'config.yaml')],
    ...['--session-socket', path.join(profile, 'session.sock')],
    ...['--user-data-dir', path.join(profile, 'data')],
    ...['--extensions-dir', path.join(profile, 'extensions')],
  ];
  fs.writeFileSync(path.join(profile, 'config.yaml'), 'auth: none\n');
  for (const file of extensions) {
    await run(install.node, [...common, '--install-extension', file], {
      quiet: true,
      env: Object.fromEntries(FOREIGN_VARIABLES.map((name) => [name, undefined])),
    });
  }
  const child = spawn(
    install.node,
    [
      ...common,
      ...['--auth', 'none', '--bind-addr', `127.0.0.1:${port}`],
      '--disable-telemetry',
      '--disable-update-check',
      '--disable-workspace-trust',
      '--disable-getting-started-override',
      '--ignore-last-opened',
      ...(testDriver && install.hasVscodeOption
        ? ['--vscode-option', 'enable-smoke-test-driver']
        : []),
    ],
    // Its own process group, so that the extension hosts it starts end with it.
    { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: environment(env) },
  );
  const stop = atExit(() => {
    killTree(child);
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });
  const address = await listeningAddress(child);
  await untilHealthy(address, child);
  return new CodeServer(child, profile, address, stop);
}

/**
 * The address a starting server announces.
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<string>}
 */
function listeningAddress(child) {
  return new Promise((resolve, reject) => {
    let output = '';
    /** @param {Buffer} data */
    const onData = (data) => {
      // Goes on listening after the address is known: a full pipe would block the server.
      output = (output + data).slice(-20_000);
      const found = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(output);
      if (found) resolve(found[1]);
    };
    child.stdout?.on('data', onData);
    child.stderr?.on('data', onData);
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`code-server ended (${code}):\n${output}`)));
  });
}

/** @param {string} address @param {import('node:child_process').ChildProcess} child */
async function untilHealthy(address, child) {
  for (let wait = 20; child.exitCode === null; wait = Math.min(wait * 2, 500)) {
    const response = await fetch(`${address}/healthz`).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  throw new Error(`code-server ended with exit code ${child.exitCode}`);
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { atExit, temporaryFolder } from './cleanup.mjs';
import { openGate } from './gate.mjs';
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
   * @param {string} address by which it is reached, "http://127.0.0.1:PORT/KEY": a secret
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
 * How VS Code is to treat the folders that it opens. "ask": as the user says; "restrict": as those of
 * strangers, without asking, which Quantscope does not mind; "all": as trusted, which only tests may
 * say, of folders that they have written themselves.
 * @typedef {'ask' | 'restrict' | 'all'} FolderTrust
 */

/** @type {Record<FolderTrust, { settings: Record<string, unknown>, options: readonly string[] }>} */
const TRUST = {
  ask: { settings: { 'security.workspace.trust.startupPrompt': 'once' }, options: [] },
  restrict: {
    settings: {
      'security.workspace.trust.startupPrompt': 'never',
      'security.workspace.trust.banner': 'never',
    },
    options: [],
  },
  all: { settings: {}, options: ['--disable-workspace-trust'] },
};

/**
 * Starts VS Code for the browser. It can be reached by its address alone, which is made anew for
 * each start: on its own it listens on a socket in its profile, which only this user can enter.
 * @param {CodeServerInstall} install
 * @param {object} [options]
 * @param {string[]} [options.extensions] VSIX files to install first
 * @param {boolean} [options.testDriver] let a page run tests inside the extension host
 * @param {number} [options.port] 0, the default, takes a free one
 * @param {Record<string, unknown>} [options.settings] user settings on top of the quiet ones
 * @param {FolderTrust} [options.trust] "ask" by default
 * @param {NodeJS.ProcessEnv} [options.env] reaches the extension host
 * @returns {Promise<CodeServer>}
 */
export async function startCodeServer(install, options = {}) {
  const { extensions = [], testDriver = false, port = 0, settings = {}, env = {} } = options;
  const trust = TRUST[options.trust ?? 'ask'];
  const profile = temporaryFolder('vscode');
  const socket = path.join(profile, 'code-server.sock');
  writeJson(settingsFile(profile), { ...USER_SETTINGS, ...trust.settings, ...settings });
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
      ...['--auth', 'none', '--socket', socket, '--socket-mode', '600'],
      '--disable-proxy',
      '--disable-telemetry',
      '--disable-update-check',
      ...trust.options,
      '--disable-getting-started-override',
      '--ignore-last-opened',
      ...(testDriver && install.hasVscodeOption
        ? ['--vscode-option', 'enable-smoke-test-driver']
        : []),
    ],
    // Its own process group, so that the extension hosts it starts end with it.
    { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: environment(env) },
  );
  /** @type {import('./gate.mjs').Gate | undefined} */
  let gate;
  const stop = atExit(() => {
    gate?.close();
    killTree(child);
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });
  await untilListening(child);
  await untilHealthy(socket, child);
  gate = await openGate(socket, port);
  return new CodeServer(child, profile, gate.address, stop);
}

/**
 * Waits until a starting server says that it listens.
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<void>}
 */
function untilListening(child) {
  return new Promise((resolve, reject) => {
    let output = '';
    /** @param {Buffer} data */
    const onData = (data) => {
      // Goes on listening afterwards: a full pipe would block the server.
      output = (output + data).slice(-20_000);
      if (/HTTP server listening on /.test(output)) resolve();
    };
    child.stdout?.on('data', onData);
    child.stderr?.on('data', onData);
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`code-server ended (${code}):\n${output}`)));
  });
}

/** @param {string} socketPath @returns {Promise<boolean>} */
function isHealthy(socketPath) {
  return new Promise((resolve) => {
    const request = http.get({ socketPath, path: '/healthz', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}

/** @param {string} socketPath @param {import('node:child_process').ChildProcess} child */
async function untilHealthy(socketPath, child) {
  for (let wait = 20; child.exitCode === null; wait = Math.min(wait * 2, 500)) {
    if (await isHealthy(socketPath)) return;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  throw new Error(`code-server ended with exit code ${child.exitCode}`);
}

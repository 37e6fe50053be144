import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { UserError } from './terminal.mjs';

/**
 * The names by which a browser on this machine, or behind a forwarded port, reaches the gate. A page
 * of another name that was made to resolve to this machine still sends its own.
 */
const OWN_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i;

const NO_KEY = 'Open the whole address that was printed when this window was started.';
const WRONG_HOST = 'This window answers to 127.0.0.1 and localhost only.';
const WRONG_ORIGIN = 'This window answers to its own pages only.';

/** What a server behind the gate might believe about where a request came from. */
const FORWARDING = ['forwarded', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-for'];

/**
 * A way into a server that only those have who know its address.
 * @typedef {object} Gate
 * @property {string} address "http://127.0.0.1:PORT/KEY", without a slash at the end
 * @property {() => void} close
 */

/** @param {string} text */
const digest = (text) => createHash('sha256').update(text).digest();

/**
 * The path behind the key; undefined without the right key.
 * @param {string} url of a request, "/KEY/path?query"
 * @param {string} key
 */
function pathBehind(url, key) {
  const [, given = '', rest] = /^\/([^/?#]*)(.*)$/s.exec(url) ?? [];
  // Of equal lengths, so that the time that it takes tells nothing.
  return timingSafeEqual(digest(given), digest(key)) ? rest : undefined;
}

/** @param {http.IncomingMessage} request */
function isFromOwnPage({ headers: { origin, host } }) {
  // Programs that are no browsers send none.
  return origin === undefined || origin.toLowerCase() === `http://${host}`.toLowerCase();
}

/**
 * Where a request may go, or why it may go nowhere.
 * @param {http.IncomingMessage} request
 * @param {string} key
 * @returns {{ path: string } | { refusal: string }}
 */
function examine(request, key) {
  if (!OWN_HOST.test(request.headers.host ?? '')) return { refusal: WRONG_HOST };
  const path = pathBehind(request.url ?? '', key);
  if (path === undefined) return { refusal: NO_KEY };
  const reads = request.headers.upgrade === undefined && /^(GET|HEAD)$/.test(request.method ?? '');
  if (!reads && !isFromOwnPage(request)) return { refusal: WRONG_ORIGIN };
  return { path };
}

/** @param {http.IncomingMessage} request name, value, name, value, … */
function headersOf({ rawHeaders }) {
  return rawHeaders.filter(
    (_, index) => !FORWARDING.includes(rawHeaders[index - (index % 2)].toLowerCase()),
  );
}

/**
 * @param {http.IncomingMessage} request
 * @param {http.ServerResponse} response
 * @param {string} socketPath
 * @param {string} path
 */
function passOn(request, response, socketPath, path) {
  const headers = headersOf(request);
  const inner = http.request({ socketPath, path, method: request.method, headers });
  inner.on('response', (answer) => {
    // The key does not leave with whatever a page links to.
    const headers = [...answer.rawHeaders, 'Referrer-Policy', 'same-origin'];
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers);
    answer.pipe(response);
  });
  inner.on('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  response.on('close', () => inner.destroy());
  request.pipe(inner);
}

/**
 * @param {http.IncomingMessage} request
 * @param {import('node:stream').Duplex} socket
 * @param {Buffer} head
 * @param {string} socketPath
 * @param {string} path
 */
function passUpgradeOn(request, socket, head, socketPath, path) {
  const inner = net.connect(socketPath);
  const headers = headersOf(request);
  const lines = [`${request.method} ${path} HTTP/1.1`];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  inner.write(`${lines.join('\r\n')}\r\n\r\n`);
  inner.write(head);
  socket.pipe(inner).pipe(socket);
  inner.on('error', () => socket.destroy());
  inner.on('close', () => socket.destroy());
  socket.on('close', () => inner.destroy());
}

/**
 * Opens a way on 127.0.0.1 into a server that listens on a Unix socket. The key is part of the
 * address and not a cookie: browsers send the cookies of one port of a machine to all its ports.
 * @param {string} socketPath in a folder that nobody else can enter
 * @param {number} port 0 for any free one
 * @returns {Promise<Gate>} rejects with a {@link UserError} where nobody can listen on the port
 */
export async function openGate(socketPath, port) {
  const key = randomBytes(32).toString('base64url');
  const server = http.createServer((request, response) => {
    const found = examine(request, key);
    if ('refusal' in found) {
      response.writeHead(403, { 'Content-Type': 'text/plain' }).end(`${found.refusal}\n`);
    } else if (!found.path.startsWith('/')) {
      // Pages name everything relative to their folder.
      response.writeHead(308, { Location: `/${key}/${found.path}` }).end();
    } else {
      passOn(request, response, socketPath, found.path);
    }
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const found = examine(request, key);
    if ('path' in found && found.path.startsWith('/')) {
      passUpgradeOn(request, socket, head, socketPath, found.path);
    } else {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    }
  });
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new UserError(`Port ${port}: ${error instanceof Error ? error.message : error}`);
  }
  const { port: listening } = /** @type {net.AddressInfo} */ (server.address());
  return {
    address: `http://127.0.0.1:${listening}/${key}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

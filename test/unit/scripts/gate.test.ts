import * as fs from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGate } from '../../../scripts/lib/gate.mjs';

/** What came through the gate. */
interface Seen {
  readonly url: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
}

let folder: string;
let inner: http.Server;
let gate: Awaited<ReturnType<typeof openGate>>;
let port: string;
let key: string;
const seen: Seen[] = [];

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-gate-'));
  const socket = path.join(folder, 'inner.sock');
  inner = http.createServer(({ url, headers, method }, response) => {
    seen.push({ url, headers });
    response.setHeader('Set-Cookie', ['a=1', 'b=2']);
    response.writeHead(url === '/teapot' ? 418 : 200).end(`${method} ${url}`);
  });
  inner.on('upgrade', ({ url, headers }, connection: net.Socket) => {
    seen.push({ url, headers });
    connection.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    );
    connection.pipe(connection);
  });
  await new Promise<void>((resolve) => inner.listen(socket, resolve));
  gate = await openGate(socket, 0);
  const address = new URL(gate.address);
  port = address.port;
  key = address.pathname.slice(1);
});

afterAll(() => {
  gate.close();
  inner.close();
  inner.closeAllConnections();
  fs.rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number | undefined;
  readonly text: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** Sends a request as it stands, with any Host: `fetch` would put its own. */
function send(
  target: string,
  headers: http.OutgoingHttpHeaders = {},
  method = 'GET',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: target, method, headers, agent: false };
    const request = http.request(options, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => {
        resolve({ status: response.statusCode, text, headers: response.headers });
      });
    });
    request.on('error', reject);
    request.end();
  });
}

/** Asks for an upgrade; resolves with the first line, and what was echoed where there was one. */
function upgrade(target: string, headers: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), '127.0.0.1');
    const lines = Object.entries({ Connection: 'Upgrade', Upgrade: 'x', ...headers });
    socket.write(`GET ${target} HTTP/1.1\r\n${lines.map((line) => line.join(': ')).join('\r\n')}`);
    socket.write('\r\n\r\n');
    let received = '';
    socket.on('data', (data) => {
      received += String(data);
      if (received.includes('101 Switching') && !received.includes('ping')) socket.write('ping');
      if (received.includes('ping')) socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
}

const own = () => ({ Host: `127.0.0.1:${port}` });
const secretFile = '/vscode-remote-resource?path=/etc/hostname';

describe('the gate of a served window', () => {
  it('has a key of 256 bits, new for each gate', async () => {
    expect(Buffer.from(key, 'base64url')).toHaveLength(32);
    const other = await openGate(path.join(folder, 'other.sock'), 0);
    expect(new URL(other.address).pathname.slice(1)).not.toBe(key);
    other.close();
  });

  it('lets nothing through without the key', async () => {
    seen.length = 0;
    const wrong = key.replace(/./g, (character) => (character === 'A' ? 'B' : 'A'));
    const targets = [
      ...['/', secretFile, `/${wrong}/`, `/${key}x/`, `/${key.slice(1)}/`, `//${key}/`],
      ...[`/x/../${key}/`, `/x/${key}/`, `/?${key}`, `/${key.toLowerCase()}/`, `/${key}%2F`],
      `http://127.0.0.1:${port}/${key}/`,
    ];
    for (const target of targets) {
      expect((await send(target, own())).status, target).toBe(403);
      expect(await upgrade(target, own()), target).toMatch(/^HTTP\/1\.1 403 /);
    }
    const cookies = { ...own(), Cookie: `key=${key}`, Authorization: `Bearer ${key}` };
    expect((await send('/', cookies)).status).toBe(403);
    expect(seen).toEqual([]);
  });

  it('lets those through who have the key, and what they ask for and get as it is', async () => {
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, 'LOCALHOST:8080', '[::1]:1']) {
      const answer = await send(`/${key}${secretFile}`, { Host: host });
      expect(answer).toMatchObject({ status: 200, text: `GET ${secretFile}` });
      expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
      expect(answer.headers['referrer-policy']).toBe('same-origin');
      expect(seen.at(-1)?.headers.host).toBe(host);
    }
    expect((await send(`/${key}/teapot`, own())).status).toBe(418);
    const post = { ...own(), Origin: `http://127.0.0.1:${port}` };
    expect((await send(`/${key}/mint`, post, 'POST')).text).toBe('POST /mint');
  });

  it('sends an address without its last slash to the one with it', async () => {
    const { status, headers } = await send(`/${key}?folder=/x`, own());
    expect([status, headers.location]).toEqual([308, `/${key}/?folder=/x`]);
  });

  it('refuses names of others that lead to this machine', async () => {
    seen.length = 0;
    const names = ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', '127.0.0.2'];
    const odd = ['user@127.0.0.1', 'localhost:80:80', 'localhost,evil.example', '0.0.0.0'];
    for (const name of [...names, ...names.map((each) => `${each}:${port}`), ...odd]) {
      expect((await send(`/${key}/`, { Host: name })).status, name).toBe(403);
      expect(await upgrade(`/${key}/`, { Host: name }), name).toMatch(/^HTTP\/1\.1 403 /);
    }
    expect(seen).toEqual([]);
  });

  it('opens sockets, and takes what changes something, from its own pages only', async () => {
    seen.length = 0;
    const origins = [
      'http://evil.example',
      `https://127.0.0.1:${port}`,
      'http://127.0.0.1',
      'null',
    ];
    for (const Origin of origins) {
      const headers = { ...own(), Origin };
      expect(await upgrade(`/${key}/`, headers), Origin).toMatch(/^HTTP\/1\.1 403 /);
      expect((await send(`/${key}/`, headers, 'POST')).status, Origin).toBe(403);
    }
    expect(seen).toEqual([]);
    const mine = { Host: 'localhost:8080', Origin: 'http://localhost:8080' };
    expect(await upgrade(`/${key}/socket?a=b`, mine)).toMatch(/^HTTP\/1\.1 101 .*ping$/s);
    expect(seen.at(-1)?.url).toBe('/socket?a=b');
  });

  it('does not pass on what a request claims of its way here', async () => {
    const claims = { 'X-Forwarded-Host': 'evil.example', Forwarded: 'host=evil.example' };
    await send(`/${key}/`, { ...own(), ...claims });
    expect(Object.keys(seen.at(-1)!.headers)).not.toContain('x-forwarded-host');
    expect(Object.keys(seen.at(-1)!.headers)).not.toContain('forwarded');
  });

  it('says in one line that its port is taken', async () => {
    const taken = openGate(path.join(folder, 'other.sock'), Number(port));
    await expect(taken).rejects.toThrow(/^Port \d+: .*EADDRINUSE[^\n]*$/);
  });

  it('answers when the server behind it has gone', async () => {
    const lonely = await openGate(path.join(folder, 'gone.sock'), 0);
    const response = await fetch(`${lonely.address}/`);
    expect(response.status).toBe(502);
    lonely.close();
  });
});

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { SafeFetch } from '../safe-fetch/index.js';
import { WordPress } from './wordpress.js';

/** Of one post that the site has already. */
async function publishAt(body: string): Promise<unknown> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const wordpress = new WordPress(
    { baseUrl: `http://${host}`, userName: 'u', applicationPassword: 'p' },
    new SafeFetch({ allowedHosts: [host] }),
    new AbortController().signal,
  );
  const post = { mark: 'stratum-1', slug: 's', title: 'T', content: 'C', excerpt: '' };
  return wordpress.publish(post, 7);
}

const saved = JSON.stringify({ id: 7, link: 'http://x/s/', slug: 's', content: { raw: 'C' } });

test.each([
  ['plain', saved],
  ['behind a byte order mark', `\uFEFF${saved}`],
  [
    'behind notices of PHP',
    `<br />\n<b>Notice</b>: Undefined index: a in <b>/x.php</b> on line <b>3</b><br />\n${saved}`,
  ],
  ['behind a warning with brackets', `Warning: foreach() argument [1] must be of type array\n\n${saved}`],
  ['behind a notice in its line', `Deprecated: x${saved}`],
])('JSON is read %s', async (_name, body) => {
  expect(await publishAt(body)).toEqual({ id: 7, url: 'http://x/s/', slug: 's' });
});

test.each(['', '<html>Maintenance</html>', '\uFEFF'])(
  'an answer without JSON is said plainly: %j',
  async (body) => {
    await expect(publishAt(body)).rejects.toThrow('something else than JSON');
  },
);

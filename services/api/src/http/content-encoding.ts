/** Bodies may be compressed; their decompressed size is bounded like any other body. */
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { Transform, type Duplex } from 'node:stream';
import { ProblemError } from './problem.js';
import type { ApiServer } from './types.js';

const DECODERS: ReadonlyMap<string, () => Duplex> = new Map([
  ['gzip', () => createGunzip()],
  ['deflate', () => createInflate()],
  ['br', () => createBrotliDecompress()],
]);

/** @param limit bytes after decompression */
export function useContentEncodings(app: ApiServer, limit: number): void {
  app.addHook('preParsing', async (request, _reply, payload) => {
    const encoding = request.headers['content-encoding']?.trim().toLowerCase();
    if (encoding === undefined || encoding === '' || encoding === 'identity') return payload;
    const decoder = DECODERS.get(encoding)?.();
    if (decoder === undefined || request.routeOptions.config.rawBody === true) {
      throw new ProblemError(
        'unsupported-media-type',
        `Content-Encoding ${JSON.stringify(encoding)} is not supported here. Send the body uncompressed${decoder === undefined ? ', or as gzip, deflate or br' : ''}.`,
      );
    }
    // The length that was announced is that of the compressed body.
    delete request.headers['content-length'];
    const bounded = boundedTo(request.routeOptions.bodyLimit ?? limit);
    payload.on('error', (error) => decoder.destroy(error));
    decoder.on('error', () =>
      bounded.destroy(new ProblemError('bad-request', `The body is not valid ${encoding}.`)),
    );
    payload.pipe(decoder).pipe(bounded);
    return bounded;
  });
}

/** Passes bytes on until they are too many: a small body that unpacks to a huge one is stopped on its way. */
function boundedTo(limit: number): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.byteLength;
      if (size > limit) done(new ProblemError('too-large', `The decompressed body exceeds ${limit} bytes.`));
      else done(null, chunk);
    },
  });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body is needed exactly as it was sent: no compression. */
    rawBody?: boolean;
  }
}
